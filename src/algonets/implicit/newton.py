"""Newton's method with a line search."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type
from algonets.implicit.dense import Dense, solve_dense
from algonets.implicit.iterate import AbstractSolver, frozen
from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Problem, linearise
from algonets.implicit.tracing import holds_anywhere

__all__ = ["Newton", "backtrack"]


@final
@dataclass(frozen=True)
class Newton(AbstractSolver):
    r"""Newton's method, damped by a line search for each example by itself.

    .. math:: z_{k+1} = z_k - t_k \, J(z_k)^{-1} F(z_k)

    The step t starts at 1 and is halved until the merit falls enough (Armijo's rule): half the squared residual for
    roots and fixed points, the objective for minimisers. There, where the Newton direction does not descend (an
    indefinite Hessian), the negative gradient is taken instead. Quadratic convergence near a regular solution.

    Args:
        linear: How the linear system is solved: :class:`Dense` (D products with the Jacobian, ``O(D^3)``) or a
            matrix-free one, :class:`GMRES` or :class:`NormalCG`.
        backtracking: Most halvings, ``>= 0``; 0 takes full steps.

    Raises:
        TypeError: ``linear`` is no linear solver.
        ValueError: ``backtracking`` is negative.

    Differentiability: unrolled, step sizes are constants; unrolling always solves densely.
    Cost: with ``Dense`` an iteration takes D backward passes and O(batch D^3), memory O(batch D^2).
    References: J. Nocedal, S. Wright, Numerical Optimization, 2006, chapters 3 and 11.

    Example:
        >>> from algonets.implicit import root
        >>> solution = root(lambda z: z**2 - 2, torch.ones(1, dtype=torch.float64), solver=Newton())
        >>> round(solution.value.item(), 9), solution.iterations.item()
        (1.414213562, 4)
    """

    linear: AbstractLinearSolver = field(default_factory=Dense)
    backtracking: int = 30

    def __post_init__(self) -> None:
        if not isinstance(self.linear, AbstractLinearSolver):
            reject_type("Newton(linear)", "must be Dense(), GMRES() or NormalCG()", self.linear)
        check_at_least("Newton(backtracking)", self.backtracking, 0)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        return ()

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        with torch.no_grad():
            operator = linearise(problem, z.detach())
            plain = self.linear._solve(operator, -residual.detach())
            plain = torch.where(plain.isfinite().all(1, keepdim=True), plain, -residual.detach())
            slope = -residual.square().sum(1)
            if problem.gradient:
                slope = (residual * plain).sum(1)
                uphill = ~(slope < 0)
                plain = frozen(uphill, -residual.detach(), plain)
                slope = torch.where(uphill, -residual.square().sum(1), slope)
            step = backtrack(problem.height, z.detach(), plain, slope, self.backtracking)
        if not (torch.is_grad_enabled() and residual.requires_grad):
            return z + step.unsqueeze(1) * plain, ()
        # The same numbers with gradients. With a constant Jacobian they would lag behind the iterate by an update.
        return z + step.unsqueeze(1) * solve_dense(problem.dense(z, tracked=True), -residual), ()


def backtrack(height: Callable[[Tensor], Tensor], z: Tensor, direction: Tensor, slope: Tensor, most: int) -> Tensor:
    """Return the step of each example: the first of 1, 1/2, 1/4, ... that satisfies Armijo's rule.

    The rule has a slack of some roundings of the height, without which it fails at the very minimum.
    """
    step = torch.ones_like(slope)
    if most == 0:
        return step
    start = height(z)
    slack = 8 * torch.finfo(z.dtype).eps * start.abs()
    for _ in range(most):
        good = height(z + step.unsqueeze(1) * direction) <= start + 1e-4 * step * slope + slack
        if not holds_anywhere(~good):
            break
        step = torch.where(good, step, step / 2)
    return step
