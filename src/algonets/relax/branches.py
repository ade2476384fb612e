"""``if`` in a running program: both arms start from the same state, and their ends are merged."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Journal
from algonets.relax.mass import DEAD, Path, both, rest
from algonets.relax.merging import merge
from algonets.relax.values import Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["Branch"]


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
        self.arms: list[tuple[bool, tuple, dict, Any]] = []
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
