"""Branches, loops and calls of a running program: where the mass of each example is, what was written on the way."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets._core.errors import reject
from algonets.relax.arrays import Array, Journal
from algonets.relax.merging import merge, merge_many
from algonets.relax.values import UNREACHED, Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["DEAD", "Branch", "Frame", "Loop", "Path", "both", "rest"]


class _Dead:
    def __repr__(self) -> str:
        return "DEAD"


DEAD: Any = _Dead()
"""The mass of a population that has left by a jump."""

_Writes = dict[tuple[Array, int | None], Any]


def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of masses; ``None`` is 1."""
    return b if a is None else a if b is None else a * b


def rest(mass: Tensor) -> Tensor:
    """One minus a mass."""
    return ~mass if mass.dtype == torch.bool else 1 - mass


class Path:
    """One factor of the mass of the running statement; the product is made when it is asked for."""

    __slots__ = ("negated", "parent", "plain", "product")

    def __init__(self, parent: "Path | None", plain: Tensor, negated: bool = False):
        self.parent = parent
        self.plain = plain
        self.negated = negated
        self.product: Any = self

    @property
    def factor(self) -> Tensor:
        """The factor, or one minus it."""
        return rest(self.plain) if self.negated else self.plain

    def mass(self) -> Tensor | None:
        """The product of all factors, None for 1."""
        if self.product is self:
            self.product = both(self.parent.mass() if self.parent else None, self.factor)
        return self.product


class Branch:
    """One ``if``: both arms start from the same state, and their ends are merged."""

    __slots__ = (
        "alive",
        "arms",
        "chance",
        "else_exists",
        "index",
        "jumps",
        "path",
        "probe",
        "rt",
        "start",
        "taken",
        "writes",
    )

    def __init__(self, rt: "Runtime", test: Any, start: tuple, index: tuple[int, ...], jumps: bool, probe: bool):
        self.rt = rt
        self.start = start
        self.index = index
        self.jumps = jumps
        self.probe = probe or rt.masks
        self.chance = rt.truth(test)
        self.arms: list[tuple[bool, tuple, _Writes, Any]] = []
        self.else_exists = False
        self.taken: tuple | None = None

    def then(self) -> bool:
        """Whether to run the first arm."""
        if self.chance.__class__ is bool:
            return self.chance
        self.alive = self.rt.alive
        return self._begin(False)

    def orelse(self) -> bool:
        """Whether to run the second arm."""
        if self.chance.__class__ is bool:
            return not self.chance
        self.else_exists = True
        return self._begin(True)

    def _begin(self, negated: bool) -> bool:
        rt = self.rt
        if self.probe and rt.negligible(both(rt.mass(), self._mass(negated))):
            return False
        self.path = rt.path
        if self.jumps:
            rt.alive = both(self.alive, self._mass(negated))
        else:
            rt.path = Path(rt.path, self.chance.p, negated)
        rt.journal = Journal(rt.journal)
        self.taken = (negated, rt.alive)  # what the mass is if no jump happens
        return True

    def _mass(self, negated: bool) -> Tensor:
        return rest(self.chance.p) if negated else self.chance.p

    def end(self, state: tuple) -> None:
        """Close the running arm."""
        rt = self.rt
        if self.chance.__class__ is bool:
            self.start = state
            return
        negated, before = self.taken  # pyright: ignore[reportGeneralTypeIssues]
        writes = rt.undo()
        rt.path = self.path
        kept = "all" if rt.alive is before else rt.alive
        self.arms.append((negated, state, writes, kept))
        rt.alive = self.alive

    def join(self) -> tuple:
        """Merge the arms and return the state."""
        if self.chance.__class__ is bool:
            return self.start
        rt = self.rt
        arms = self.arms
        if len(arms) < 2:
            arms = self._with_idle_arm()
        whole = all(arm[3].__class__ is str for arm in arms)
        if not whole:
            masses: list[Any] = [
                both(self.alive, self._mass(arm[0])) if arm[3].__class__ is str else arm[3] for arm in arms
            ]
            living = [(arm, mass) for arm, mass in zip(arms, masses) if mass is not DEAD]
            if len(living) < 2:
                rt.alive = living[0][1] if living else DEAD
                return self._adopt(living[0][0]) if living else self.start
            rt.alive = masses[0] + masses[1]
            chance = Bool(rt, _share(rt, masses[0], rt.alive))
        elif len(arms) == 1:
            return self._adopt(arms[0])
        else:
            chance = self.chance
        (_, yes, written_yes, _), (_, no, written_no, _) = arms
        rt.merge_writes(chance, written_yes, written_no)
        return tuple(
            a if a is b else merge(rt, chance, a, b, position in self.index)
            for position, (a, b) in enumerate(zip(yes, no))
        )

    def _with_idle_arm(self) -> list:
        """Add the arm that the program does not have; one that was skipped has no mass and no say."""
        if not self.arms:
            if not self.else_exists and self.probe:  # the first arm had no mass
                return [(True, self.start, {}, "all")]
            return [(False, self.start, {}, "all")]
        ran = self.arms[0]
        if ran[0] or self.else_exists:  # the other arm had no mass
            return [ran]
        if self.probe and self.rt.negligible(both(self.rt.mass(), self._mass(True))):
            return [ran]
        return [ran, (True, self.start, {}, "all")]

    def _adopt(self, arm: tuple) -> tuple:
        for (array, offset), value in arm[2].items():
            if offset is None:
                array.write_whole(*value)
            else:
                array.write(offset, value)
        return arm[1]


def _share(rt: "Runtime", part: Tensor, total: Tensor) -> Tensor:
    if part.dtype == torch.bool:
        return part
    return (part / total.clamp_min(torch.finfo(rt.dtype).tiny)).clamp_max(1.0)


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
