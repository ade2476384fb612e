"""Arrays of a program: lists of cells while they are addressed one by one, one tensor while they are used whole."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arithmetic import ArrayArithmetic
from algonets.relax.cells import as_tensor, bad_index, contract, position_weights, stack_cells, wrap_cell
from algonets.relax.values import Bool, Integer, as_integer

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["Array", "Journal"]


class Journal(dict):
    """What was written since a branch or loop began: ``(array, offset)`` to the old value, for undoing and merging.

    Offset ``None`` stands for the whole array, whose old value is a snapshot.
    """

    def __init__(self, parent: "Journal | None"):
        super().__init__()
        self.parent = parent


class Array(ArrayArithmetic):
    """An array of every example, with the identity of a Python object: two names of it see the same writes.

    ``cells`` hold plain numbers, tensors ``(B,)`` or ``(1,)``, soft booleans, integers or arrays; ``tensor`` is
    ``(*shape, B)``. At least one of them is there, and both agree.
    """

    __slots__ = ("cells", "holds_indices", "is_list", "is_view", "rt", "shape", "split", "tensor")

    def __init__(self, rt: "Runtime", shape: Sequence[int], cells: list | None, tensor: Tensor | None = None):
        self.rt = rt
        self.shape = tuple(shape)
        self.cells = cells
        self.tensor = tensor
        self.holds_indices = False
        self.is_list = False
        self.is_view = False
        self.split: tuple[Tensor, tuple[Tensor, ...]] | None = None

    @classmethod
    def of(cls, rt: "Runtime", tensor: Tensor) -> Any:
        """Wrap a tensor whose last dimension is the batch; a number of each example stays unwrapped."""
        if tensor.ndim == 1:
            return wrap_cell(rt, tensor)
        return cls(rt, tensor.shape[:-1], None, tensor)

    @classmethod
    def listed(cls, rt: "Runtime", items: Sequence[Any]) -> "Array":
        """A Python list."""
        array = cls(rt, (len(items),), list(items))
        array.is_list = True
        return array

    # ---- representations

    def cell_list(self) -> list:
        """Return the cells in row-major order."""
        if self.cells is None:
            tensor: Tensor = self.tensor  # pyright: ignore[reportAssignmentType]
            rows = tensor.reshape(math.prod(self.shape), tensor.shape[-1]).unbind(0)
            self.cells = list(rows) if tensor.is_floating_point() else [wrap_cell(self.rt, row) for row in rows]
        return self.cells

    def tensor_form(self) -> Tensor:
        """Return ``(*shape, B)``: floating numbers or probabilities, int64 or bool where every cell is exact."""
        if self.tensor is None:
            self.tensor = stack_cells(self.rt, self.cells).reshape((*self._full_shape(), -1))  # pyright: ignore
        return self.tensor

    def _full_shape(self) -> tuple[int, ...]:
        nested = self.cells and isinstance(self.cells[0], Array)
        return (*self.shape, *(self.cells[0]._full_shape() if nested else ()))  # pyright: ignore

    @property
    def is_soft_bool(self) -> bool:
        """Whether the cells are truth values."""
        if self.tensor is not None and self.tensor.dtype == torch.bool:
            return True
        return bool(self.cells) and all(isinstance(c, bool | Bool) for c in self.cells)  # pyright: ignore

    def numbers(self) -> Tensor:
        """Return the tensor for arithmetic: truth values as 0 and 1."""
        tensor = self.tensor_form()
        return tensor.long() if tensor.dtype == torch.bool else tensor

    def floats(self) -> Tensor:
        """Return the tensor in the dtype of the program."""
        return self.tensor_form().to(self.rt.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self) -> Iterator[Any]:
        """Iterate over the first dimension, as a loop over a tensor does."""
        return (self.get(k) for k in range(self.shape[0]))

    def copy(self) -> "Array":
        """A second array with the same contents."""
        twin = Array(self.rt, self.shape, None if self.cells is None else list(self.cells), self.tensor)
        twin.is_list, twin.holds_indices = self.is_list, self.holds_indices
        if twin.cells and isinstance(twin.cells[0], Array):
            twin.cells = [cell.copy() for cell in twin.cells]  # pyright: ignore[reportAttributeAccessIssue]
        return twin

    # ---- reading

    def get(self, index: Any) -> Any:
        """Read ``a[index]``."""
        if index.__class__ is int and len(self.shape) == 1:
            if not -self.shape[0] <= index < self.shape[0]:
                raise IndexError(f"index {index} is out of range for an array of length {self.shape[0]}")
            return self.cell_list()[index]
        parts = index if isinstance(index, tuple) else (index,)
        if self.cells and isinstance(self.cells[0], Array):
            inner = Array(self.rt, self.shape, list(range(len(self.cells)))).get(parts[0])
            if inner.__class__ is int:
                return self.cells[inner] if len(parts) == 1 else self.cells[inner].get(parts[1:])
            return Array.of(self.rt, self.tensor_form()).get(index)
        if self.cells is not None or len(parts) == len(self.shape):
            offset = self._offset(parts)
            if offset is not None:
                return self.cell_list()[offset]
        if all(part is None or isinstance(part, int | slice) or part is Ellipsis for part in parts):
            lone = len(self.shape) == 1 and isinstance(parts[0], slice) and len(parts) == 1
            if lone and (self.cells is not None or (parts[0].step or 1) < 0):
                cells = self.cell_list()[parts[0]]
                part = Array(self.rt, (len(cells),), cells)
                part.is_list, part.holds_indices = self.is_list, self.holds_indices
                return part
            tensor = self.tensor_form()
            if index.__class__ is int:
                return self._viewed(self._row(tensor, index))  # pyright: ignore[reportArgumentType]
            part = tensor[self._checked(parts)]
            return self._wrapped(part) if isinstance(index, slice) else self._viewed(part)
        for place, part in enumerate(parts):
            if isinstance(part, Bool | Array):
                return self._gathered(parts, place)
        return self._viewed(self._soft_read(parts))

    def _gathered(self, parts: tuple[Any, ...], place: int) -> Any:
        """Read at several positions: an array of integers as an index."""
        index = parts[place]
        if isinstance(index, Bool) and index.p.ndim == 1:
            return self._wrapped(self._soft_read(parts))
        if isinstance(index, Bool) or index.is_soft_bool:
            raise TypeError(
                "an array read at a mask has another length in each example. Multiply by the mask, or use torch.where."
            )
        if len(index.shape) != 1 or any(isinstance(part, Array) for part in parts[place + 1 :]):
            raise TypeError("an index of a relaxed program can be one vector of integers. Write a loop.")
        before = sum(isinstance(part, slice) for part in parts[:place])
        cells = [self.get((*parts[:place], cell, *parts[place + 1 :])) for cell in index.cell_list()]
        return self._wrapped(Array.listed(self.rt, cells).tensor_form().movedim(0, before))

    def _viewed(self, tensor: Tensor) -> Any:
        """Wrap a row: in Python and in torch alike it stays a part of this array. (A slice of a list is a copy.)"""
        part = self._wrapped(tensor)
        if isinstance(part, Array):
            part.is_view = True
        return part

    def _row(self, tensor: Tensor, index: int) -> Tensor:
        """A row; all are split off at once, because the backward of a single one fills the whole tensor."""
        if self.split is None or self.split[0] is not tensor:
            self.split = (tensor, tensor.unbind(0))
            self.rt.rows_of.update((id(row), self.split[1]) for row in self.split[1])
        return self.split[1][index]

    def _wrapped(self, tensor: Tensor) -> Any:
        if self.is_soft_bool and tensor.is_floating_point():
            return Bool(self.rt, tensor) if tensor.ndim == 1 else Array(self.rt, tensor.shape[:-1], None, tensor)
        return Array.of(self.rt, tensor)

    def _checked(self, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        if Ellipsis not in parts:
            given = sum(part is not None for part in parts)
            if given > len(self.shape):
                raise IndexError(f"{given} indices for an array of {len(self.shape)} dimensions")
            return parts
        given = sum(part is not None and part is not Ellipsis for part in parts)
        where = parts.index(Ellipsis)
        return parts[:where] + (slice(None),) * (len(self.shape) - given) + parts[where + 1 :]

    def _offset(self, parts: tuple[Any, ...]) -> int | None:
        """Return the position of one exactly addressed cell."""
        if len(parts) != len(self.shape):
            return None
        offset = 0
        for part, size in zip(parts, self.shape):
            if part.__class__ is not int:
                return None
            if not -size <= part < size:
                raise IndexError(f"index {parts} is out of range for an array of shape {self.shape}")
            offset = offset * size + part % size
        return offset

    def _soft_read(self, parts: tuple[Any, ...]) -> Any:
        tensor = self.tensor_form()
        dim = 0
        for part in self._checked(parts):
            index = as_integer(self.rt, part)
            if isinstance(index, Integer):
                tensor = contract(self.rt, tensor, dim, index)
                continue
            if index is None and not (part is None or isinstance(part, slice)):
                bad_index(part)
            tensor = tensor[(slice(None),) * dim + (part,)]
            dim += not isinstance(part, int)
        return tensor

    # ---- writing

    def set(self, index: Any, value: Any) -> None:
        """Write ``a[index] = value``."""
        if self.is_view:
            raise TypeError(
                "a row of an array was given a name and is written to: Python would change the array, too. "
                "Write to the array itself, a[i, j] = ..., or to a copy, row.clone()."
            )
        parts = index if isinstance(index, tuple) else (index,)
        if self.cells and isinstance(self.cells[0], Array) and len(parts) > 1:
            self.get(parts[0]).set(parts[1:], value)
            return
        if isinstance(index, Bool | Array):
            self._masked_write(index, value)
            return
        offset = self._offset(parts)
        if offset is not None:
            self.write(offset, value)
            return
        if any(isinstance(as_integer(self.rt, part), Integer) for part in parts):
            self._soft_write(parts, value)
            return
        if not all(isinstance(part, int | slice) or part is Ellipsis for part in parts):
            bad_index(next(part for part in parts if not isinstance(part, int | slice)))
        chosen = torch.arange(math.prod(self.shape)).reshape(self.shape)[self._checked(parts)]
        offsets = chosen.flatten().tolist()
        if isinstance(value, Array):
            if value.shape == tuple(chosen.shape):
                values = list(value.cell_list())
            else:
                tensor = value.tensor_form()
                wide = tensor.expand(*chosen.shape, tensor.shape[-1])
                values = list(Array(self.rt, chosen.shape, None, wide).cell_list())
        else:
            values = [value] * len(offsets)
        for offset, cell in zip(offsets, values):
            self.write(offset, cell)

    def write(self, offset: int, value: Any) -> None:
        """Write one cell, noting its old value."""
        cells = self.cell_list()
        journal = self.rt.journal
        if journal is not None and (self, None) not in journal:
            journal.setdefault((self, offset), cells[offset])
        cells[offset] = value
        self.tensor = None

    def write_whole(self, cells: list | None, tensor: Tensor | None) -> None:
        """Replace all contents, noting the old ones."""
        journal = self.rt.journal
        if journal is not None and (self, None) not in journal:
            old = self.contents()
            for key in [key for key in journal if key[0] is self]:
                before = journal.pop(key)
                patched = list(self.cell_list()) if old[0] is None else old[0]
                patched[key[1]] = before
                old = (patched, None)
            journal[self, None] = old
        self.cells, self.tensor = cells, tensor

    def contents(self) -> tuple[list | None, Tensor | None]:
        """A snapshot of the contents."""
        return (None if self.cells is None else list(self.cells), self.tensor)

    def _masked_write(self, mask: Any, value: Any) -> None:
        """Write where an array of truth values holds: a mean by their probabilities."""
        p = mask.p if isinstance(mask, Bool) else mask.tensor_form() if mask.is_soft_bool else None
        if p is None or tuple(p.shape[:-1]) != self._full_shape():
            raise TypeError("an array as an index to write to must be a mask of the shape of the array. Write a loop.")
        if isinstance(value, Array) and len(value.shape) > 1:
            raise TypeError("what is written at a mask must be one number. Use torch.where(mask, values, array).")
        source = value.tensor_form() if isinstance(value, Array) else as_tensor(self.rt, value)
        self.write_whole(None, self.rt.merge_tensors(p, source, self.tensor_form()))

    def _soft_write(self, parts: tuple[Any, ...], value: Any) -> None:
        parts = self._checked(parts)
        weight: Tensor | None = None
        for dim, size in enumerate(self.shape):
            part = parts[dim] if dim < len(parts) else slice(None)
            index = as_integer(self.rt, part)
            if isinstance(index, Integer):
                row = position_weights(self.rt, index, size)
            elif index is not None or isinstance(part, slice):
                row = torch.zeros(size, 1, dtype=torch.bool, device=self.rt.device)
                row[part] = True
            else:
                bad_index(part)
            row = row.reshape(*[1] * dim, size, *[1] * (len(self.shape) - 1 - dim), row.shape[-1])
            weight = row if weight is None else weight * row
        source = value.tensor_form() if isinstance(value, Array) else as_tensor(self.rt, value)
        merged = self.rt.merge_tensors(weight, source, self.tensor_form())  # pyright: ignore[reportArgumentType]
        self.write_whole(None, merged)
