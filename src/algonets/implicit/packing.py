"""Pytrees as rows: every solver of this room works on ``(B, D)``, one row an example."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import describe, reject, require

__all__ = ["Packing", "default_tolerance"]

_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


class Packing:
    """How a pytree of tensors becomes rows of a matrix, and back.

    Args:
        call: Name of the argument in error messages.
        tree: Tensors ``(*batch, *event)`` with the same batch.
        event_dims: How many trailing dimensions make one example: one integer for all leaves, or one a leaf.
    """

    def __init__(self, call: str, tree: Any, event_dims: Any):
        leaves, self.spec = pytree.tree_flatten(tree)
        require(len(leaves) > 0, call, "must hold at least one tensor", tree)
        self.call = call
        for leaf in leaves:
            check_floating(call, leaf)
        counts = _event_dims(call, event_dims, leaves)
        self.shapes = [leaf.shape for leaf in leaves]
        self.batch = leaves[0].shape[: leaves[0].ndim - counts[0]]
        for leaf, count in zip(leaves, counts, strict=True):
            if leaf.shape[: leaf.ndim - count] != self.batch:
                rule = f"must have the same leading dimensions in every leaf (here {tuple(self.batch)})"
                reject(call, rule, leaf, "Check event_dims: how many trailing dimensions make one example.")
        events = [leaf.shape[leaf.ndim - count :] for leaf, count in zip(leaves, counts, strict=True)]
        self.sizes = [math.prod(event) for event in events]
        self.rows, self.width = math.prod(self.batch), sum(self.sizes)
        self.dtypes = [leaf.dtype for leaf in leaves]
        # Half types are solved in float32: their sums and small linear systems are not accurate enough.
        self.dtype = torch.float32
        for dtype in self.dtypes:
            self.dtype = torch.promote_types(self.dtype, dtype) if dtype.itemsize > 2 else self.dtype
        self.coarsest = max(self.dtypes, key=lambda dtype: torch.finfo(dtype).eps)
        self.device = leaves[0].device

    def pack(self, tree: Any, call: str | None = None) -> Tensor:
        """Return the rows ``(B, D)`` of a tree that must look like the first one."""
        leaves, spec = pytree.tree_flatten(tree)
        if spec != self.spec or [getattr(leaf, "shape", None) for leaf in leaves] != self.shapes:
            given = leaves[0] if len(leaves) == 1 else [describe(leaf) for leaf in leaves]
            wanted = ", ".join(str(tuple(shape)) for shape in self.shapes)
            remedy = "Give the start the batch and the shape of the result."
            reject(call or self.call, f"must keep the structure and the shapes of the start ({wanted})", given, remedy)
        rows = [leaf.reshape(self.rows, size).to(self.dtype) for leaf, size in zip(leaves, self.sizes, strict=True)]
        return rows[0] if len(rows) == 1 else torch.cat(rows, 1)

    def unpack(self, rows: Tensor) -> Any:
        """Undo :meth:`pack`."""
        parts = [rows] if len(self.sizes) == 1 else rows.split(self.sizes, 1)
        pairs = zip(parts, self.shapes, self.dtypes, strict=True)
        return pytree.tree_unflatten([part.reshape(shape).to(dtype) for part, shape, dtype in pairs], self.spec)

    def per_example(self, values: Tensor) -> Tensor:
        """Give a vector ``(B,)`` the batch shape."""
        return values.reshape(self.batch)

    def function(self, call: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[Tensor], Tensor]:
        """Return ``function(z, *args)`` as a function of rows; its result must look like z."""
        return lambda rows: self.pack(function(self.unpack(rows), *args), call)

    def scalars(self, call: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[Tensor], Tensor]:
        """Return ``function(z, *args)``, a value an example, as a function from rows to ``(B,)``."""

        def values(rows: Tensor) -> Tensor:
            result = check_floating(call, function(self.unpack(rows), *args))
            if result.shape != self.batch:
                remedy = "Sum over the example's own dimensions only."
                reject(call, f"must return one value an example, of shape {tuple(self.batch)}", result, remedy)
            return result.reshape(self.rows).to(self.dtype)

        return values


def _event_dims(call: str, event_dims: Any, leaves: list[Tensor]) -> list[int]:
    counts = pytree.tree_leaves(event_dims)
    name = call.split("(")[0]
    counts = [check_at_least(f"{name}(event_dims)", count, 0) for count in counts]
    if len(counts) == 1:
        counts = counts * len(leaves)
    require(len(counts) == len(leaves), f"{name}(event_dims)", f"must be one integer or {len(leaves)}", event_dims)
    for leaf, count in zip(leaves, counts, strict=True):
        if leaf.ndim < count:
            reject(call, f"must have at least event_dims = {count} dimensions", leaf, "Lower event_dims.")
    return counts


def default_tolerance(packing: Packing) -> float:
    """Return the tolerance that the coarsest dtype of the tree can reach."""
    return _TOLERANCES.get(packing.coarsest, 1e-5)
