"""What a way to relax sorting is: the contract between the operations (``functions``) and the methods."""

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from algonets._core.checks import as_scale
from algonets._core.errors import require

__all__ = ["OPERATIONS", "Properties", "SortMethod", "scalar_scale"]

OPERATIONS: dict[str, str] = {
    "soft_sort": "sort",
    "soft_argsort": "matrix",
    "soft_rank": "rank",
    "soft_topk(output='values')": "sort",
    "soft_topk(output='mask')": "mask",
    "soft_topk(output='indices')": "matrix",
    "soft_quantile": "sort",
    "soft_median": "sort",
    "soft_min": "sort",
    "soft_max": "sort",
    "sort_with": "payload",
}
"""Which ability of a method each operation needs."""

_Ability = Literal["sort", "matrix", "rank", "mask", "payload"]


@dataclass(frozen=True)
class Properties:
    """What a method promises; the table of the docs and the conformance tests are made from it.

    Attributes:
        rows: Each row of ``P`` (a rank) sums to 1: sorted values are averages of items.
        columns: Each column of ``P`` (an item) sums to 1: no item is counted twice.
        sum_preserving: The sorted values have the sum of the items.
        monotone: No sorted value falls when an item grows. (The values of a soft network may still be out of order by
            part of its softening.)
        sparse: Values, ranks or mask can be exactly hard in parts while the scale is positive.
        differentiability: How often, and where not.
        cost: Time, and memory if it differs, for ``n`` items.
    """

    rows: bool
    columns: bool
    sum_preserving: bool
    monotone: bool
    sparse: bool
    differentiability: str
    cost: str


class SortMethod(abc.ABC):
    """How sorting is relaxed; give one to :func:`soft_sort` and the other operations of this room.

    A family sets :attr:`abilities` and :attr:`properties` and writes the underscored methods for them. These take
    ``x`` of shape ``(B, n)``, ``n >= 1``, float32 or float64, finite, without mask, and treat ranks in ascending
    order; everything else (dimensions, direction, masks, weights, half types, straight-through) is done once, above
    them. What a family does not write comes from its matrix.
    """

    abilities: frozenset[str] = frozenset()
    """Of ``sort``, ``matrix``, ``rank``, ``mask``, ``payload``; see :data:`OPERATIONS`."""

    properties: Properties

    _reversal: ClassVar[Literal["flip", "negate"]] = "flip"
    """Descending order is the ascending result read backwards, or the negated result of the negated items."""

    _exact: "SortMethod | None" = None
    """What ``hard=True`` returns, if it is not the exact sort: the limit of the method."""

    # ---- what a family writes

    def _matrix(self, x: Tensor) -> Tensor:
        """``P[rank, item]``, ``(B, n, n)``."""
        raise NotImplementedError

    def _sort(self, x: Tensor) -> Tensor:
        """Sorted values ``(B, n)``."""
        return (self._matrix(x) @ x.unsqueeze(-1)).squeeze(-1)

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        """Sorted values ``(B, n)`` and ``P @ payload``, ``payload`` being ``(B, n, d)``."""
        matrix = self._matrix(x)
        return (matrix @ x.unsqueeze(-1)).squeeze(-1), matrix @ payload

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        """``P^T @ by_rank``: hand out to the items what lies at the ranks, ``(B, n, d)`` to ``(B, n, d)``."""
        return self._matrix(x).mT @ by_rank

    def _rank(self, x: Tensor) -> Tensor:
        """Ranks ``(B, n)``, the smallest item about 1."""
        ranks = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
        return self._collect(x, ranks[:, None].expand(*x.shape, 1)).squeeze(-1)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        """Soft membership ``(B, n)`` of the ``k`` largest; ``k`` is ``(B,)``, real, in ``[0, n]``."""
        from_top = torch.arange(x.shape[1] - 1, -1, -1, dtype=x.dtype, device=x.device)
        kept = (k[:, None] - from_top).clamp(0, 1)
        return self._collect(x, kept.unsqueeze(-1)).squeeze(-1)

    # ---- what the operations call: both directions

    def sort(self, x: Tensor, descending: bool) -> Tensor:
        """Sorted values of ``(B, n)`` items."""
        if descending and self._reversal == "negate":
            return -self._sort(-x)
        y = self._sort(x)
        return y.flip(-1) if descending else y

    def matrix(self, x: Tensor, descending: bool) -> Tensor:
        """``P[rank, item]``."""
        if descending and self._reversal == "negate":
            return self._matrix(-x)
        p = self._matrix(x)
        return p.flip(-2) if descending else p

    def rank(self, x: Tensor, descending: bool) -> Tensor:
        """1-based ranks."""
        if descending and self._reversal == "negate":
            return self._rank(-x)
        r = self._rank(x)
        return x.shape[1] + 1 - r if descending else r

    def apply(self, x: Tensor, payload: Tensor, descending: bool) -> tuple[Tensor, Tensor]:
        """Sorted values and the payload ``(B, n, d)`` sorted with them."""
        if descending and self._reversal == "negate":
            y, moved = self._apply(-x, payload)
            return -y, moved
        y, moved = self._apply(x, payload)
        return (y.flip(-1), moved.flip(-2)) if descending else (y, moved)

    def rows(self, x: Tensor, count: int, descending: bool) -> Tensor:
        """The first ``count`` rows of ``P``, ``(B, count, n)``, without the others where a method can."""
        if descending and self._reversal == "negate":
            return self.rows(-x, count, False)
        n = x.shape[1]
        wanted = torch.eye(n, dtype=x.dtype, device=x.device)[:, n - count :] if descending else None
        if wanted is None:
            wanted = torch.eye(n, count, dtype=x.dtype, device=x.device)
        picked = self._collect(x, wanted.expand(x.shape[0], n, count)).mT
        return picked.flip(-2) if descending else picked

    def collect(self, x: Tensor, by_rank: Tensor, descending: bool) -> Tensor:
        """``P^T @ by_rank``: what lies at the ranks ``(B, n, d)``, handed out to the items."""
        if descending and self._reversal == "negate":
            return self._collect(-x, by_rank)
        return self._collect(x, by_rank.flip(1) if descending else by_rank)

    def mask(self, x: Tensor, k: Tensor, largest: bool) -> Tensor:
        """Soft membership of the ``k`` largest or smallest items."""
        return self._mask(x if largest else -x, k)

    # ---- for the modules and the errors

    def parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Learnable scales and temperatures, its own and those of what it holds, by name."""
        for name, value in vars(self).items():
            if isinstance(value, torch.nn.Parameter):
                yield name, value
            elif isinstance(value, SortMethod):
                yield from value.parameters()
            else:
                held = getattr(value, "__dict__", {})
                yield from ((inner, v) for inner, v in held.items() if isinstance(v, torch.nn.Parameter))

    def require(self, operation: str, having: str) -> None:
        """Reject an operation that this method has not, naming those that have it."""
        need = OPERATIONS[operation]
        require(
            need in self.abilities, f"{operation} with method={type(self).__name__}", "is not defined", self, having
        )

    def __repr__(self) -> str:
        given = {name: value for name, value in vars(self).items() if name not in ("abilities", "properties")}
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items() if not name.startswith("_"))
        return f"{type(self).__name__}({shown})"


def scalar_scale(call: str, value: Any) -> float | Tensor:
    """Validate a temperature: a positive number, or a positive tensor of one element (it may need a gradient)."""
    scale = as_scale(call, value)
    if isinstance(scale, Tensor):
        require(scale.numel() == 1, call, "must have one element: all items share it", scale)
        return scale
    return scale
