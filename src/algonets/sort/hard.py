"""Exact sorting as a method: what all others become as their scale goes to 0."""

from typing import final

import torch
from torch import Tensor

from algonets.sort.method import Properties, SortMethod

__all__ = ["Hard"]


@final
class Hard(SortMethod):
    """``torch.sort``: a stable exact sort, the forward pass of ``hard=True``.

    Equal items keep their order, in both directions. Values carry the gradient of the permutation that was found
    (structured pooling); matrix, ranks and mask are piecewise constant and carry none.

    Differentiability: values piecewise linear.
    Cost: O(n log n).

    Example:
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), Hard())
        tensor([1., 2., 3.])
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = Properties(True, True, True, True, True, "values piecewise linear, the rest constant", "O(n log n)")

    def sort(self, x: Tensor, descending: bool) -> Tensor:
        """As ``torch.sort``."""
        return torch.sort(x, dim=-1, descending=descending, stable=True).values

    def matrix(self, x: Tensor, descending: bool) -> Tensor:
        """One-hot rows."""
        order = torch.sort(x, dim=-1, descending=descending, stable=True).indices
        return torch.zeros(*x.shape, x.shape[1], dtype=x.dtype, device=x.device).scatter(-1, order.unsqueeze(-1), 1.0)

    def rank(self, x: Tensor, descending: bool) -> Tensor:
        """Places in the sorted order, from 1."""
        order = torch.sort(x, dim=-1, descending=descending, stable=True).indices
        places = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device).expand_as(x)
        return torch.zeros_like(x).scatter(-1, order, places)

    def apply(self, x: Tensor, payload: Tensor, descending: bool) -> tuple[Tensor, Tensor]:
        """Sort both by the items."""
        values, order = torch.sort(x, dim=-1, descending=descending, stable=True)
        return values, payload.gather(1, order.unsqueeze(-1).expand_as(payload))

    def rows(self, x: Tensor, count: int, descending: bool) -> Tensor:
        """One-hot rows of the first ranks."""
        order = torch.sort(x, dim=-1, descending=descending, stable=True).indices[:, :count]
        return torch.zeros(*order.shape, x.shape[1], dtype=x.dtype, device=x.device).scatter(
            -1, order.unsqueeze(-1), 1.0
        )

    def collect(self, x: Tensor, by_rank: Tensor, descending: bool) -> Tensor:
        """What lies at the place of each item."""
        places = self.rank(x, descending).to(torch.int64) - 1
        return by_rank.gather(1, places.unsqueeze(-1).expand(*places.shape, by_rank.shape[-1]))

    def mask(self, x: Tensor, k: Tensor, largest: bool) -> Tensor:
        """1 for the first ``floor(k)`` items, the fraction for the next."""
        return (k[:, None] - (self.rank(x, largest) - 1)).clamp(0, 1)
