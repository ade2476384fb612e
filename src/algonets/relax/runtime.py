"""The runtime of one call: what the generated code asks for, as ``_rt``."""

import operator
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

import torch
from torch import Tensor

from algonets.distributions import Distribution
from algonets.relax import access, hazards, writes
from algonets.relax.arrays import Array, Journal
from algonets.relax.branches import Branch
from algonets.relax.calls import CallMixin
from algonets.relax.control import Frame, Loop, each
from algonets.relax.errors import ResidualMassWarning
from algonets.relax.lanes import Lanes, lanes
from algonets.relax.law import Law
from algonets.relax.logic import LogicMixin
from algonets.relax.mass import DEAD, Path, both
from algonets.relax.merging import merge_tensors
from algonets.relax.options import Options
from algonets.relax.report import Decision
from algonets.relax.scaling import Scale

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

    undo = writes.undo
    close = writes.close
    merge_writes = writes.merge_writes
    merge_contents = writes.merge_contents

    # ---- reads and writes of a program

    get = access.get
    set = access.store
    set_index = access.set_index
    set_deep = access.set_deep
    slice = access.exact_slice
    undefined = access.undefined
    count = access.count
    items = access.items
    shifted = access.shifted
    augmented = access.augmented

    # ---- arithmetic that may make inf or NaN

    cut = hazards.cut
    fixed = hazards.fixed
    risky = hazards.risky
    divide = partialmethod(risky, operator.truediv)
    floor_divide = partialmethod(risky, operator.floordiv)
    modulo = partialmethod(risky, operator.mod)
    power = partialmethod(risky, operator.pow)
    matmul = partialmethod(risky, operator.matmul)
    bit_and = partialmethod(LogicMixin.bitwise, operator.and_)
    bit_or = partialmethod(LogicMixin.bitwise, operator.or_)
    bit_xor = partialmethod(LogicMixin.bitwise, operator.xor)
