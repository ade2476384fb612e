"""Projections onto simple convex sets, for ``argmin(project=...)``."""

import torch
from torch import Tensor

from algonets._core.checks import as_scale, check_floating
from algonets._core.errors import reject

__all__ = ["project_ball", "project_box", "project_simplex"]


def project_simplex(x: Tensor, total: float | Tensor = 1.0) -> Tensor:
    r"""Project onto the simplex, ``y >= 0`` with ``sum y = total``: sort, and shift by a threshold.

    .. math:: y = \max(x - \tau, 0), \quad \sum_i y_i = \mathrm{total}

    Args:
        x: ``(*batch, n)`` with ``n >= 1``.
        total: Positive, a number or a tensor that broadcasts against ``(*batch,)``.

    Returns:
        ``(*batch, n)``, entries outside the support exactly 0.

    Raises:
        TypeError, ValueError: ``x`` is no floating tensor, or has no entry; ``total`` is not positive.

    Differentiability: almost everywhere, piecewise linear: on the support the gradient loses its mean.
    Cost: a sort, O(n log n), memory O(n).
    References: J. Duchi et al. 2008, Efficient Projections onto the l1-Ball, figure 1.

    Example:
        >>> project_simplex(torch.tensor([0.5, 1.5, 0.0]))
        tensor([0., 1., 0.])
    """
    check_floating("project_simplex(x)", x)
    total = as_scale("project_simplex(total)", total)
    if x.ndim == 0 or x.shape[-1] == 0:
        reject("project_simplex(x)", "must have at least one entry in its last dimension", x)
    total = total.unsqueeze(-1) if isinstance(total, Tensor) else total
    ordered = x.detach().sort(-1, descending=True).values
    count = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
    size = ((ordered - (ordered.cumsum(-1) - total) / count) > 0).sum(-1, keepdim=True).clamp_min(1)
    # The threshold again from the support, with gradients: a sum instead of a sort.
    smallest = ordered.gather(-1, size - 1)
    support = ~(x.detach() < smallest)  # a NaN reaches its whole example
    tau = (torch.where(support, x, 0.0).sum(-1, keepdim=True) - total) / support.sum(-1, keepdim=True)
    return torch.where(support, (x - tau).clamp_min(0), 0.0)


def project_box(x: Tensor, lower: float | Tensor, upper: float | Tensor) -> Tensor:
    """Project onto a box, ``lower <= y <= upper``: clamp each entry.

    Args:
        x: Any shape.
        lower, upper: Numbers or tensors that broadcast against ``x``; infinite where there is no bound.

    Returns:
        The shape of ``x``; the lower bound wins where the bounds cross.

    Raises:
        TypeError: ``x`` is no floating tensor.

    Differentiability: almost everywhere, piecewise linear, also in the bounds.
    Cost: O(n).
    References: S. Boyd, L. Vandenberghe, Convex Optimization, 2004, section 8.1.

    Example:
        >>> project_box(torch.tensor([-1.0, 0.5, 3.0]), 0.0, 1.0)
        tensor([0.0000, 0.5000, 1.0000])
    """
    check_floating("project_box(x)", x)
    upper = torch.as_tensor(upper, dtype=x.dtype, device=x.device)
    lower = torch.as_tensor(lower, dtype=x.dtype, device=x.device)
    return torch.maximum(torch.minimum(x, upper), lower)


def project_ball(x: Tensor, radius: float | Tensor = 1.0) -> Tensor:
    r"""Project onto a Euclidean ball around 0: shorten what is too long.

    .. math:: y = x \min(1, \mathrm{radius} / \|x\|)

    Args:
        x: ``(*batch, n)``.
        radius: Positive, a number or a tensor that broadcasts against ``(*batch,)``.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError, ValueError: ``x`` is no floating tensor; ``radius`` is not positive.

    Differentiability: any order off the sphere.
    Cost: O(n).
    References: S. Boyd, L. Vandenberghe, Convex Optimization, 2004, section 8.1.

    Example:
        >>> project_ball(torch.tensor([3.0, 4.0]))
        tensor([0.6000, 0.8000])
    """
    check_floating("project_ball(x)", x)
    radius = as_scale("project_ball(radius)", radius)
    radius = radius.unsqueeze(-1) if isinstance(radius, Tensor) else radius
    square = x.square().sum(-1, keepdim=True)
    outside = square > radius**2
    length = torch.where(outside, square, 1.0).sqrt()
    return torch.where(outside, x * (radius / length), x)
