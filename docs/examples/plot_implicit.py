"""
Equations as layers
===================

A layer can be defined by what its output satisfies: :math:`z = f(z, \\theta)`. Which solver finds z, and how z is
differentiated, are then two separate choices. This page shows what the second one costs, and where a cheap answer is
wrong.
"""

# %%
# One equilibrium, many backwards
# -------------------------------
# A recurrent layer ``z = tanh(W z + x)`` is iterated until it settles. :class:`algonets.implicit.Implicit`
# differentiates the equation; :class:`algonets.implicit.Unroll` goes back through every iteration.

import warnings

import matplotlib.pyplot as plt
import torch

from algonets.implicit import Implicit, OneStep, Picard, Truncated, Unroll, contraction_rate, fixed_point

COLOURS = ["#4c6fbf", "#d9902f", "#3d9970", "#b8456b"]
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})
warnings.simplefilter("ignore")  # of the bias that this page is about

generator = torch.Generator().manual_seed(0)
direction = torch.randn(64, 64, generator=generator, dtype=torch.float64) / 8
x = torch.randn(16, 64, generator=generator, dtype=torch.float64)


def solve(weight, **settings):
    """Return the equilibrium of the layer."""
    return fixed_point(lambda z: torch.tanh(z @ weight.T + x), torch.zeros_like(x), **settings)


def gradient(weight, backward):
    """Return the gradient of the mean square of the equilibrium."""
    weight = weight.clone().requires_grad_()
    value = solve(weight, backward=backward, tolerance=1e-10, max_iterations=2000).value
    return torch.autograd.grad(value.square().mean(), weight)[0]


def saved(backward, iterations):
    """Return the MiB that autograd keeps after some iterations."""
    sizes = []
    weight = (0.6 * direction).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.nbytes) or t, lambda t: t):
        solve(
            weight, solver=Picard(), backward=backward, tolerance=1e-300, max_iterations=iterations, on_failure="mask"
        )
    return sum(sizes) / 2**20


# %%
# Memory
# ------
# Unrolling stores every iteration. The implicit backward stores two steps, whatever the number of iterations: the
# depth is free.

depths = [5, 10, 20, 50, 100, 200]
figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
for backward, colour in ((Unroll(), COLOURS[3]), (Implicit(), COLOURS[0])):
    name = type(backward).__name__
    axes.loglog(depths, [saved(backward, n) for n in depths], "o-", lw=2.5, color=colour, label=name)
axes.set(xlabel="iterations", ylabel="saved memory, MiB")
axes.legend(frameon=False)
plt.show()

# %%
# Where one step is biased
# ------------------------
# ``OneStep`` differentiates the last iteration only, ``Truncated(k)`` the last k. They leave out a part of about
# :math:`\rho` and :math:`\rho^k` of the gradient, with :math:`\rho` the rate at which the step contracts. Where it
# contracts fast, one step will do; where it hardly does, even ten are far off. algonets estimates the rate and warns.

scales = [0.1, 0.3, 0.5, 0.8, 1.1, 1.4]
rates = [float(contraction_rate(lambda z, w=s * direction: torch.tanh(z @ w.T + x), solve(s * direction).value).max())
         for s in scales]  # fmt: skip
exact = [gradient(s * direction, Implicit()) for s in scales]
figure, axes = plt.subplots(figsize=(10, 3.6), layout="constrained")
shortened = ((OneStep(), "OneStep()"), (Truncated(3), "Truncated(3)"), (Truncated(10), "Truncated(10)"))
for (backward, name), colour in zip((*shortened, (Unroll(), "Unroll()")), COLOURS, strict=True):
    pairs = zip(scales, exact, strict=True)
    errors = [float((gradient(s * direction, backward) - truth).norm() / truth.norm()) for s, truth in pairs]
    axes.semilogy(rates, errors, "o-", lw=2.5, color=colour, label=name)
axes.set(xlabel=r"contraction rate $\rho$", ylabel="relative error of the gradient")
axes.legend(frameon=False, ncols=2)
plt.show()

# sphinx_gallery_thumbnail_number = 2

# %%
# Where to go on: :mod:`algonets.implicit` lists solvers and backwards; :func:`algonets.implicit.argmin` and
# :func:`algonets.implicit.quadratic_program` do the same for minimisers.
