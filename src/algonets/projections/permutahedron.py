"""Projection onto the permutahedron: all permutations of a vector, and what lies between them."""

import torch
from torch import Tensor

from algonets._core.backend import use_native
from algonets._core.checks import check_finite, check_floating, check_same_kind
from algonets._core.errors import require
from algonets._core.shapes import broadcast_batch, flatten_batch
from algonets.projections import _isotonic as reference
from algonets.projections import _isotonic_native as kernels
from algonets.projections._isotonic import SQUARES

__all__ = ["project_permutahedron"]


def project_permutahedron(x: Tensor, w: Tensor) -> Tensor:
    r"""Project onto the permutahedron of a vector: the convex hull of its permutations, by isotonic regression.

    .. math:: y = \arg\min_{y \in P(w)} \|y - x\|^2, \quad P(w) = \mathrm{conv} \{ w_\sigma : \sigma \}

    ``w = (n, ..., 1)`` gives soft ranks, ones and zeros a soft top-k: see ``algonets.sort``, which adds a strength and
    other divergences.

    Args:
        x: ``(*batch, n)``.
        w: ``(n,)`` or ``(*batch, n)``, in any order.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError: an argument is no floating tensor, or they differ in dtype.
        ValueError: the shapes do not fit; NaN or infinities.

    Differentiability: almost everywhere, piecewise linear, in both: within a block of the regression the gradient
        to ``x`` loses its mean, that to ``w`` is the mean.
    Cost: O(n log n), memory O(n).
    References: M. Blondel et al. 2020, Fast Differentiable Sorting and Ranking, proposition 3 and 4.

    Example:
        >>> project_permutahedron(torch.tensor([5.0, 1.0, 1.2]), torch.tensor([1.0, 2.0, 3.0]))
        tensor([3.0000, 1.4000, 1.6000])
    """
    check_floating("project_permutahedron(x)", x)
    check_floating("project_permutahedron(w)", w)
    require(x.ndim >= 1, "project_permutahedron(x)", "must have shape (*batch, n)", x)
    check_same_kind("project_permutahedron(w)", w, x, "x")
    fits = w.ndim >= 1 and w.shape[-1] == x.shape[-1]
    require(fits, "project_permutahedron(w)", f"must have shape (n,) or (*batch, n) with n = {x.shape[-1]}", w)
    check_finite("project_permutahedron(x)", x)
    check_finite("project_permutahedron(w)", w)
    if x.shape[-1] == 0:
        return x.clone()
    batch = torch.broadcast_shapes(x.shape[:-1], w.shape[:-1])
    both = [broadcast_batch("project_permutahedron", t, batch, 1) for t in (x, w)]
    flat, targets = (flatten_batch(t, 1) for t in both)
    if x.dtype.itemsize < 4:
        flat, targets = flat.float(), targets.float()
    targets = targets.sort(-1, descending=True).values
    compute = kernels.project if use_native("project_permutahedron(x)", flat, targets) else reference.project
    return compute(flat, targets, 1.0, SQUARES, 1.0).reshape(both[0].shape).to(x.dtype)
