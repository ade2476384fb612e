"""Projection onto the ball of the 1-norm."""

import torch
from torch import Tensor

from algonets._core.checks import as_scale, check_floating
from algonets._core.errors import require
from algonets.projections._threshold import thresholded

__all__ = ["project_l1_ball"]


def project_l1_ball(x: Tensor, radius: float | Tensor = 1.0) -> Tensor:
    r"""Project onto the ball of the 1-norm, ``sum |y_i| <= radius``: shrink what is too large, to exact zeros.

    .. math:: y = \mathrm{sign}(x) \max(|x| - \tau, 0)

    Args:
        x: ``(*batch, n)`` with ``n >= 1``.
        radius: Positive, a number or a tensor that broadcasts against ``(*batch,)``.

    Returns:
        ``(*batch, n)``; ``x`` itself where it lies inside.

    Raises:
        TypeError, ValueError: ``x`` is no floating tensor, or has no entry; ``radius`` is not positive.

    Differentiability: almost everywhere, piecewise linear, also in the radius.
    Cost: a sort, O(n log n), memory O(n).
    References: J. Duchi et al. 2008, Efficient Projections onto the l1-Ball, section 4.

    Example:
        >>> project_l1_ball(torch.tensor([2.0, -1.5, 0.1]))
        tensor([ 0.7500, -0.2500,  0.0000])
    """
    check_floating("project_l1_ball(x)", x)
    radius = as_scale("project_l1_ball(radius)", radius)
    require(
        x.ndim > 0 and x.shape[-1] > 0, "project_l1_ball(x)", "must have at least one entry in its last dimension", x
    )
    radius = radius.unsqueeze(-1) if isinstance(radius, Tensor) else x.new_full((1,), radius)
    size = x.abs()
    inside = size.detach().sum(-1, keepdim=True) <= radius.detach()
    return torch.where(inside, x, x.sign() * thresholded(size, radius, 2.0))
