"""SoftSort: one softmax a rank over the distances to the sorted items; in linear memory where p is 1."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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

    Differentiability: any order for even ``p``; else kinks at ties (there the derivative for items just apart, in
    stable order).
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

    def _places(self, call: str, x: Tensor, *others: Tensor) -> "_Places":
        """Items in order and the matrix between places, which is the same by ranks and by items."""
        s, order = torch.sort(x, dim=-1, stable=True)
        if self.p == 1 and use_native(call, x, *others):
            gap = (s.diff(dim=-1) / self.temperature).to(x.dtype)
            return _Places(s, order, partial(kernels.smooth, gap), partial(kernels.collect, gap))
        matrix = torch.softmax(-self._distance(s) / self.temperature, -1).to(x.dtype)
        return _Places(s, order, matrix.matmul, matrix.mT.matmul)

    def _distance(self, s: Tensor) -> Tensor:
        """``|s_i - s_j|^p`` of sorted items."""
        difference = s.unsqueeze(-1) - s.unsqueeze(-2)
        if self.p == 1:  # signed by place: equal neighbours have the derivative that they have just apart
            places = torch.arange(s.shape[-1], device=s.device)
            return difference * (places[:, None] - places).sign()
        if self.p == 2:
            return difference.square()
        same = difference == 0  # where the higher derivatives of a power have poles
        return torch.where(same, 0.0, torch.where(same, 1.0, difference).abs().pow(self.p))

    def _matrix(self, x: Tensor) -> Tensor:
        s, order = torch.sort(x, dim=-1, stable=True)
        matrix = torch.softmax(-self._distance(s) / self.temperature, -1)
        return torch.zeros_like(matrix).scatter(-1, order.unsqueeze(-2).expand_as(matrix), matrix)

    def _sort(self, x: Tensor) -> Tensor:
        places = self._places("soft_sort", x)
        return places.smooth(places.s.unsqueeze(-1)).squeeze(-1)

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        places = self._places("sort_with", x, payload)
        moved = payload.gather(1, places.order.unsqueeze(-1).expand_as(payload))
        both = places.smooth(torch.cat([places.s.unsqueeze(-1), moved], -1))
        return both[..., 0], both[..., 1:]

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        places = self._places("soft_topk", x, by_rank)
        return places.to_items(places.collect(by_rank))

    def _rank(self, x: Tensor) -> Tensor:
        ranks = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
        places = self._places("soft_rank", x)
        return places.to_items(places.smooth(ranks[:, None].expand(*x.shape, 1))).squeeze(-1)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        from_top = torch.arange(x.shape[1] - 1, -1, -1, dtype=x.dtype, device=x.device)
        kept = (k[:, None] - from_top).clamp(0, 1)
        places = self._places("soft_topk", x, kept)
        return places.to_items(places.smooth(kept.unsqueeze(-1))).squeeze(-1)


@dataclass
class _Places:
    """Sorted items ``(B, n)`` and their order; products of ``(B, n, d)`` with the matrix between places, transposed."""

    s: Tensor
    order: Tensor
    smooth: Callable[[Tensor], Tensor]
    collect: Callable[[Tensor], Tensor]

    def to_items(self, by_place: Tensor) -> Tensor:
        """``(B, n, d)`` from sorted order to that of the items."""
        return torch.zeros_like(by_place).scatter(1, self.order.unsqueeze(-1).expand_as(by_place), by_place)
