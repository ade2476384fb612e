"""What the relaxations of NDCG share: gains, discounts, the ideal order, and lists of unequal length."""

import abc
from typing import Any, Literal

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, values_visible
from algonets._core.errors import require
from algonets.losses._ordering import OrderingLoss, Reduction, numbers_like
from algonets.sort import SortMethod
from algonets.sort.layout import Rows

__all__ = ["Gain", "NDCGLoss"]

Gain = Literal["exponential", "linear"]


class NDCGLoss(OrderingLoss):
    """``1 - DCG / ideal DCG`` of the gains that a soft order puts at the first ``k`` ranks."""

    def __init__(self, method: SortMethod, k: int | None, gain: Gain, reduction: Reduction):
        super().__init__(method, reduction)
        self.k = None if k is None else check_at_least(f"{self._name}(k)", k, 1)
        known = ("exponential", "linear")
        require(gain in known, f"{self._name}(gain)", f"must be one of {', '.join(known)}", gain)
        self.gain = gain

    def forward(self, scores: Tensor, relevance: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss."""
        wide = self._wide(scores)
        gains = self._gains(relevance, scores, mask).to(device=wide.device, dtype=wide.dtype)
        return self._lists(wide, gains, mask, self._rows)

    def _gains(self, relevance: Any, scores: Tensor, mask: Tensor | None) -> Tensor:
        call = f"{self._name}(relevance)"
        values = numbers_like(call, relevance, scores, mask).to(torch.float64)
        most = 100.0 if self.gain == "exponential" else 1e30
        if values_visible(values) and values.numel():
            low, high = float(values.min()), float(values.max())
            require(low >= 0 and high <= most, call, f"must be in 0 .. {most:g}", low if low < 0 else high)
        return torch.exp2(values) - 1 if self.gain == "exponential" else values

    def _rows(self, rows: Rows) -> Tensor:
        x, gains = rows.x, rows.payload.squeeze(-1)
        count = x.shape[1] if self.k is None else min(self.k, x.shape[1])
        discounts = 1 / torch.log2(torch.arange(2, count + 2, dtype=x.dtype, device=x.device))
        best = gains.sort(dim=-1, descending=True).values[:, :count]
        ideal = (best * discounts).sum(-1)
        found = (self._first(x, gains, count) * discounts).sum(-1)
        # Without a relevant item every order is ideal.
        return torch.where(ideal > 0, 1 - found / torch.where(ideal > 0, ideal, 1.0), 0 * found)

    @abc.abstractmethod
    def _first(self, x: Tensor, gains: Tensor, count: int) -> Tensor:
        """Gains ``(B, count)`` at the first ranks."""

    def _ordered(self, x: Tensor, gains: Tensor, count: int) -> Tensor:
        """``P @ gains``, largest score first."""
        if "payload" in self.method.abilities:
            return self.method.apply(x, gains.unsqueeze(-1), True)[1].squeeze(-1)[:, :count]
        return (self.method.rows(x, count, True) @ gains.unsqueeze(-1)).squeeze(-1)
