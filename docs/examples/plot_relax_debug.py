"""
How to debug a relaxed program
==============================

``report=True`` tells what a soft call of :func:`algonets.relax` did: mass that was left in loops, how far the soft
result is from the hard one, and for each comparison how undecided it was.
"""

# %%
# A program with a fault
# ----------------------
# Newton's square root, that stops when the square is near enough, and counts its passes. Soft, the count is wrong.

import warnings

import matplotlib.pyplot as plt
import torch

import algonets as an
from algonets.distributions import Logistic

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})


@an.relax
def root(a):
    x = a
    passes = 0.0
    while abs(x * x - a) > 0.01:
        x = (x + a / x) / 2
        passes += 1
    return x, passes


a = torch.tensor([2.0, 3.0, 5.0])
print(root(a), a.sqrt())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    result, report = root.soft(a, distribution=Logistic(0.1), max_iterations=8, report=True)
print(result)
print(caught[0].message)
print(report)

# %%
# The report says why: the comparison of the ``while`` is undecided nearly always. Its two sides differ by 0.01 at most
# when the loop should end, far less than the scale: then half of the mass leaves in each pass, and half of it stays,
# until ``max_iterations`` cuts the loop. The remedy is a scale that fits the comparison. ``relax.scale`` sets it for
# these statements only; other branches keep theirs.


@an.relax
def better_root(a):
    x = a
    passes = 0.0
    with an.relax.scale(0.002):
        while abs(x * x - a) > 0.01:
            x = (x + a / x) / 2
            passes += 1
    return x, passes


result, report = better_root.soft(a, distribution=Logistic(0.1), max_iterations=8, report=True)
print(result)
print(report)

# %%
# Looking for the scale
# ---------------------
# The gap between hard and soft over the scale, beside the share of undecided comparisons: a program computes what it
# says where both are small, and has gradients where the second is not zero.

scales = torch.logspace(-4, 0, 25).tolist()
gaps, vague = [], []
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for scale in scales:
        _, report = root.soft(a, distribution=Logistic(scale), max_iterations=20, report=True)
        gaps.append(float(report.gap[1].max()))
        vague.append(max(d.undecided for d in report.decisions))
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
axes.loglog(scales, gaps, "o-", color="#1f3b73", ms=3, label="largest |hard - soft| of the passes")
axes.set(xlabel="scale")
other = axes.twinx()
other.plot(scales, vague, color="#d9902f", label="share of undecided comparisons")
other.set(ylim=(0, 1))
figure.legend(loc="lower right", bbox_to_anchor=(0.88, 0.2), frameon=False, fontsize=9)
plt.show()

# %%
# When the question is whether merging is to blame, ``merge="paths"`` answers it: exact, for programs with few
# comparisons. And ``fn.source`` shows what runs.

print(better_root.source)
