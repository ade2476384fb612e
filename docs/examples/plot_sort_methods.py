"""
Relaxed sorts: values and gradients
===================================

Four items stand still and one moves. A sort of them is piecewise linear in the mover, and its rank is a staircase;
each method of :mod:`algonets.sort` smooths them in its own way. The pictures show what comes forward and, below it,
the gradient that a network would get.
"""

# %%
# One item moves through four others
# ----------------------------------
# The others lie at -2, -1, 1 and 2. The scale is the same everywhere, one quarter of the distance between neighbours;
# NeuralSort's scores grow with n, so that its temperature is larger.

import matplotlib.pyplot as plt
import torch

from algonets import sort
from algonets.distributions import Cauchy, Logistic, Optimal

plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})

METHODS = {
    "network, logistic": sort.OddEven(Logistic(0.25)),
    "network, Cauchy": sort.OddEven(Cauchy(0.25)),
    "network, optimal": sort.OddEven(Optimal(0.25)),
    "NeuralSort": sort.NeuralSort(1.0),
    "SoftSort": sort.SoftSort(0.25),
    "Projection l2": sort.Projection("l2", strength=0.25),
    "LapSum": sort.LapSum(0.25),
}
place = torch.linspace(-3, 3, 601, dtype=torch.float64)
others = torch.tensor([-2.0, -1.0, 1.0, 2.0], dtype=torch.float64)


def curve(operation):
    """A number that depends on the moving item, and its derivative."""
    moving = place.clone().requires_grad_()
    items = torch.cat([moving[:, None], others.expand(len(place), 4)], -1)
    value = operation(items)
    return value.detach(), torch.autograd.grad(value.sum(), moving)[0]


def grid(operation, exact, title):
    """Values above, gradients below, one column a method."""
    figure, axes = plt.subplots(2, len(METHODS), figsize=(2.1 * len(METHODS), 4.2), sharex=True, sharey="row")
    for (name, method), (above, below) in zip(METHODS.items(), axes.T, strict=True):
        value, gradient = curve(lambda items, method=method: operation(items, method))
        above.plot(place, exact, color="0.7", linewidth=1)
        above.plot(place, value, color="#b8456b")
        above.set_title(name, fontsize=10)
        below.axhline(0, color="0.7", linewidth=1)
        below.plot(place, gradient, color="#4c6fbf")
        below.set_xlabel("moving item")
    axes[0, 0].set_ylabel(title)
    axes[1, 0].set_ylabel("its gradient")
    figure.tight_layout()


exact_items = torch.cat([place[:, None], others.expand(len(place), 4)], -1)
exact_rank = 1 + (place[:, None] > others).sum(-1)
grid(lambda x, m: sort.soft_rank(x, m)[:, 0], exact_rank, "rank")

# %%
# The rank of the mover. The exact rank (grey) has no gradient at all. Networks are not symmetric in their items, as the
# wires are not: the gradient of the logistic one comes in bumps, that of the Cauchy one reaches over all neighbours.
# The projection's is zero on the flat parts and constant on the slopes: sparse.

grid(lambda x, m: sort.soft_sort(x, m)[:, 2], exact_items.sort(-1).values[:, 2], "median")

# %%
# The median. It follows the mover only between its neighbours. A gradient below zero says that the median falls when
# an item rises, which no sort does: logistic networks, the softmax methods and LapSum do this; networks with a
# *monotone* law (Cauchy, reciprocal, optimal) never do, nor does the projection.

# %%
# The matrix
# ----------
# The relaxed permutation matrix ``P[rank, item]`` of six numbers.

items = torch.tensor([0.6, -0.4, 1.3, 0.1, -1.1, 0.75])
with_matrix = {name: m for name, m in METHODS.items() if "matrix" in m.abilities}
figure, axes = plt.subplots(1, len(with_matrix) + 1, figsize=(2.0 * (len(with_matrix) + 1), 2.4))
for panel, (name, method) in zip(axes, {"exact": sort.Hard(), **with_matrix}.items(), strict=True):
    panel.imshow(sort.soft_argsort(items, method), cmap="magma", vmin=0, vmax=1)
    panel.set(title=name, xlabel="item", xticks=range(6), yticks=range(6))
    panel.title.set_fontsize(10)
axes[0].set_ylabel("rank")
figure.tight_layout()

# %%
# Rows sum to 1 for all of them, columns only for the networks and for LapSum: with the others, one item may be counted
# twice and another be lost.
