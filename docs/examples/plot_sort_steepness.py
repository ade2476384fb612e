"""
Sorting networks: steepness, landscapes, cost
=============================================

A sorting network compares and swaps; :mod:`algonets.sort` makes each swap soft, by the CDF of a law. The scale of the
law decides what a network trained through it sees.
"""

# %%
# What a comparator does
# ----------------------
# Two values ``a`` and ``b`` with difference ``d = b - a`` become ``b - F(d) d`` and ``a + F(d) d``. The lower output
# of a logistic comparator is not monotone: around ``d = -1.3 scale`` raising ``a`` lowers the minimum.

import time

import matplotlib.pyplot as plt
import torch

from algonets import sort
from algonets.distributions import Cauchy, Gaussian, Logistic, Optimal, Reciprocal

plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})
LAWS = {"logistic": Logistic, "Gaussian": Gaussian, "Cauchy": Cauchy, "reciprocal": Reciprocal, "optimal": Optimal}

difference = torch.linspace(-3, 3, 601)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for name, law in LAWS.items():
    probability = law(0.3).cdf(difference)
    left.plot(difference, probability, label=name)
    right.plot(difference, difference * (1 - probability), label=name)
right.plot(difference, difference.clamp_max(0), color="0.6", linewidth=1, label="exact")
left.set(title="soft comparison F(d)", xlabel="d = b - a")
right.set(title="soft minimum of 0 and d", xlabel="d", ylim=(-3, 0.3))
right.legend(fontsize=8)
figure.tight_layout()

# %%
# The landscape of a loss
# -----------------------
# Three items should come in a given order. Two of them move over the plane, the third stays at 0; the picture is the
# cross-entropy of ``P`` against the right permutation, and where its gradient points (downhill). A hard network's
# landscape is flat. A small scale leaves cliffs, a large one a slope from everywhere.

axis = torch.linspace(-2, 2, 61)
first, second = torch.meshgrid(axis, axis, indexing="xy")
right_order = torch.eye(3)


def loss_of(points, scale):
    """Cross-entropy of the soft matrix of (first, second, 0) against ascending order."""
    items = torch.cat([points, torch.zeros(len(points), 1)], -1)
    matrix = sort.soft_argsort(items, sort.OddEven(Cauchy(scale))).clamp(1e-6, 1 - 1e-6)
    return torch.nn.functional.binary_cross_entropy(matrix, right_order.expand_as(matrix), reduction="none").mean(
        (-1, -2)
    )


figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
for panel, scale in zip(axes, (0.02, 0.2, 1.0), strict=True):
    points = torch.stack([first.flatten(), second.flatten()], -1).requires_grad_()
    loss = loss_of(points, scale)
    slope = -torch.autograd.grad(loss.sum(), points)[0].reshape(61, 61, 2)
    panel.contourf(axis, axis, loss.detach().reshape(61, 61), levels=24, cmap="magma")
    few = (slice(3, None, 6), slice(3, None, 6))
    direction = slope / slope.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    panel.quiver(first[few], second[few], direction[few][..., 0], direction[few][..., 1], color="w", width=0.004)
    panel.set(title=f"Cauchy({scale})", xlabel="first item")
axes[0].set_ylabel("second item")
figure.tight_layout()

# %%
# How soft?
# ---------
# Error of the sorted values and mean size of the gradient of the ranks, for 16 items of standard deviation 1, over the
# scale. Too small: no gradient. Too large: no sort. The dotted line is what
# :func:`~algonets.sort.suggest_scale` proposes.

scales = torch.logspace(-3, 1, 25)
x = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for name, law in LAWS.items():
    errors, slopes = [], []
    for scale in scales.tolist():
        items = x.clone().requires_grad_()
        method = sort.Bitonic(law(scale))
        errors.append((sort.soft_sort(x, method) - x.sort(-1).values).abs().mean())
        ranks = sort.soft_rank(items, method)
        weights = torch.randn(ranks.shape, generator=torch.Generator().manual_seed(1))
        slopes.append(torch.autograd.grad((ranks * weights).sum(), items)[0].abs().median())
    left.loglog(scales, errors, label=name)
    right.loglog(scales, slopes, label=name)
for panel in (left, right):
    panel.axvline(sort.suggest_scale(16, spread=1.0), color="0.5", linestyle=":")
    panel.set_xlabel("scale")
left.set(title="mean error of sorted values", ylim=(1e-4, 2))
right.set(title="median gradient of the ranks", ylim=(1e-6, 10))
right.legend(fontsize=8)
figure.tight_layout()

# %%
# What it costs
# -------------
# Forward and backward, batch 16, as the pages were built. Networks cost their comparators, O(n log² n); what is
# shown for the matrix includes n² entries. The exact sort is `torch.sort`.


def seconds(operation, n):
    """Best of three, forward and backward."""
    items = torch.randn(16, n, generator=torch.Generator().manual_seed(n)).requires_grad_()
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        torch.autograd.grad(operation(items).square().sum(), items)
        best = min(best, time.perf_counter() - start)
    return best


COSTS = {
    "torch.sort": lambda x: x.sort(-1).values,
    "values, bitonic": lambda x: sort.soft_sort(x, sort.Bitonic(Cauchy(0.1))),
    "matrix, bitonic": lambda x: sort.soft_argsort(x, sort.Bitonic(Cauchy(0.1))),
    "values, SoftSort p=1": lambda x: sort.soft_sort(x, sort.SoftSort(0.1)),
    "ranks, projection": lambda x: sort.soft_rank(x, sort.Projection("l2", strength=0.1)),
    "matrix, NeuralSort": lambda x: sort.soft_argsort(x, sort.NeuralSort(1.0)),
}
sizes = [8, 16, 32, 64, 128, 256, 512, 1024]
figure, panel = plt.subplots(figsize=(7, 4))
for name, operation in COSTS.items():
    few = [n for n in sizes if n <= (256 if "matrix" in name else 1024)]
    panel.loglog(few, [1e3 * seconds(operation, n) for n in few], marker="o", markersize=3, label=name)
panel.set(xlabel="items", ylabel="ms")
panel.legend(fontsize=8)
figure.tight_layout()

# %%
# Very many items
# ---------------
# With ``p=1`` SoftSort needs two passes over the sorted items, forwards and backwards, for its values, its ranks and
# their gradients: O(n log n) time for the sort, O(n) memory. The dense formula (grey) is quadratic in both.

figure, panel = plt.subplots(figsize=(7, 4))
many = [10**3, 10**4, 10**5, 10**6]
few = [250, 500, 1000, 2000]


def single(operation, n):
    """Best of three for one row of n items, forward and backward, in ms."""
    items = torch.randn(n, generator=torch.Generator().manual_seed(n)).requires_grad_()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        torch.autograd.grad(operation(items).square().sum(), items)
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


linear = sort.SoftSort(0.1)
panel.loglog(many, [single(lambda x: sort.soft_sort(x, linear), n) for n in many], marker="o", label="values")
panel.loglog(many, [single(lambda x: sort.soft_rank(x, linear), n) for n in many], marker="o", label="ranks")
panel.loglog(
    few, [single(lambda x: sort.soft_argsort(x, linear) @ x, n) for n in few], marker="o", color="0.6", label="dense"
)
panel.set(xlabel="items", ylabel="ms, forward and backward")
panel.legend(fontsize=8)
figure.tight_layout()
