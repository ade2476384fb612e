"""
How estimators see a solver
===========================

A solver is piecewise constant: its gradient is zero, except at ties, where there is none. Each layer of
``algonets.gradients`` replaces it by something smoother. Here is what they see of the same solver, and how good their
gradients are at equal numbers of calls.
"""

# %%
# One score moves
# ---------------
# An argmax of three items; the score of the first item moves from -2 to 2, the others stay at 0 and 0.5. Above is
# the first entry of the solution, below the gradient that each layer gives to the score.

import matplotlib.pyplot as plt
import torch

from algonets.distributions import Gaussian
from algonets.gradients import FrankWolfe, Identity, ImplicitMLE, Interpolated, Perturbed, SumOfGamma, compare
from algonets.gradients.diagnosis import draw

plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})


def argmax(theta):
    """The indicator of the best item."""
    return torch.zeros_like(theta).scatter(-1, theta.argmax(-1, keepdim=True), 1.0)


first = torch.linspace(-2, 2, 201)
theta = torch.stack([first, torch.zeros(201), torch.full((201,), 0.5)], -1)
layers = {
    "exact (20000 samples)": Perturbed(argmax, Gaussian(0.5), 20000, step=0.2),
    "Perturbed, score, 10 samples": Perturbed(argmax, Gaussian(0.5), 10, "score"),
    "Perturbed, difference, 3 samples": Perturbed(argmax, Gaussian(0.5), 3),
    "ImplicitMLE, 3 samples": ImplicitMLE(argmax, 3, 1.0, SumOfGamma(1, 0.5)),
    "Interpolated": Interpolated(argmax, 1.0),
    "Identity, mean": Identity(argmax, "mean"),
    "FrankWolfe": FrankWolfe(argmax, 1.0),
}
generator = torch.Generator().manual_seed(0)
figure, axes = plt.subplots(2, len(layers), figsize=(14, 4.2), layout="constrained", sharex=True, sharey="row")
for column, (name, layer) in enumerate(layers.items()):
    given = theta.clone().requires_grad_()
    y = layer(given, generator=generator)
    y[:, 0].sum().backward()
    color = "0.4" if column == 0 else f"C{column - 1}"
    axes[0, column].plot(first, y[:, 0].detach(), color=color, lw=1.2)
    axes[1, column].plot(first, given.grad[:, 0], color=color, lw=1.2)
    axes[0, column].set_title(name.replace(", ", ",\n", 1), fontsize=9)
    axes[1, column].axvline(0.5, color="0.8", lw=0.8, zorder=0)
axes[0, 0].set_ylabel("first entry of y")
axes[1, 0].set_ylabel("its gradient")
axes[1, len(layers) // 2].set_xlabel("score of the first item")
plt.show()

# %%
# The exact curve is a smooth step at the score of the best other item, 0.5. ``Interpolated`` and ``Identity`` return
# hard solutions: the first has a gradient only near the tie, of constant size; the second has the same gradient
# everywhere. ``FrankWolfe`` is smooth without noise.
#
# Equal calls
# -----------
# The cosine between one estimate and the exact gradient, for an argmax of ten items and random incoming gradients.
# Calls of the solver are counted forward and backward. Differences by common random numbers need three calls a sample
# and are worth it.

theta = torch.randn(60, 10, generator=generator)
found = compare(argmax, theta, (2, 3, 6, 10, 20, 50), repeats=3, generator=generator)
figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
draw(axis, found)
plt.show()
