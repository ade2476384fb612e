"""Picard iteration: apply the step again and again."""

from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from algonets._core.checks import check_positive
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.linearise import Problem

__all__ = ["Picard"]


@final
@dataclass(frozen=True)
class Picard(AbstractSolver):
    r"""Damped fixed-point iteration.

    .. math:: z_{k+1} = z_k + \beta \, (f(z_k) - z_k)

    It converges where the step contracts (spectral radius of its Jacobian below 1; a damping below 1 also helps where
    eigenvalues are negative), linearly, at the rate of that radius. For a root, ``F`` stands for ``f - z``.

    Args:
        damping: ``beta > 0``; 1 is the plain iteration.

    Raises:
        ValueError: ``damping`` is not positive and finite.

    Differentiability: an update is as differentiable as the step.
    Cost: one step an iteration, memory O(batch D).
    References: E. Picard 1890; S. Banach 1922.

    Example:
        >>> import torch
        >>> from algonets.implicit import fixed_point
        >>> solution = fixed_point(torch.cos, torch.zeros(1, dtype=torch.float64), solver=Picard())
        >>> round(solution.value.item(), 6)
        0.739085
    """

    damping: float = 1.0

    def __post_init__(self) -> None:
        check_positive("Picard(damping)", self.damping)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        return ()

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        return z + self.damping * residual, ()
