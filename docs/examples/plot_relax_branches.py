"""
How a branch becomes a mixture
==============================

What :func:`algonets.relax` makes of ``if`` and ``while``: the probability that a comparison holds, and the mean over
what the paths leave behind.
"""

# %%
# One branch
# ----------
# A program that jumps: half the price above 1. The hard call is the program. The soft call perturbs the number that is
# compared; ``x > 1`` holds with the probability ``F(x - 1)``, and the result is the mean of both arms. The jump becomes
# a slope, and the slope is what a network learns from.

import matplotlib.pyplot as plt
import torch

import algonets as an
from algonets.distributions import Cauchy, Logistic, Uniform

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})


@an.relax
def price(x):
    if x > 1:  # noqa: SIM108 - what the page is about
        p = x / 2
    else:
        p = x
    return p


x = torch.linspace(0, 2, 401)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.plot(x, price(x), color="0.3", lw=2, label="hard")
for law, color in ((Logistic(0.1), "#7570b3"), (Cauchy(0.1), "#0b5fa5"), (Uniform(0.3), "#d9902f")):
    at = x.clone().requires_grad_()
    soft = price.soft(at, distribution=law)
    slope = torch.autograd.grad(soft.sum(), at)[0]
    name = f"{type(law).__name__}({law.scale:g})"
    left.plot(x, soft.detach(), color=color, label=name)
    right.plot(x, slope, color=color, label=name)
left.set(xlabel="x", title="the value")
right.set(xlabel="x", title="its slope")
left.legend(frameon=False)
plt.show()

# %%
# The generated code runs both arms from the same state and merges every variable that they assign.

print(price.source)

# %%
# Merging is an approximation
# ---------------------------
# After the merge the program goes on with the mean. Where a later branch depends on an earlier one, this is not the
# mean over all paths. ``merge="paths"`` enumerates them (exact, for small programs), ``merge="sample"`` draws them.


@an.relax
def twice(x):
    y = 0.0
    if x > 1:
        y = 2.0
    if y > 1:  # decided by the first branch
        return 1.0
    return 0.0


figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
axes.plot(x, twice(x), color="0.3", lw=2, label="hard")
torch.manual_seed(0)
law = Logistic(0.15)
for merge, color in (("mean", "#c0392b"), ("paths", "#1f3b73"), ("sample", "#9ab7d3")):
    axes.plot(x, twice.soft(x, distribution=law, merge=merge, samples=64), color=color, label=f'merge="{merge}"')
axes.set(xlabel="x")
axes.legend(frameon=False)
plt.show()

# %%
# A loop
# ------
# ``while`` is a branch in each pass: those for whom the condition fails leave, with the state that they have. The
# result is the mean over the passes, weighted by the probability to leave there.


@an.relax
def halvings(x):
    count = 0.0
    while x > 1:
        x = x / 2
        count += 1
    return count


x = torch.linspace(0.5, 12, 600)
figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
axes.plot(x, halvings(x), color="0.3", lw=2, label="hard")
for scale, color in ((0.03, "#9ab7d3"), (0.1, "#5d8fbf"), (0.3, "#1f3b73")):
    axes.plot(x, halvings.soft(x, distribution=Logistic(scale)), color=color, label=f"Logistic({scale:g})")
axes.set(xlabel="x", ylabel="halvings until x is at most 1")
axes.legend(frameon=False)
plt.show()
