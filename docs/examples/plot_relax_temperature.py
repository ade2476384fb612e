"""
What the temperature of a program does
======================================

The scale of the law is the temperature of :func:`algonets.relax`. Small scales stay near the program and see nothing
beyond the next comparison; large ones see far and compute something else.
"""

# %%
# A program that decides
# ----------------------
# Which of two numbers is the larger one, counted over an array: a rank. At every temperature the soft rank is drawn
# over the position of one number that moves past four others.

import matplotlib.pyplot as plt
import torch

import algonets as an
from algonets.distributions import Logistic

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})
COLORS = ("#9ab7d3", "#5d8fbf", "#1f3b73")


@an.relax
def rank(x, others):
    below = 0
    for y in others:
        if x > y:
            below += 1
    return below


others = torch.tensor([-1.0, -0.2, 0.1, 1.2])
x = torch.linspace(-2.5, 2.5, 501)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.plot(x, rank(x, others, batch_dims={"others": None}), color="0.3", lw=2, label="hard")
for scale, color in zip((0.02, 0.1, 0.5), COLORS, strict=True):
    at = x.clone().requires_grad_()
    soft = rank.soft(at, others, batch_dims={"others": None}, distribution=Logistic(scale))
    slope = torch.autograd.grad(soft.sum(), at)[0]
    left.plot(x, soft.detach(), color=color, label=f"scale {scale:g}")
    right.semilogy(x, slope.clamp_min(1e-8), color=color)
left.set(xlabel="x", title="numbers below x")
right.set(xlabel="x", title="slope", ylim=(1e-4, 30))
left.legend(frameon=False)
plt.show()

# %%
# At 0.02 the slope is large at the four numbers and nothing elsewhere: a network whose outputs are not near a tie
# learns nothing. At 0.5 every x gets a gradient, but the two numbers in the middle have become one.

# %%
# Bias against reach
# ------------------
# Train numbers to be in order, by the swaps that bubble sort needs. All start from the same random numbers; the figure
# shows how many swaps they need really (hard). Too cold: whatever is far from a tie stays where it is. The warm
# temperature sees all pairs; that its count of swaps is far off does not matter, as the right order has the least of it
# at every temperature.


@an.relax
def swaps(a):
    count = 0
    for i in range(len(a) - 1):
        for j in range(len(a) - 1 - i):
            if a[j] > a[j + 1]:
                a[j], a[j + 1] = a[j + 1], a[j]
                count += 1
    return count


generator = torch.Generator().manual_seed(0)
start = torch.randn(32, 5, generator=generator)
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for scale, color in zip((0.01, 0.1, 1.0), COLORS, strict=True):
    a = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([a], 0.03)
    hard = []
    for _ in range(40):
        hard.append(float(swaps(a.detach()).double().mean()))
        loss = swaps.soft(a, distribution=Logistic(scale)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    axes.plot(hard, color=color, label=f"scale {scale:g}")
axes.set(xlabel="steps of Adam", ylabel="swaps that are needed")
axes.legend(frameon=False)
plt.show()

# %%
# A temperature that is learnt
# ----------------------------
# The scale may be a tensor with gradient, and other statements may have another one.

scale = torch.tensor(0.3, requires_grad=True)
loss = (swaps.soft(start, distribution=Logistic(scale)) - swaps(start)).square().mean()
loss.backward()
print(f"soft minus hard, squared: {loss.item():.2f}; d/d scale: {scale.grad.item():.2f} (colder is closer)")
