"""What every layer of this room does around its solver: checks, rows, the backward, failures."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject_type
from algonets.implicit.backward import AbstractBackward, Task
from algonets.implicit.iterate import AbstractSolver, Outcome, Stopping, iterate
from algonets.implicit.linearise import Problem
from algonets.implicit.packing import Packing, default_tolerance
from algonets.implicit.solution import Solution, check_on_failure, rms, settle

__all__ = ["Settings", "relative_measure", "run"]

REMEDY = "Allow more iterations, loosen the tolerance or start nearer."


class Settings(NamedTuple):
    """The arguments that every layer has; see :func:`algonets.implicit.fixed_point`."""

    backward: AbstractBackward
    tolerance: float | None
    max_iterations: int
    on_failure: str

    def checked(self, call: str, packing: Packing) -> "Settings":
        """Validate, and fill in the default tolerance."""
        if not isinstance(self.backward, AbstractBackward):
            rule = "must be Implicit(...), Unroll(), OneStep(), Truncated(k) or Checkpoint(every)"
            reject_type(f"{call}(backward)", rule, self.backward)
        tolerance = default_tolerance(packing) if self.tolerance is None else self.tolerance
        check_positive(f"{call}(tolerance)", tolerance)
        check_at_least(f"{call}(max_iterations)", self.max_iterations, 0)
        check_on_failure(call, self.on_failure)
        return self._replace(tolerance=float(tolerance))


def relative_measure(residual: Tensor, z: Tensor) -> Tensor:
    """``rms(residual) / (1 + rms(z))``: relative for large solutions, absolute for small ones."""
    return rms(residual) / (1 + rms(z))


def run(
    call: str,
    packing: Packing,
    start: Tensor,
    problem: Problem,
    solver: AbstractSolver | Callable[[Tensor, float, int], Outcome],
    settings: Settings,
    step: Callable[[Tensor], Tensor] | None = None,
    measure: Callable[[Tensor, Tensor], Tensor] | None = None,
    unpack: Callable[[Tensor], object] | None = None,
    remedy: str = REMEDY,
) -> Solution:
    """Solve on rows, differentiate as asked, and return the solution in the form of the start."""
    tolerance = settings.tolerance
    if tolerance is None:
        tolerance = default_tolerance(packing)
    stopping = Stopping(tolerance, settings.max_iterations, measure or (lambda residual, z: rms(residual)))

    def solve(z: Tensor, every: int | None) -> Outcome:
        if isinstance(solver, AbstractSolver):
            return iterate(solver, problem, z, stopping, every)
        return solver(z, tolerance, settings.max_iterations)

    task = Task(call, problem, solve, start, step, settings.on_failure)
    value, outcome = settings.backward._run(task)
    if settings.on_failure == "mask":
        value = torch.where(outcome.converged.unsqueeze(1), value, value.detach())
    solution = Solution(
        (unpack or packing.unpack)(value), *(packing.per_example(part.detach()) for part in outcome[1:])
    )
    settle(call, solution, settings.on_failure, tolerance, remedy)
    return solution
