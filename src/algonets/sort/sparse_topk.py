"""Sparse soft top-k: the regularised linear program over all choices of ``k`` items."""

from typing import Any, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets.sort.hard import Hard
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["SparseTopK"]


class _HardMagnitude(SortMethod):
    """The exact choice of the largest magnitudes."""

    abilities = frozenset({"mask"})

    def mask(self, x: Tensor, k: Tensor, largest: bool) -> Tensor:
        return Hard().mask(x.abs(), k, largest)


@final
class SparseTopK(SortMethod):
    r"""Sparse top-k: most of the mask is exactly 0 or 1, and yet it moves with the items.

    ``m = argmax { <x, m> - strength (1 / p) sum m_i^p : 0 <= m_i <= 1, sum m_i = k }``, that is
    ``m_i = clip(((x_i - t) / strength)_+^(1 / (p - 1)), 0, 1)`` with the threshold ``t`` that makes them sum to ``k``,
    which may be real. ``p = 2`` projects on the ``k``-subsets: piecewise linear, with kinks; ``p = 4/3`` has no kinks.
    For the mask, the isotonic regression of the paper has one pool, so that ``t`` is all there is to find.

    With ``magnitude`` the mask is that of ``x^2 / 2``: the ``k`` largest magnitudes. The relaxed values in magnitude
    of the paper, dense and sparse, are ``x`` times the mask.

    Args:
        strength: positive float, or a positive tensor of one element that may need a gradient; in the units of ``x``
            (of ``x^2`` with ``magnitude``).
        p: in (1, 2].
        magnitude: choose by magnitude.

    Raises:
        TypeError: if ``strength`` or ``p`` are no numbers.
        ValueError: if ``strength`` is not positive and finite, or ``p`` outside (1, 2].

    Differentiability: piecewise linear for ``p = 2``; for ``p < 2`` once everywhere and any order between the
        thresholds; zero where the mask is 0 or 1.
    Cost: O(n) a step of a bisection of 2 x 80 steps, O(n) memory. Computed in float64.
    References: Sander, Puigcerver, Djolonga, Peyre, Blondel 2023, Fast, Differentiable and Sparse Top-k: a Convex
        Analysis Perspective, sections 4 and 5.

    Example:
        >>> from algonets.sort import soft_topk
        >>> x = torch.tensor([3.0, -1.0, 0.8, -2.0])
        >>> soft_topk(x, 2, SparseTopK(2.0), output="mask")
        tensor([1.0000, 0.0500, 0.9500, 0.0000])
        >>> x * soft_topk(x, 3, SparseTopK(0.5, magnitude=True), output="mask")
        tensor([ 3.0000, -0.6800,  0.2560, -2.0000])
    """

    abilities = frozenset({"mask"})
    properties = Properties(False, False, False, False, True, "p = 2: piecewise linear; p < 2: once", "O(n)")

    def __init__(self, strength: float | Tensor = 1.0, p: float = 2.0, *, magnitude: bool = False):
        self.strength = scalar_scale("SparseTopK(strength)", strength)
        if isinstance(p, bool) or not isinstance(p, int | float):
            reject_type("SparseTopK(p)", "must be a number", p)
        require(1 < p <= 2, "SparseTopK(p)", "must be above 1 and at most 2", p)
        self.p = float(p)
        self.magnitude = bool(magnitude)
        if magnitude:
            self._exact = _HardMagnitude()

    def mask(self, x: Tensor, k: Tensor, largest: bool) -> Tensor:
        """Soft membership of the ``k`` largest or smallest items (or magnitudes)."""
        return super().mask(0.5 * x.square() if self.magnitude else x, k, largest)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        strength = torch.as_tensor(self.strength, dtype=torch.float64, device=x.device).reshape(())
        scaled, power = x.to(torch.float64) / strength, 1 / (self.p - 1)
        threshold: Tensor = _Threshold.apply(scaled, k.to(torch.float64), power)  # pyright: ignore[reportAssignmentType]
        return _member(scaled - threshold.unsqueeze(-1), power).to(x.dtype)


def _member(z: Tensor, power: float) -> Tensor:
    return z.clamp(0, 1) ** power


def _slope(z: Tensor, power: float) -> Tensor:
    inside = (z > 0) & (z < 1)
    return torch.where(inside, power * torch.where(inside, z, 0.5) ** (power - 1), 0.0)


class _Threshold(torch.autograd.Function):
    """``t`` with ``sum_i member(z_i - t) = k``; of an interval of them, its middle."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, k: Tensor, power: float) -> Tensor:
        start, end = z.amin(-1) - 1, z.amax(-1)  # n members, and none
        ends = []
        for last in (False, True):
            low, high = start, end
            for _ in range(80):
                middle = 0.5 * (low + high)
                total = _member(z - middle.unsqueeze(-1), power).sum(-1)
                below = total >= k if last else total > k
                low, high = torch.where(below, middle, low), torch.where(below, high, middle)
            ends.append(0.5 * (low + high))
        return 0.5 * (ends[0] + ends[1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.power = inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        z, threshold = ctx.saved_tensors
        slopes = _slope(z - threshold.unsqueeze(-1), ctx.power)
        total = slopes.sum(-1)
        share = gradient / torch.where(total > 0, total, 1.0)  # a mask of zeros and ones does not move
        return share.unsqueeze(-1) * slopes, torch.where(total > 0, -share, 0.0), None
