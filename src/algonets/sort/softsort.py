"""SoftSort: one softmax a rank over the distances to the sorted items; in linear memory where p is 1."""

import numbers
from typing import final

import torch
from torch import Tensor

from algonets._core.backend import use_native
from algonets._core.errors import reject_type, require
from algonets.sort import _softsort_native as kernels
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["SoftSort"]


@final
class SoftSort(SortMethod):
    """SoftSort: each rank is a softmax over the items, by their distance to the item that has the rank.

    ``P[i, :] = softmax(-|s_i - x|^p / temperature)``, ``s`` being the sorted items. Ranks and masks are averages over
    the places, one softmax an item: ``rank(x_j) = sum_i i exp(-|s_i - x_j|^p / temperature) / sum_i exp(...)``, so
    ranks lie in 1 to ``n`` and masks in 0 to 1.

    With ``p = 1`` on the CPU the matrix is never built for values, ranks, masks and payloads: in sorted order the
    sums under ``exp(-|s_i - s_j| / temperature)`` are two first-order recurrences, exactly. Elsewhere (and for second
    derivatives) all is dense.

    Args:
        temperature: positive float, or a positive tensor of one element that may need a gradient; in the units of
            ``x`` to the power ``p``.
        p: at least 1.

    Raises:
        TypeError: if ``temperature`` or ``p`` is of the wrong type.
        ValueError: if ``temperature`` is not positive and finite, or not a single value; if ``p`` is less than 1 or
            not finite.

    Differentiability: any order for even ``p``; else kinks at ties (one of the one-sided derivatives).
    Cost: ``p = 1``: O(n log n) time, O(n) memory natively, O(n d) more for a payload. Else O(n^2).
    References: Prillo, Eisenschlos 2020, SoftSort: A Continuous Relaxation for the argsort Operator, eq. 4.

    Example:
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), SoftSort(0.01))
        tensor([1., 2., 3.])
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = Properties(
        True, False, False, False, False, "any order, kinks at ties", "O(n log n), memory O(n) (p = 1); O(n^2)"
    )

    def __init__(self, temperature: float | Tensor = 1.0, p: float = 1.0):
        self.temperature = scalar_scale("SoftSort(temperature)", temperature)
        if isinstance(p, bool) or not isinstance(p, numbers.Real):
            reject_type("SoftSort(p)", "must be a number", p)
        require(1 <= float(p) < float("inf"), "SoftSort(p)", "must be at least 1: below, gradients have poles", p)
        self.p = float(p)

    def _linear(self, call: str, x: Tensor, *others: Tensor) -> bool:
        return self.p == 1 and use_native(call, x, *others)

    def _matrix(self, x: Tensor) -> Tensor:
        return torch.softmax(self._scores(x), -1)

    def _scores(self, x: Tensor) -> Tensor:
        """``-|s_i - x_j|^p / temperature``."""
        difference = torch.sort(x, dim=-1, stable=True).values.unsqueeze(-1) - x.unsqueeze(-2)
        if self.p == 1:
            distance = difference.abs()
        elif self.p == 2:
            distance = difference.square()
        else:  # s_i is an item: some distances are 0, where higher derivatives of a power have poles
            zero = difference == 0
            distance = torch.where(zero, 0.0, torch.where(zero, 1.0, difference).abs().pow(self.p))
        return -distance / self.temperature

    def _sorted(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Items in order, their order, and the distances of neighbours in units of the temperature."""
        s, order = torch.sort(x, dim=-1, stable=True)
        return s, order, (s.diff(dim=-1) / self.temperature).to(x.dtype)

    def _sort(self, x: Tensor) -> Tensor:
        if not self._linear("soft_sort", x):
            return super()._sort(x)
        s, _, gap = self._sorted(x)
        return kernels.smooth(gap, s.unsqueeze(-1)).squeeze(-1)

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        if not self._linear("sort_with", x, payload):
            return super()._apply(x, payload)
        s, order, gap = self._sorted(x)
        moved = payload.gather(1, order.unsqueeze(-1).expand_as(payload))
        both = kernels.smooth(gap, torch.cat([s.unsqueeze(-1), moved], -1))
        return both[..., 0], both[..., 1:]

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        if not self._linear("soft_topk", x, by_rank):
            return super()._collect(x, by_rank)
        _, order, gap = self._sorted(x)
        handed = kernels.collect(gap, by_rank)
        return torch.zeros_like(handed).scatter(1, order.unsqueeze(-1).expand_as(handed), handed)

    def _rank(self, x: Tensor) -> Tensor:
        places = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
        return self._average("soft_rank", x, places.expand_as(x))

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        from_top = torch.arange(x.shape[1] - 1, -1, -1, dtype=x.dtype, device=x.device)
        return self._average("soft_topk", x, (k[:, None] - from_top).clamp(0, 1))

    def _average(self, call: str, x: Tensor, by_rank: Tensor) -> Tensor:
        """Average over the places what lies there, ``(B, n)``, one softmax an item."""
        if not self._linear(call, x, by_rank):
            return (torch.softmax(self._scores(x), -2).mT @ by_rank.unsqueeze(-1)).squeeze(-1)
        _, order, gap = self._sorted(x)
        averages = kernels.smooth(gap, by_rank.unsqueeze(-1)).squeeze(-1)
        return torch.zeros_like(averages).scatter(-1, order, averages)
