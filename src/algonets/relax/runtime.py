"""The runtime of one call: what the generated code asks for, as ``_rt``."""

import operator
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from algonets.distributions import Distribution
from algonets.relax.arrays import Array, Journal
from algonets.relax.calls import CallMixin
from algonets.relax.cells import bad_index
from algonets.relax.control import DEAD, Branch, Frame, Loop, Path, both, each
from algonets.relax.errors import ResidualMassWarning
from algonets.relax.lanes import Lanes, lanes
from algonets.relax.law import Law
from algonets.relax.logic import LogicMixin
from algonets.relax.merging import merge, merge_columns, merge_many, merge_tensors
from algonets.relax.options import Options
from algonets.relax.report import Decision
from algonets.relax.scaling import Scale
from algonets.relax.values import Bool, Integer, Undefined

__all__ = ["Runtime"]


class Runtime(LogicMixin, CallMixin):
    """State of one call.

    Args:
        options: the choices of the call.
        law: its distribution, with the scale in the layout of the program.
        like: floating tensor whose dtype and device the program computes in.
        batch: number of examples.
        step: comparisons are step functions (the hard mode).
        visible: whether control flow may read values.
        guarded: keep every path without mass from leaking inf or NaN.
    """

    def __init__(
        self, options: Options, law: Distribution, like: Tensor, batch: int, step: bool, visible: bool, guarded: bool
    ):
        self.options = options
        self.dtype, self.device = like.dtype, like.device
        self.batch = batch
        self.step = step
        self.masks = step
        self.visible = visible
        self.guarded = guarded
        self.dynamic = options.loops == "dynamic"
        self.law = Law(law, like)
        self.journal: Journal | None = None
        self.path: Path | None = None
        self.base: Path | None = None
        self.alive: Any = None
        self.returns = 0
        self.depth = 0
        self.chooser: Any = None
        self.log: Any = None
        self.residual: dict[tuple[int, str], float] = {}
        self.shifts: dict[int, tuple[Tensor, Tensor, float]] = {}
        self.stacked: tuple[Any, Tensor, Any] | None = None
        self.rows_of: dict[int, tuple[Tensor, ...]] = {}
        self.alike: dict[tuple[int, int], tuple] = {}
        self.units: dict[int, tuple[Tensor, Tensor]] = {}
        self._constants: dict[tuple[Any, Any], Tensor] = {}
        self.certain = self.constant(True, torch.bool)

    # ---- numbers

    def constant(self, value: Any, dtype: torch.dtype) -> Tensor:
        """A number that all examples share, made once."""
        key = (value, dtype)
        if key not in self._constants:
            self._constants[key] = torch.full((1,), value, dtype=dtype, device=self.device)
        return self._constants[key]

    def full(self, value: float) -> Tensor:
        """A real number that all examples share."""
        return self.constant(value, self.dtype)

    def ones(self) -> Tensor:
        """One, of every example."""
        key = ("ones", self.dtype)
        if key not in self._constants:
            self._constants[key] = torch.ones(self.batch, dtype=self.dtype, device=self.device)
        return self._constants[key]

    def merge_tensors(self, p: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        """See :func:`~algonets.relax.merging.merge_tensors`."""
        return merge_tensors(self, p, yes, no)

    # ---- mass

    def mass(self) -> Tensor | None:
        """The mass of the running statement in each example; None for 1."""
        return both(self.path.mass() if self.path else None, self.alive)

    def negligible(self, mass: Tensor | None, at_least: float = 0.0, empty: bool = False) -> bool:
        """Whether no example has mass worth running for; False where values are hidden, ``empty`` without examples."""
        if mass is None or not self.visible:
            return False
        mass = mass.detach()
        if not mass.numel():
            return empty
        if mass.dtype == torch.bool:
            return not bool(mass.any())
        return not bool((mass > max(self.options.epsilon, at_least)).any())

    @property
    def live(self) -> bool:
        """Whether any population is left after a jump."""
        if self.alive is not DEAD and self.masks and self.negligible(self.mass()):
            self.alive = DEAD
        return self.alive is not DEAD

    def dead_examples(self) -> Tensor | None:
        """The examples that the running statement has no mass in, None where there are none."""
        mass = self.mass()
        if mass is None:
            return None
        dead = ~mass if mass.dtype == torch.bool else mass.detach() == 0
        return dead if not self.visible or bool(dead.any()) else None

    def check_range(self, positions: Tensor, size: int) -> None:
        """Refuse positions out of range in examples that have mass."""
        if not self.visible:
            return
        wrong = (positions < 0) | (positions >= size)
        if bool(wrong.any()):
            mass = self.mass()
            alive = wrong if mass is None else wrong & (mass > 0)
            if bool(alive.any()):
                raise IndexError(f"an index is out of range for an array of length {size} in some examples")

    def warn_residual(self, line: int, what: str) -> None:
        """Say that a loop or recursion was cut."""
        mass = getattr(self.chooser, "weight", None) if self.chooser is not None else None
        mass = self.mass() if mass is None else mass
        left = 1.0 if mass is None else None
        if left is None and self.visible and mass is not None:
            left = float(mass.detach().to(torch.float64).amax()) if mass.numel() else 0.0
        if left is None or left <= self.options.epsilon:
            return
        self.residual[line, what] = max(left, self.residual.get((line, what), 0.0))
        text = f"line {line}: {what}, and up to {left:.3g} of an example's mass is still inside"
        frame, level = sys._getframe(1), 2
        while frame.f_back is not None and "_rt" not in frame.f_locals:
            frame, level = frame.f_back, level + 1
        warnings.warn(f"{text}. Raise the bound, or lower the scale.", ResidualMassWarning, stacklevel=level)

    def note(self, p: Tensor) -> None:
        """Note a comparison for the report, at the line of the program that runs."""
        frame = sys._getframe(1)
        while frame.f_back is not None and "_rt" not in frame.f_locals:
            frame = frame.f_back
        self.log.setdefault(frame.f_lineno, Decision(frame.f_lineno)).add(p)

    def cut_path(self) -> None:
        """Give up the path that is being enumerated, where paths are."""
        if self.chooser is not None:
            self.chooser.cut()

    # ---- control flow

    def branch(self, test: Any, start: tuple, index: tuple = (), jumps: bool = False, probe: bool = False) -> Branch:
        """Begin an ``if``."""
        return Branch(self, test, start, index, jumps, probe)

    def loop(self, index: tuple = (), line: int = 0) -> Loop:
        """Begin a loop that mass can leave."""
        return Loop(self, index, line)

    def frame(self, index: bool = False) -> Frame:
        """Begin a function that returns early."""
        return Frame(self, index)

    def lanes(self, passes: Any, written: tuple, read: tuple, sums: tuple) -> Lanes | None:
        """The passes of a loop at once, where they do not depend on each other and the arrays fit."""
        return lanes(self, passes, written, read, sums)

    def each(self, items: Any) -> Iterator[Any]:
        """Iterate as ``for`` does."""
        return each(self, items)

    @contextmanager
    def within(self, scale: Any) -> Iterator[None]:
        """Run statements under another scale."""
        if not isinstance(scale, Scale):
            raise TypeError(f"a with statement of a relaxed function takes algonets.relax.scale(...), got {scale!r}")
        before = self.law
        self.law = before.rescaled(self.placed(scale.value))
        try:
            yield
        finally:
            self.law = before

    def scale(self, value: Any) -> Scale:
        """The context of a ``with`` statement."""
        return Scale(value)

    def placed(self, value: Any) -> Any:
        """Bring a scale to the layout of the program: a number of each example, or one for all."""
        if isinstance(value, Array):
            return value.floats()
        return value

    # ---- writes

    def undo(self) -> dict:
        """Take back what the innermost journal noted and return what had been written."""
        journal: Journal = self.journal  # pyright: ignore[reportAssignmentType]
        self.journal = journal.parent
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

    def close(self, journal: Journal) -> None:
        """End a journal whose writes stay: the one around it learns of them."""
        self.journal = journal.parent
        if journal.parent is not None:
            for key, old in journal.items():
                array, offset = key
                if (array, None) in journal.parent:
                    continue
                if offset is None:
                    cells = old[0]
                    for other in [k for k in journal.parent if k[0] is array]:
                        if cells is None:
                            cells = list(Array(self, array.shape, None, old[1]).cell_list())
                        cells[other[1]] = journal.parent.pop(other)
                    journal.parent[array, None] = (cells, old[1] if cells is old[0] else None)
                else:
                    journal.parent.setdefault(key, old)

    def merge_writes(self, chance: Bool, yes: dict, no: dict) -> None:
        """Merge what two arms have written; both were undone."""
        whole = {array for array, offset in (*yes, *no) if offset is None}
        for array in whole:
            before = array.contents()
            left, right = (self._completed(array, written, before) for written in (yes, no))
            merged = merge(self, chance, left, right, array.holds_indices)
            array.write_whole(merged.cells, merged.tensor)
        for key in dict.fromkeys((*yes, *no)):
            array, offset = key
            if array not in whole:
                old = array.cell_list()[offset]
                array.write(offset, merge(self, chance, yes.get(key, old), no.get(key, old), array.holds_indices))

    def merge_contents(self, masses: list, contents: list[dict], total: Tensor | None, journal: Journal) -> None:
        """Merge what several exits have written since a journal began."""
        keys = dict.fromkeys(key for content in contents for key in content)
        whole = {array for array, offset in keys if offset is None}
        for array in whole:
            before = journal[array, None]
            sides = [self._completed(array, content, before) for content in contents]
            merged = merge_many(self, masses, sides, total, array.holds_indices)
            array.write_whole(merged.cells, merged.tensor)
        columns: dict[tuple[Array, int], list] = {}
        for key in keys:
            array, offset = key
            if array not in whole:
                old = journal[key] if key in journal else array.cell_list()[offset]
                columns[key] = [content.get(key, old) for content in contents]
        merged = merge_columns(self, masses, list(columns.values()), total, [k[0].holds_indices for k in columns])
        for (array, offset), value in zip(columns, merged):
            array.write(offset, value)

    def _completed(self, array: Array, written: dict, before: tuple) -> Array:
        if (array, None) in written:
            cells, tensor = written[array, None]
        else:
            cells, tensor = before[0] and list(before[0]), before[1]
            changes = {offset: value for (other, offset), value in written.items() if other is array}
            if changes:
                cells = list(cells) if cells else list(Array(self, array.shape, None, tensor).cell_list())
                tensor = None
                for offset, value in changes.items():
                    cells[offset] = value
        side = Array(self, array.shape, cells, tensor)
        side.is_list, side.holds_indices = array.is_list, array.holds_indices
        return side

    # ---- reads and writes of a program

    def get(self, a: Any, index: Any) -> Any:
        """``a[index]``."""
        if a.__class__ is Array:
            return a.get(index)
        if isinstance(a, Bool) and a.p.ndim > 1:
            part = Array(self, a.p.shape[:-1], None, a.p).get(index)
            return (
                part if isinstance(part, Bool) else Bool(self, part.tensor_form() if isinstance(part, Array) else part)
            )
        if isinstance(a, Bool) or a.__class__ is Tensor:
            raise TypeError("a number of each example cannot be indexed")
        if isinstance(a, tuple | list | range) and not isinstance(index, int | slice):
            if isinstance(a, range):
                a = list(a)
            return Array.listed(self, a).get(index)
        if isinstance(a, Undefined):
            return a.complain()
        return a[index]

    def set(self, a: Any, index: Any, value: Any) -> None:
        """``a[index] = value``."""
        if not isinstance(a, Array):
            kind = "an argument list or tuple" if isinstance(a, tuple | list) else type(a).__name__
            raise TypeError(f"only arrays of the program can be written to, got {kind}. Make a copy: list(...).")
        a.set(index, value)

    def set_index(self, a: Any, index: Any, value: Any) -> None:
        """``a[index] = value`` for an array whose entries serve as indices."""
        if isinstance(a, Array):
            a.holds_indices = True
        self.set(a, index, value)

    def set_deep(self, a: Any, outer: Any, inner: Any, value: Any) -> None:
        """``a[outer][inner] = value``; a row of an array is a view, as in torch."""
        if isinstance(a, Array) and not (a.cells and isinstance(a.cells[0], Array)):
            first = outer if isinstance(outer, tuple) else (outer,)
            second = inner if isinstance(inner, tuple) else (inner,)
            if any(isinstance(part, slice) for part in first):
                bad_index(slice(None))
            a.set(first + second, value)
        else:
            self.set(self.get(a, outer), inner, value)

    def slice(self, *parts: Any) -> slice:
        """``start:stop:step`` with exact bounds."""
        for part in parts:
            if part is not None and not isinstance(part, int):
                raise TypeError("the bounds of a slice in a relaxed program must be exact integers. Write a loop.")
        return slice(*parts)

    def undefined(self, name: str) -> Undefined:
        """The value of a variable before its first assignment."""
        return Undefined(name)

    def count(self, value: Any) -> Any:
        """A truth value as 0 or 1."""
        if isinstance(value, Bool):
            return Integer(self, [(value.p.long(), None)]) if value.exact else value.p
        return int(value) if isinstance(value, bool) else value

    def items(self, values: list) -> Array:
        """A list display."""
        return Array.listed(self, values)

    def shifted(self, old: Any, by: int | float, new: Callable[[], Any]) -> Any:
        """``old += by`` for a plain number; a merge with ``old`` then needs the share of ``by`` only."""
        if old.__class__ is not Tensor:
            return self.augmented(old, new())
        result = old + self.constant(float(by), self.dtype)
        self.shifts[id(result)] = (result, old, by)  # held, so that the id stays its own
        return result

    def augmented(self, old: Any, new: Any) -> Any:
        """``old op= new``: in place where ``old`` is an array."""
        if isinstance(old, Array) and isinstance(new, Array) and old.shape == new.shape and not old.is_list:
            if old.is_view:
                old.set(slice(None), new)  # refuses
            old.write_whole(None if new.cells is None else list(new.cells), new.tensor)
            return old
        return new

    # ---- risky arithmetic: what may make inf or NaN, whose gradient must not come back from a dead path

    def risky(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """Apply ``/``, ``**``, ``//`` or ``%`` with the operands of dead examples cut from the graph."""
        dead = self.dead_examples() if self.path is not None or self.alive is not None else None
        if dead is not None:
            self.guarded = True
            a, b = self.cut(a, dead), self.cut(b, dead)
        if op is operator.floordiv:  # piecewise constant; torch has no derivative of it
            a, b = self.fixed(a), self.fixed(b)
        if op is operator.matmul:
            return self.lifted(torch.matmul, (a, b), {})
        return op(a, b)

    def fixed(self, value: Any) -> Any:
        """A value without its gradient."""
        if isinstance(value, Array):
            tensor = value.tensor_form().detach()
            return Array(self, tensor.shape[:-1], None, tensor)
        if isinstance(value, Bool):
            return Bool(self, value.p.detach())
        return value.detach() if isinstance(value, Tensor) else value

    def cut(self, value: Any, dead: Tensor) -> Any:
        """Cut the examples that are dead from the graph of a value."""
        if isinstance(value, Tensor) and value.requires_grad:
            return torch.where(dead, value.detach(), value)
        if isinstance(value, Array) and value.tensor_form().requires_grad:
            tensor = value.tensor_form()
            return Array(self, tensor.shape[:-1], None, torch.where(dead, tensor.detach(), tensor))
        return value
