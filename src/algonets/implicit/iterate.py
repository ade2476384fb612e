"""The loop that every iterative solver shares: per-example convergence, the best iterate, checkpoints."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from algonets._core.checks import check_at_least, check_positive
from algonets.implicit.linearise import Problem
from algonets.implicit.solution import rms
from algonets.implicit.tracing import holds_anywhere

__all__ = ["AbstractSolver", "Outcome", "Stopping", "frozen", "iterate"]


class Outcome(NamedTuple):
    """The result on rows; see :class:`algonets.implicit.Solution`."""

    z: Tensor
    converged: Tensor
    iterations: Tensor
    residual: Tensor


class Stopping(NamedTuple):
    """When to stop.

    Attributes:
        tolerance: Largest measure of the residual.
        max_iterations: Most updates.
        measure: ``(residual, z)`` to ``(B,)``.
    """

    tolerance: float
    max_iterations: int
    measure: Callable[[Tensor, Tensor], Tensor] = lambda residual, z: rms(residual)


class AbstractSolver(abc.ABC):
    """An iterative solver of ``residual(z) = 0`` on rows ``(B, D)``; no row may look at another.

    A family is a frozen dataclass of its settings. It writes ``_start`` and ``_propose``; the loop evaluates the
    residual, stops and freezes each row by itself, and keeps the best iterate.
    """

    @abc.abstractmethod
    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        """Return the memory before the first update: a flat tuple of tensors."""

    @abc.abstractmethod
    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Return the next iterate of every row and the new memory, given the residual at ``z``; k = 0, 1, ..."""


def frozen(active: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Return ``new`` in the active rows and ``old`` in the others."""
    return torch.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def iterate(
    solver: AbstractSolver, problem: Problem, z: Tensor, stopping: Stopping, checkpoint_every: int | None = None
) -> Outcome:
    """Run a solver until every row has converged or broken, or the updates are used up.

    A row stops when its measure is within the tolerance, or is NaN or inf. From then on it stays at its best
    iterate whatever the others do, so its result does not depend on them.
    """
    check_positive("tolerance", stopping.tolerance)
    check_at_least("max_iterations", stopping.max_iterations, 0)
    residual = problem.residual(z)
    size = stopping.measure(residual.detach(), z.detach())
    active = (size > stopping.tolerance) & (size < torch.inf)
    iterations = torch.zeros_like(size, dtype=torch.int64)
    state = (z, residual, z, size, active, iterations, *solver._start(problem, z))

    def advance(first: int, count: int, *state: Tensor) -> tuple[Tensor, ...]:
        for k in range(first, first + count):
            if not holds_anywhere(state[4]):
                break
            state = _update(solver, problem, stopping, k, state)
        return state

    every = checkpoint_every or stopping.max_iterations
    for first in range(0, stopping.max_iterations, max(every, 1)):
        count = min(every, stopping.max_iterations - first)
        if not holds_anywhere(state[4]):
            break
        if checkpoint_every and torch.is_grad_enabled():
            state = checkpoint(advance, first, count, *state, use_reentrant=False, preserve_rng_state=False)
        else:
            state = advance(first, count, *state)
    _, _, best, least, _, iterations, *_ = state  # pyright: ignore[reportGeneralTypeIssues]
    return Outcome(best, least <= stopping.tolerance, iterations, least)


def _update(
    solver: AbstractSolver, problem: Problem, stopping: Stopping, k: int, state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    z, residual, best, least, active, iterations, *memory = state
    proposed, new_memory = solver._propose(problem, z, residual, tuple(memory), k)
    # An inactive row rests at its best iterate: where it broke, the step might make NaN again.
    z = frozen(active, proposed, best)
    residual = problem.residual(z)
    size = stopping.measure(residual.detach(), z.detach())
    better = active & (size < least)  # never where it is NaN
    best, least = frozen(better, z, best), torch.where(better, size, least)
    iterations = iterations + active
    active = active & (size > stopping.tolerance) & (size < torch.inf)
    return (z, residual, best, least, active, iterations, *new_memory)
