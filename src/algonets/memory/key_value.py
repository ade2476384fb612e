"""Key-value memory: look up by keys, read values."""

from typing import Literal, final

import torch
from torch import Tensor, nn

from algonets._core.checks import as_scale, check_floating
from algonets._core.errors import require
from algonets._core.numerics import log_softmax

__all__ = ["KeyValueMemory", "Read", "choose"]

Read = Literal["soft", "pool", "straight_through"]
READS = ("soft", "pool", "straight_through")


def choose(scores: Tensor, read: Read, mask: Tensor | None = None) -> Tensor:
    """Weights of memory slots from their scores ``(*batch, S)``: a softmax, or one-hot at the largest.

    ``pool`` has no gradient for the scores, ``straight_through`` that of the softmax. Slots whose ``mask`` is False
    have the weight 0; where all are masked, all have.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    soft = log_softmax(scores, -1).exp()
    if mask is not None:
        soft = torch.where(mask, soft, 0.0)
    if read == "soft":
        return soft
    hard = torch.zeros_like(soft).scatter(-1, scores.argmax(-1, keepdim=True), 1.0)
    if mask is not None:
        hard = torch.where(mask, hard, 0.0)
    return hard if read == "pool" else hard + (soft - soft.detach())


@final
class KeyValueMemory(nn.Module):
    """Read values by the similarity of their keys with a query: ``sum_s w_s value_s``, ``w`` from ``key . query``.

    Args:
        temperature: positive float or tensor; weights are a softmax of ``key . query / temperature``.
        read: ``"soft"``, ``"pool"`` (only the best slot; the gradient goes to its value), or ``"straight_through"``
            (the best slot forward, the softmax backward).

    Raises:
        TypeError: if ``temperature`` is neither a number nor a floating tensor.
        ValueError: if an argument is out of range.

    Differentiability: soft, any order; pool, linear in the values; straight-through, once.
    Cost: O(S d) a query.
    References: Miller et al. 2016, Key-Value Memory Networks for Directly Reading Documents, eq. 1 and 2.

    Example:
        >>> keys, values = torch.eye(3), torch.tensor([[10.0], [20.0], [30.0]])
        >>> KeyValueMemory(0.05)(torch.tensor([0.0, 1.0, 0.0]), keys, values)
        tensor([20.])
    """

    def __init__(self, temperature: float | Tensor = 1.0, *, read: Read = "soft"):
        super().__init__()
        require(read in READS, "KeyValueMemory(read)", f"must be one of {', '.join(READS)}", read)
        self.temperature = as_scale("KeyValueMemory(temperature)", temperature)
        self.read: Read = read

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Read.

        Args:
            queries: ``(*batch, d)``.
            keys: ``(*batch, S, d)`` or ``(S, d)``.
            values: ``(*batch, S, v)`` or ``(S, v)``.
            mask: boolean ``(*batch, S)``, True for the slots that count; with none, the result is 0.

        Returns:
            ``(*batch, v)``.

        Raises:
            TypeError: if an argument is not a floating tensor.
            ValueError: if the shapes do not fit.
        """
        check_floating("KeyValueMemory(queries)", queries)
        check_floating("KeyValueMemory(keys)", keys)
        check_floating("KeyValueMemory(values)", values)
        fits = keys.ndim >= 2 and keys.shape[-1] == queries.shape[-1]
        require(fits, "KeyValueMemory(keys)", f"must be (*batch, S, {queries.shape[-1]})", keys)
        fits = values.ndim >= 2 and values.shape[-2] == keys.shape[-2]
        require(fits, "KeyValueMemory(values)", f"must be (*batch, {keys.shape[-2]}, v)", values)
        scores = (keys @ queries.unsqueeze(-1)).squeeze(-1) / self.temperature
        return (choose(scores, self.read, mask).unsqueeze(-2) @ values).squeeze(-2)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"temperature={self.temperature!r}, read={self.read!r}"
