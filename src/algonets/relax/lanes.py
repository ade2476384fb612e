"""A loop of independent passes at run time: every pass is a lane of whole arrays."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.cells import common_batch
from algonets.relax.values import Integer

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["Lanes", "lanes"]

_LEAST = 4  # passes; below, a loop is as fast


class Lanes:
    """The passes ``start, ..., start + count - 1`` of a loop at once."""

    def __init__(self, rt: "Runtime", passes: range, written: tuple):
        self.rt = rt
        self.start, self.stop = passes.start, passes.stop
        self.written = [(array, self._part(array, 0)) for array in written]

    def _part(self, array: Array, offset: int) -> Array:
        part = array.floats()[self.start + offset : self.stop + offset]
        return Array(self.rt, part.shape[:-1], None, part)

    def get(self, array: Array, offset: int) -> Array:
        """``array[i + offset]`` of all passes."""
        for other, part in self.written:
            if other is array:
                return part.copy()
        return self._part(array, offset)

    def set(self, array: Array, value: Any) -> None:
        """``array[i] = value`` in all passes."""
        part = next(part for other, part in self.written if other is array)
        row = value.floats() if isinstance(value, Array) else self._number(value).to(self.rt.dtype)
        part.write_whole(None, row.expand(self.stop - self.start, row.shape[-1]))

    def finish(self) -> None:
        """Bring what was written into the arrays."""
        for array, part in self.written:
            before, row = array.floats(), part.floats()
            batch = common_batch([before, row])
            edges = [before[: self.start].expand(-1, batch), before[self.stop :].expand(-1, batch)]
            array.write_whole(None, torch.cat([edges[0], row.expand(-1, batch), edges[1]]))

    def _number(self, value: Any) -> Tensor:
        if isinstance(value, Integer):
            return value.expectation()
        return value if isinstance(value, Tensor) else self.rt.full(float(value))

    def total(self, before: Any, step: Any) -> Any:
        """``before`` and what all passes add to it."""
        if isinstance(step, Array):
            step = step.numbers().sum(0)
        elif isinstance(step, Integer) and isinstance(step.exact, Tensor) and step.exact.ndim > 1:
            step = Integer(self.rt, [(step.exact.sum(0), None)])
        elif isinstance(step, Tensor) and step.ndim > 1:
            step = step.sum(0)
        else:
            step = step * (self.stop - self.start)  # pyright: ignore[reportOperatorIssue]
        return before + step


def lanes(rt: "Runtime", passes: Any, written: tuple, read: tuple, sums: tuple) -> Lanes | None:
    """Decide whether a loop can run on whole arrays.

    Args:
        rt: the runtime of the call.
        passes: the range of the loop.
        written: arrays that are written.
        read: arrays that are read, each with its offsets.
        sums: variables that the passes add to.
    """
    if rt.chooser is not None or passes.step != 1 or len(passes) < _LEAST:
        return None
    for array in written:
        if not _fits(array, passes, (0,)) or any(array is other for other, _ in read):
            return None
    if len({id(array) for array in written}) < len(written):
        return None
    if not all(_fits(array, passes, offsets) for array, offsets in read):
        return None
    if not all(_addable(value) for value in sums):
        return None
    return Lanes(rt, passes, written)


def _fits(array: Any, passes: range, offsets: tuple[int, ...]) -> bool:
    if not isinstance(array, Array) or len(array.shape) != 1 or array.is_view or array.holds_indices:
        return False
    if array.cells is not None and not all(isinstance(cell, Tensor | float) for cell in array.cells):
        return False
    if not array.tensor_form().is_floating_point():
        return False
    first, last = passes.start + min(offsets), passes.stop - 1 + max(offsets)
    return first >= 0 and last < array.shape[0]


def _addable(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 1
    return (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, Integer) and value.exact is not None
    )
