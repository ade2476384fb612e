"""Cells of arrays: numbers of each example as tensors, one by one and stacked, and positions that are soft."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.values import Bool, Integer

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = [
    "as_tensor",
    "bad_index",
    "common_batch",
    "contract",
    "position_weights",
    "stack_cells",
    "wrap_cell",
]


def wrap_cell(rt: "Runtime", tensor: Tensor) -> Any:
    """Wrap a number of each example by its dtype."""
    if tensor.is_floating_point():
        return tensor
    return Bool(rt, tensor) if tensor.dtype == torch.bool else Integer(rt, [(tensor, None)])


def as_tensor(rt: "Runtime", value: Any) -> Tensor:
    """Return a number of each example as a tensor ``(B,)`` or ``(1,)`` of its own kind."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Bool):
        return value.p
    if isinstance(value, Integer):
        exact = value.exact
        return value.expectation() if exact is None else exact
    if isinstance(value, bool):
        return rt.constant(value, torch.bool)
    if isinstance(value, int):
        return rt.constant(value, torch.int64)
    if isinstance(value, float):
        return rt.constant(value, rt.dtype)
    raise TypeError(f"a relaxed program computes with numbers and tensors, not with {value!r}")


def stack_cells(rt: "Runtime", cells: list | None) -> Tensor:
    """Stack cells into ``(n, ..., B)``; the dtype is floating unless all cells are exact integers or truth values."""
    if not cells:
        return torch.zeros(0, 1, dtype=rt.dtype, device=rt.device)
    if hasattr(cells[0], "tensor_form"):  # arrays in a list
        parts = [cell.tensor_form() for cell in cells]
    elif all(cell.__class__ is float for cell in cells):
        return torch.tensor(cells, dtype=rt.dtype, device=rt.device).unsqueeze(-1)
    else:
        parts = [as_tensor(rt, cell) for cell in cells]
    if len({part.dtype for part in parts}) > 1:
        parts = [part.to(rt.dtype) for part in parts]
    wide = common_batch(parts)
    return torch.stack([part if part.shape[-1] == wide else part.expand(*part.shape[:-1], wide) for part in parts])


def common_batch(tensors: Sequence[Tensor]) -> int:
    """The batch of several tensors, each of which has it or 1."""
    sizes = {tensor.shape[-1] for tensor in tensors}
    return 0 if 0 in sizes else max(sizes)


def position_weights(rt: "Runtime", index: Integer, size: int) -> Tensor:
    """Return ``(size, B)``: the probability of each position, a bool tensor where the index is certain."""
    positions = torch.arange(size, device=rt.device).unsqueeze(-1)
    exact = index.exact
    if exact is not None:
        wrapped = torch.where(exact < 0, exact + size, exact)
        rt.check_range(wrapped, size)
        return positions == wrapped.clamp(0, size - 1)
    rows: list[Any] = [None] * size
    spread: Any = None
    lost = False
    for value, weight in index.atoms:
        if isinstance(value, Tensor):
            part = (positions == torch.where(value < 0, value + size, value)).to(rt.dtype)
            part = part if weight is None else part * weight
            spread = part if spread is None else spread + part
            lost = True
        elif -size <= value < size:
            row = rt.full(1.0) if weight is None else weight
            rows[value % size] = row if rows[value % size] is None else rows[value % size] + row
        else:
            lost = True
    weights = stack_cells(rt, [0.0 if row is None else row for row in rows])
    weights = weights if spread is None else weights + spread
    if lost:  # mass on positions that do not exist: condition on those that do
        weights = weights / weights.sum(0).clamp_min(torch.finfo(rt.dtype).tiny)
    return weights


def contract(rt: "Runtime", tensor: Tensor, dim: int, index: Integer) -> Tensor:
    """Read ``tensor`` at a position of each example: a gather where it is certain, else an expectation."""
    size = tensor.shape[dim]
    exact = index.exact
    if exact is None:
        weights = position_weights(rt, index, size)
        shape = [1] * (tensor.ndim - 1) + [weights.shape[-1]]
        shape[dim] = size
        return (tensor.to(rt.dtype) * weights.reshape(shape)).sum(dim)
    wrapped = torch.where(exact < 0, exact + size, exact)
    rt.check_range(wrapped, size)
    wrapped = wrapped.clamp(0, size - 1)
    batch = common_batch([tensor, wrapped])
    tensor = tensor.expand(*tensor.shape[:-1], batch)
    where = wrapped.expand(batch).reshape([1] * (tensor.ndim - 1) + [batch])
    shape = list(tensor.shape)
    shape[dim] = 1
    return tensor.gather(dim, where.expand(shape)).squeeze(dim)


def bad_index(part: Any) -> None:
    """Refuse an index that is not an integer."""
    given = "a real number of each example" if isinstance(part, Tensor) else repr(part)
    raise TypeError(
        f"an index of a relaxed program must be an integer, a slice with exact bounds or an argmin, got {given}. "
        "Keep it an integer: assign integers to it in every branch."
    )
