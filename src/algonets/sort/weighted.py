"""Weights: sorted items as a step function of the cumulative weight, cut into equal shares."""

import torch
from torch import Tensor

__all__ = ["equal_shares", "equal_shares_matrix"]


def _knots(weights: Tensor) -> Tensor:
    """Cumulative weights ``(B, n + 1)`` from 0 to n, in double."""
    cumulative = weights.to(torch.float64).cumsum(-1)
    n = weights.shape[-1]
    inner = n * cumulative / cumulative[:, -1:]
    return torch.nn.functional.pad(inner, (1, 0))


def equal_shares(values: Tensor, weights: Tensor) -> Tensor:
    """Averages ``(B, n)`` of sorted ``values`` over ``n`` equal shares of their weight, both ``(B, n)``.

    The integral of the values over the weight is piecewise linear; each share takes its increase. O(n log n).
    """
    n = values.shape[-1]
    knots = _knots(weights)
    wide = values.to(torch.float64)
    integral = torch.nn.functional.pad((wide * knots.diff(dim=-1)).cumsum(-1), (1, 0))
    ends = torch.arange(1, n, dtype=torch.float64, device=values.device).expand(values.shape[0], n - 1)
    piece = (torch.searchsorted(knots.detach(), ends.contiguous()) - 1).clamp(0, n - 1)
    at_ends = integral.gather(1, piece) + wide.gather(1, piece) * (ends - knots.gather(1, piece))
    whole = torch.cat([torch.zeros_like(integral[:, :1]), at_ends, integral[:, -1:]], -1)
    return whole.diff(dim=-1).to(values.dtype)


def equal_shares_matrix(weights: Tensor) -> Tensor:
    """``T`` with ``T @ values`` equal to :func:`equal_shares`, ``(B, n, n)``: overlaps of shares and items."""
    n = weights.shape[-1]
    knots = _knots(weights)
    start = torch.arange(n, dtype=torch.float64, device=weights.device)[:, None]
    lower, upper = knots[:, None, :-1], knots[:, None, 1:]
    overlap = torch.minimum(upper, start + 1) - torch.maximum(lower, start)
    return overlap.clamp_min(0).to(weights.dtype)
