"""Loops and calls of a running program: who leaves by a jump, with what, and where they meet again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets._core.errors import reject
from algonets.relax.arrays import Array, Journal
from algonets.relax.mass import DEAD, Path, both, rest
from algonets.relax.merging import merge_many
from algonets.relax.values import UNREACHED, Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["Frame", "Loop", "each"]

_Writes = dict[tuple[Array, int | None], Any]


class Exits:
    """Populations that have left by a jump, each with its mass, its variables and what it has written."""

    def __init__(self, rt: "Runtime"):
        self.rt = rt
        self.journal = rt.journal = Journal(rt.journal)
        self.parked: list[tuple[Any, tuple, _Writes]] = []

    def park(self, mass: Tensor | None, state: tuple) -> None:
        """Note an exit with the present contents of all arrays written since the beginning."""
        self.parked.append((mass, state, self._contents()))

    def _contents(self) -> _Writes:
        contents: _Writes = {}
        journal = self.rt.journal
        while journal is not None:
            for array, offset in journal:
                contents[array, offset] = array.contents() if offset is None else array.cell_list()[offset]
            if journal is self.journal:
                break
            journal = journal.parent
        return contents

    def gathered(self, alive: Any, state: tuple, index: tuple[int, ...], whole: bool) -> tuple[Any, tuple]:
        """Merge all exits with the population that is still here; return its mass and state."""
        rt = self.rt
        parked, self.parked = self.parked, []
        if alive is not DEAD:
            parked.append((alive, state, self._contents()))
        for _, _, contents in parked:  # what was written after an exit is not its own
            for key, before in self.journal.items():
                if key[1] is not None or all(other[0] is not key[0] for other in contents):
                    contents.setdefault(key, before)
        if len(parked) == 1:
            mass, state, contents = parked[0]
            for (array, offset), value in contents.items():
                array.write_whole(*value) if offset is None else array.write(offset, value)
            return mass, state
        if not parked:
            return DEAD, state
        masses = [rt.certain if mass is None else mass for mass, _, _ in parked]
        total: Any = None
        for mass in masses:
            total = mass if total is None else total + mass
        known = None if whole else total
        rt.merge_contents(masses, [contents for _, _, contents in parked], known, self.journal)
        columns = zip(*(state for _, state, _ in parked))
        merged = tuple(merge_many(rt, masses, column, known, k in index) for k, column in enumerate(columns))
        return (None if whole else total), merged


class Loop(Exits):
    """One ``for`` or ``while``; its masses are relative to what entered it."""

    def __init__(self, rt: "Runtime", index: tuple[int, ...], line: int):
        super().__init__(rt)
        self.index, self.line = index, line
        self.outer, self.path = rt.alive, rt.path
        rt.path = rt.path if rt.alive is None else Path(rt.path, rt.alive)
        rt.alive = None
        self.skipped = None
        self.passes = 0
        self.returns = rt.returns

    @property
    def running(self) -> bool:
        """Whether the next pass has anything to do."""
        return self.rt.alive is not DEAD and not (self.rt.alive is not None and self._drained())

    def _drained(self) -> bool:
        rt = self.rt
        return rt.dynamic and rt.negligible(rt.mass(), empty=True)

    def test(self, condition: Any, state: tuple) -> bool:
        """The condition of a ``while`` at the begin of a pass: those for whom it fails leave."""
        rt = self.rt
        if rt.alive is DEAD:
            return False
        chance = rt.truth(condition)
        if chance.__class__ is bool:
            bounded = rt.alive is not None or rt.chooser is not None
            if chance and bounded and self.passes >= rt.options.max_iterations:
                return self._cut()
            self.passes += 1
            return chance
        if rt.dynamic and not rt.visible:
            reject(
                f"line {self.line}: a while loop",
                "cannot look at values under torch.compile, vmap or on the meta device",
                "loops='dynamic'",
                "Pass loops='static' and max_iterations.",
            )
        inside = both(rt.alive, chance.p)
        self.park(rest(chance.p) if rt.alive is None else _minus(rt.alive, inside), state)
        rt.alive = inside
        if rt.dynamic and rt.negligible(rt.mass(), empty=True):
            return False
        if self.passes >= rt.options.max_iterations:
            return self._cut()
        self.passes += 1
        return True

    def _cut(self) -> bool:
        self.rt.warn_residual(self.line, f"the loop has run {self.rt.options.max_iterations} times")
        self.rt.cut_path()
        return False

    def begin(self) -> None:
        """Begin a pass that may hold a ``continue``."""
        self.skipped = Exits.__new__(Exits)
        self.skipped.rt, self.skipped.journal, self.skipped.parked = self.rt, self.journal, []

    def leave(self, state: tuple) -> None:
        """``break``."""
        self.park(self.rt.alive, state)
        self.rt.alive = DEAD

    def skip(self, state: tuple) -> None:
        """``continue``."""
        self.skipped.park(self.rt.alive, state)  # pyright: ignore[reportOptionalMemberAccess]
        self.rt.alive = DEAD

    def next(self, state: tuple, index: tuple[int, ...]) -> tuple:
        """Close a pass: those who continued meet those who came to its end."""
        if self.skipped is not None and self.skipped.parked:
            skipped, self.skipped = self.skipped, None
            self.rt.alive, state = skipped.gathered(self.rt.alive, state, index, False)
        return state

    def finish(self, state: tuple) -> tuple:
        """Merge all that left with what is still inside."""
        rt = self.rt
        if self.parked:
            whole = rt.returns == self.returns
            rt.alive, state = self.gathered(rt.alive, state, self.index, whole)
        rt.close(self.journal)
        rt.path = self.path
        rt.alive = DEAD if rt.alive is DEAD else both(self.outer, rt.alive)
        return state


def _minus(whole: Tensor, part: Any) -> Tensor:
    return whole & ~part if whole.dtype == torch.bool and part.dtype == torch.bool else whole.to(part.dtype) - part


class Frame(Exits):
    """A function whose returns are not all at its end."""

    def __init__(self, rt: "Runtime", index: bool):
        super().__init__(rt)
        self.index = (0,) if index else ()
        self.path = rt.path
        self.base = rt.base

    def give(self, value: Any) -> None:
        """``return value``."""
        rt = self.rt
        mass = rt.alive
        path = rt.path
        while path is not self.base and path is not None:
            mass = both(path.factor, mass)
            path = path.parent
        rt.returns += 1
        self.park(mass, (value,))
        rt.alive = DEAD

    def result(self) -> Any:
        """Merge what was returned."""
        rt = self.rt
        if rt.alive is not DEAD and self.parked:
            # The end was reached without a return: cut loops and recursion may leave a little mass here.
            if rt.visible and not rt.negligible(rt.alive if rt.alive is not None else rt.certain, at_least=1e-3):
                raise TypeError("some paths end without a return statement. Return a value on every path.")
            rt.alive = DEAD
        state: tuple
        if not self.parked:
            state = (None if rt.alive is not DEAD else UNREACHED,)
        else:
            exact = all(isinstance(mass, Tensor) and mass.dtype == torch.bool for mass, _, _ in self.parked)
            _, state = self.gathered(DEAD, (), self.index, exact)
        rt.close(self.journal)
        return state[0]


def each(rt: "Runtime", items: Any) -> Iterator[Any]:
    """Iterate as ``for`` does: over exact ranges, Python sequences and the first dimension of arrays."""
    if isinstance(items, Array):
        return items.rows()
    if isinstance(items, Tensor | Bool) or not hasattr(items, "__iter__"):
        raise TypeError("a for loop of a relaxed program runs over an exact range, a sequence or an array's rows.")
    return iter(items)
