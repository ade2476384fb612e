"""Sums of Laplace kernels over sorted points in O(n log n): what LapSum is made of.

Everything is a sum of ``exp(-distance)`` over points on one side of a place, which a linear recurrence along the
sorted points gives without a product that could overflow. Distances are in units of the scale.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["asinh_exp", "kernel_sums", "one_sided", "recurrence"]


class _Recurrence(torch.autograd.Function):
    """``y_j = w_j + r_j y_{j-1}``; its adjoint is the same recurrence backwards, so memory stays O(n d)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rates: Tensor, w: Tensor) -> Tensor:
        y, rates, step = w.clone(), rates.clone(), 1
        while step < y.shape[1]:  # after each pass, y_j holds the 2 * step last terms
            y[:, step:] = y[:, step:] + rates[:, step:, None] * y[:, :-step]
            rates[:, step:] = rates[:, step:] * rates[:, :-step]
            step *= 2
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        rates, y = ctx.saved_tensors
        carried = torch.cat([torch.zeros_like(rates[:, :1]), rates[:, 1:].flip(1)], 1)
        to_w = recurrence(carried, gradient.flip(1)).flip(1)
        before = torch.cat([torch.zeros_like(y[:, :1]), y[:, :-1]], 1)
        return (to_w * before).sum(-1), to_w


def recurrence(rates: Tensor, w: Tensor) -> Tensor:
    """``y_j = w_j + rates_j y_{j-1}`` along the second dimension, the first rate being unused.

    Args:
        rates: ``(B, n)``, in [0, 1].
        w: ``(B, n, d)``.

    Returns:
        ``(B, n, d)``. Any order; O(n d log n) time, O(n d) memory.
    """
    return _Recurrence.apply(rates, w)  # pyright: ignore[reportReturnType]


def one_sided(points: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Sum ``w_j exp(-|point_i - point_j|)`` over ``j <= i``, and over ``j >= i``.

    Args:
        points: ``(B, n)``, ascending, in units of the scale.
        w: ``(B, n, d)``.

    Returns:
        Two ``(B, n, d)``. Any order; cost of :func:`recurrence`.
    """
    rates = torch.exp(-points.diff(dim=1))
    zero = torch.zeros_like(points[:, :1])
    upward = recurrence(torch.cat([zero, rates], 1), w)
    downward = recurrence(torch.cat([zero, rates.flip(1)], 1), w.flip(1)).flip(1)
    return upward, downward


def kernel_sums(points: Tensor, w: Tensor, places: Tensor, equal_before: bool) -> tuple[Tensor, Tensor]:
    """Sum ``w_j exp(-|place - point_j|)`` over the points before each place, and over those beyond it.

    Args:
        points: ``(B, n)``, ascending, in units of the scale.
        w: ``(B, n, d)``.
        places: ``(B, m)``, in any order.
        equal_before: Whether a point equal to the place is before or beyond it.

    Returns:
        Two ``(B, m, d)``. Any order; cost of :func:`recurrence`.
    """
    n = points.shape[1]
    upward, downward = one_sided(points, w)
    count = torch.searchsorted(points.detach().contiguous(), places.detach().contiguous(), right=equal_before)
    last, first = (count - 1).clamp_min(0), count.clamp_max(n - 1)

    def at_place(sums: Tensor, index: Tensor, alive: Tensor, distance: Tensor) -> Tensor:
        near = sums.gather(1, index.unsqueeze(-1).expand(*index.shape, sums.shape[-1]))
        kernel = torch.where(alive, torch.exp(-torch.where(alive, distance, 0.0)), 0.0)
        return kernel.unsqueeze(-1) * near

    before = at_place(upward, last, count > 0, places - points.gather(1, last))
    beyond = at_place(downward, first, count < n, points.gather(1, first) - places)
    return before, beyond


def asinh_exp(c: Tensor, m: Tensor) -> Tensor:
    """``asinh(c exp(m))`` where ``exp(m)`` may overflow; any order.

    The slope in ``c`` at ``c = 0`` is ``exp(m)``, held below ``exp(700)``.
    """
    huge = (m > 300) & (c != 0)  # then |c| exp(m) is far beyond the linear range of asinh
    direct = torch.asinh(torch.where(huge, 0.0, c) * torch.exp(torch.where(huge, 0.0, m).clamp_max(700)))
    safe = torch.where(huge, c, 1.0)
    return torch.where(huge, safe.sign() * (torch.log(2 * safe.abs()) + m), direct)
