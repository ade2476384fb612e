"""From a user's tensor to rows of items and back: dimensions, half types, masks, in one place for all operations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_finite, check_floating, check_same_kind, values_visible
from algonets._core.errors import reject, reject_type, require

__all__ = ["Items", "Rows"]


@dataclass
class Rows:
    """What an operation computes on: ``x`` is ``(B, n)``, nothing is masked.

    Attributes:
        x: The items.
        weights: ``(B, n)``, or ``None``.
        payload: ``(B, n, d)``, or ``None``.
        k: ``(B,)``, or ``None``.
    """

    x: Tensor
    weights: Tensor | None = None
    payload: Any = None
    k: Any = None


class Items:
    """The checked input of one call, and how its results go back to the user's shape."""

    def __init__(
        self,
        call: str,
        x: Any,
        dim: int,
        mask: Any = None,
        weights: Any = None,
        payload: Any = None,
        k: Any = None,
        name: str = "x",
    ):
        first = f"{call}({name})"
        check_floating(first, x)
        # Messages are only made where they are wanted: formatting costs microseconds, and this runs in every call.
        if x.ndim < 1:
            reject(first, "must have at least one dimension", x)
        if isinstance(dim, bool) or not isinstance(dim, int):
            reject_type(f"{call}(dim)", "must be an integer", dim)
        if not -x.ndim <= dim < x.ndim:
            reject(f"{call}(dim)", f"must be a dimension of {name}, of shape {tuple(x.shape)}", dim)
        self.call, self.dim = call, dim % x.ndim
        self.dtype = x.dtype
        # Views that change nothing would each cost a node of the graph: microseconds, twice.
        moved = x if self.dim == x.ndim - 1 else x.movedim(dim, -1)
        self.batch, self.n = moved.shape[:-1], moved.shape[-1]
        if self.n < 1:
            reject(first, f"must have at least one item along dim={dim}", x)
        wide = torch.float32 if x.dtype.itemsize < 4 else x.dtype
        flat = moved if x.ndim == 2 else moved.reshape(math.prod(self.batch), self.n)
        if wide is not x.dtype:
            flat = flat.to(wide)
        self.mask = None if mask is None else self._rows_of_mask(mask, x)
        if self.mask is not None:
            flat = torch.where(self.mask, flat, 0.0)  # what is masked may be NaN
        check_finite(first, flat, "Give padding as mask=...; else look for a diverged network.")
        shares = None if weights is None else self._rows_of_weights(weights, x, wide)
        self.rows = Rows(flat, shares, None, None if k is None else self._rows_of_k(k, x, wide))
        self.trailing: torch.Size = torch.Size()
        if payload is not None:
            self.rows.payload = self._rows_of_payload(payload, x, wide)

    # ---- checks of the companions of x

    def _like(self, name: str, value: Tensor, x: Tensor) -> Tensor:
        """Broadcast to the shape of x, then to rows."""
        try:
            value = value.expand(x.shape)
        except RuntimeError:
            reject(f"{self.call}({name})", f"must broadcast to the shape of x {tuple(x.shape)}", value)
        return value.movedim(self.dim, -1).reshape(math.prod(self.batch), self.n)

    def _rows_of_mask(self, mask: Any, x: Tensor) -> Tensor:
        call = f"{self.call}(mask)"
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            reject_type(call, "must be a boolean tensor, True for items that count", mask, "Use mask.bool().")
        if not values_visible(mask, x):
            reject(call, "decides how many items each row has, which torch.compile and vmap cannot see", mask)
        rows = self._like("mask", mask.to(x.device), x)
        require(bool(rows.any(-1).all()), call, "must leave at least one item in every row", mask)
        return rows

    def _rows_of_weights(self, weights: Any, x: Tensor, wide: torch.dtype) -> Tensor:
        call = f"{self.call}(weights)"
        check_same_kind(call, check_floating(call, weights), x, "x")
        rows = self._like("weights", weights, x).to(wide)
        if self.mask is not None:
            rows = torch.where(self.mask, rows, 0.0)
        if values_visible(rows) and rows.numel():
            plain = rows.detach()
            good = bool(((plain >= 0) & plain.isfinite()).all()) and bool((plain.sum(-1) > 0).all())
            require(good, call, "must be finite, not negative, and not all zero in a row", weights)
        return rows

    def _rows_of_k(self, k: Any, x: Tensor, wide: torch.dtype) -> Tensor:
        call = f"{self.call}(k)"
        if not isinstance(k, Tensor):
            if isinstance(k, bool) or not isinstance(k, int | float):
                reject_type(call, "must be a number, or a tensor of the batch shape", k)
            k = torch.tensor(float(k), dtype=wide)
        if k.device != x.device and k.ndim == 0:
            k = k.to(x.device)
        try:
            rows = k.to(wide).expand(self.batch).reshape(math.prod(self.batch))
        except RuntimeError:
            reject(call, f"must broadcast to the batch shape {tuple(self.batch)}", k)
        if values_visible(rows):
            most = self.mask.sum(-1) if self.mask is not None else self.n
            good = bool(((rows >= 0) & (rows <= most)).all())
            require(good, call, f"must be from 0 to the number of items ({self.n} without mask)", k)
        return rows

    def _rows_of_payload(self, payload: Any, x: Tensor, wide: torch.dtype) -> Tensor:
        call = f"{self.call}(payload)"
        check_same_kind(call, check_floating(call, payload), x, "keys")
        fits = payload.shape[: x.ndim] == x.shape
        require(fits, call, f"must have the shape of keys {tuple(x.shape)}, then any more dimensions", payload)
        self.trailing = payload.shape[x.ndim :]
        moved = payload.movedim(self.dim, x.ndim - 1)
        rows = moved.reshape(math.prod(self.batch), self.n, math.prod(self.trailing)).to(wide)
        if self.mask is not None:
            rows = torch.where(self.mask.unsqueeze(-1), rows, 0.0)
        return rows

    # ---- computing

    def run(self, compute: Callable[[Rows], Tensor], over: str) -> Tensor:
        """Compute on the rows; rows of a mask are grouped by their number of items, and nothing else is seen.

        Args:
            compute: The operation without mask.
            over: What the dimensions of its result after the first are: ``"rank"`` or ``"item"`` (n), ``"matrix"``
                (all ranks, n), ``"rows"`` (some ranks, n), ``"payload"`` (n, d), ``"row"`` (anything else).
        """
        if self.mask is None:
            result = compute(self.rows)
            return result if result.dtype is self.dtype else result.to(self.dtype)
        counts = self.mask.sum(-1)
        order = torch.argsort((~self.mask).to(torch.uint8), dim=-1, stable=True)
        pieces, places = [], []
        for count in counts.unique().tolist():
            where = (counts == count).nonzero().squeeze(-1)
            keep = order[where, :count]
            part = Rows(
                self.rows.x[where].gather(1, keep),
                None if self.rows.weights is None else self.rows.weights[where].gather(1, keep),
                None if self.rows.payload is None else _gather_items(self.rows.payload[where], keep),
                None if self.rows.k is None else self.rows.k[where],
            )
            pieces.append(_spread(compute(part), keep, self.n, over))
            places.append(where)
        if not pieces:
            return compute(self.rows).to(self.dtype)  # an empty batch
        return torch.cat(pieces)[torch.argsort(torch.cat(places))].to(self.dtype)

    # ---- back to the user's shape

    def to_x(self, result: Tensor) -> Tensor:
        """``(B, n)`` to the shape of x."""
        if len(self.batch) != 1:
            result = result.reshape(*self.batch, self.n)
        return result if self.dim == len(self.batch) else result.movedim(-1, self.dim)

    def to_some(self, result: Tensor) -> Tensor:
        """``(B, k)`` to the shape of x with k in place of n."""
        if len(self.batch) != 1:
            result = result.reshape(*self.batch, result.shape[-1])
        return result if self.dim == len(self.batch) else result.movedim(-1, self.dim)

    def to_matrix(self, result: Tensor) -> Tensor:
        """``(B, ranks, n)`` to ``(*batch, ranks, n)``."""
        return result if len(self.batch) == 1 else result.reshape(*self.batch, *result.shape[1:])

    def to_payload(self, result: Tensor) -> Tensor:
        """``(B, n, d)`` to the shape of the payload."""
        return result.reshape(*self.batch, self.n, *self.trailing).movedim(len(self.batch), self.dim)


def _gather_items(payload: Tensor, keep: Tensor) -> Tensor:
    return payload.gather(1, keep.unsqueeze(-1).expand(-1, -1, payload.shape[-1]))


def _spread(result: Tensor, keep: Tensor, n: int, over: str) -> Tensor:
    """Bring the result of a group to full size, with zeros for what is not there."""
    count = keep.shape[1]
    if over == "row":
        return result
    if over == "rank":
        return torch.nn.functional.pad(result, (0, n - count))
    if over == "payload":
        return torch.nn.functional.pad(result, (0, 0, 0, n - count))
    if over == "item":
        return result.new_zeros(result.shape[0], n).scatter(1, keep, result)
    index = keep.unsqueeze(1).expand(-1, result.shape[1], -1)
    full = result.new_zeros(*result.shape[:2], n).scatter(2, index, result)
    return torch.nn.functional.pad(full, (0, 0, 0, n - count)) if over == "matrix" else full
