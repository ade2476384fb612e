"""Convolution by trees of gates: the plain-torch reference, and the choice of the kernel.

``x (B, C, H, W)`` is padded already; ``leaves (K, 2^depth)`` are offsets into a flat padded image, at output position
(0, 0); ``coefficients (K, 2^depth - 1, 4)`` those of the gates, level by level from the leaves. The result is
``(B, K, H', W')``, the largest of each ``pool x pool`` window.
"""

import torch
from torch import Tensor
from torch.nn import functional

from algonets._core.backend import use_native
from algonets.logic._stack import plain

__all__ = ["reference", "trees"]


def reference(x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int) -> Tensor:
    """Gather the leaves of all positions, then combine them level by level."""
    rows = torch.arange(height, device=x.device) * x.shape[-1]
    position = (rows[:, None] + torch.arange(width, device=x.device)).flatten()
    h = x.flatten(1)[:, leaves.long()[:, :, None] + position]  # (B, K, leaves, positions)
    start = 0
    while h.shape[2] > 1:
        a, b = h[:, :, 0::2], h[:, :, 1::2]
        c0, c1, c2, c3 = coefficients[:, start : start + a.shape[2]].unsqueeze(-1).unbind(2)
        h = torch.addcmul(torch.addcmul(c0, c1, a), torch.addcmul(c2, c3, a), b)
        start += a.shape[2]
    y = h.squeeze(2).unflatten(-1, (height, width))
    return functional.max_pool2d(y, pool) if pool > 1 else y


def trees(x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int) -> Tensor:
    """Run the trees on whichever backend has them."""
    small = leaves.shape[1] in (2, 4, 8, 16) and pool <= 15
    runs = small and x.shape[0] and not x.is_cuda and not plain(x, coefficients)
    if runs and use_native("LogicConv2d(x)", x, coefficients):
        from algonets.logic import _trees_native

        return _trees_native.trees(x, leaves, coefficients, height, width, pool)
    return reference(x, leaves, coefficients, height, width, pool)
