"""What a running program has written: undone at the end of an arm, merged where arms or exits meet."""

from typing import TYPE_CHECKING

from torch import Tensor

from algonets.relax.arrays import Array, Journal
from algonets.relax.merging import merge, merge_columns, merge_many
from algonets.relax.values import Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["close", "merge_contents", "merge_writes", "undo"]


def undo(rt: "Runtime") -> dict:
    """Take back what the innermost journal noted and return what had been written."""
    journal: Journal = rt.journal  # pyright: ignore[reportAssignmentType]
    rt.journal = journal.parent
    written = {}
    for (array, offset), old in journal.items():
        if offset is None:
            written[array, None] = array.contents()
            array.cells, array.tensor = old[0] and list(old[0]), old[1]
        else:
            cells = array.cell_list()
            written[array, offset] = cells[offset]
            cells[offset] = old
            array.tensor = None
    return written


def close(rt: "Runtime", journal: Journal) -> None:
    """End a journal whose writes stay: the one around it learns of them."""
    rt.journal = journal.parent
    if journal.parent is not None:
        for key, old in journal.items():
            array, offset = key
            if (array, None) in journal.parent:
                continue
            if offset is None:
                cells = old[0]
                for other in [k for k in journal.parent if k[0] is array]:
                    if cells is None:
                        cells = list(Array(rt, array.shape, None, old[1]).cell_list())
                    cells[other[1]] = journal.parent.pop(other)
                journal.parent[array, None] = (cells, old[1] if cells is old[0] else None)
            else:
                journal.parent.setdefault(key, old)


def merge_writes(rt: "Runtime", chance: Bool, yes: dict, no: dict) -> None:
    """Merge what two arms have written; both were undone."""
    whole = {array for array, offset in (*yes, *no) if offset is None}
    for array in whole:
        before = array.contents()
        left, right = (_completed(rt, array, written, before) for written in (yes, no))
        merged = merge(rt, chance, left, right, array.holds_indices)
        array.write_whole(merged.cells, merged.tensor)
    for key in dict.fromkeys((*yes, *no)):
        array, offset = key
        if array not in whole:
            _refuse_elements(chance.p)
            old = array.cell_list()[offset]
            array.write(offset, merge(rt, chance, yes.get(key, old), no.get(key, old), array.holds_indices))


def merge_contents(rt: "Runtime", masses: list, contents: list[dict], total: Tensor | None, journal: Journal) -> None:
    """Merge what several exits have written since a journal began."""
    keys = dict.fromkeys(key for content in contents for key in content)
    whole = {array for array, offset in keys if offset is None}
    for array in whole:
        before = journal[array, None]
        sides = [_completed(rt, array, content, before) for content in contents]
        merged = merge_many(rt, masses, sides, total, array.holds_indices)
        array.write_whole(merged.cells, merged.tensor)
    columns: dict[tuple[Array, int], list] = {}
    for key in keys:
        array, offset = key
        if array not in whole:
            _refuse_elements(*masses)
            old = journal[key] if key in journal else array.cell_list()[offset]
            columns[key] = [content.get(key, old) for content in contents]
    merged = merge_columns(rt, masses, list(columns.values()), total, [k[0].holds_indices for k in columns])
    for (array, offset), value in zip(columns, merged):
        array.write(offset, value)


def _completed(rt: "Runtime", array: Array, written: dict, before: tuple) -> Array:
    if (array, None) in written:
        cells, tensor = written[array, None]
    else:
        cells, tensor = before[0] and list(before[0]), before[1]
        changes = {offset: value for (other, offset), value in written.items() if other is array}
        if changes:
            cells = list(cells) if cells else list(Array(rt, array.shape, None, tensor).cell_list())
            tensor = None
            for offset, value in changes.items():
                cells[offset] = value
    side = Array(rt, array.shape, cells, tensor)
    side.is_list, side.holds_indices = array.is_list, array.holds_indices
    return side


def _refuse_elements(*masses: Tensor) -> None:
    """Refuse to write one entry where the elements of an array went different ways."""
    if any(mass.ndim > 1 for mass in masses):
        raise TypeError(
            "one entry of an array is written where a condition on an array holds, which each element decides for "
            "itself. Assign the whole array, or use torch.where."
        )
