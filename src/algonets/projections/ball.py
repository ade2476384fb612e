"""Projection onto a Euclidean ball: shortening."""

import torch
from torch import Tensor

from algonets._core.checks import as_scale, check_floating

__all__ = ["project_ball"]


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
    if x.numel() == 0:
        return x.clone()
    # Squares of large numbers would overflow, in float16 from 256 on.
    scale = x.detach().abs().amax(-1, keepdim=True).clamp_min(1.0)
    scaled = x / scale
    square = scaled.square().sum(-1, keepdim=True)
    outside = square.detach().sqrt() * scale > radius
    length = torch.where(outside, square, 1.0).sqrt()
    return torch.where(outside, scaled * (radius / length), x)
