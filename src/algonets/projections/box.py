"""Projection onto a box: clamping."""

import torch
from torch import Tensor

from algonets._core.checks import check_floating

__all__ = ["project_box"]


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
