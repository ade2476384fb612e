"""L-BFGS: a quasi-Newton minimiser with limited memory."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets.implicit.iterate import AbstractSolver, frozen
from algonets.implicit.linearise import Problem
from algonets.implicit.newton import backtrack
from algonets.implicit.slots import write

__all__ = ["LBFGS"]


@final
@dataclass(frozen=True)
class LBFGS(AbstractSolver):
    r"""L-BFGS with a backtracking line search, for each example by itself.

    .. math:: x_{k+1} = x_k - t_k \, H_k \nabla f(x_k)

    ``H`` is built from the last m pairs of steps and gradient changes by the two-loop recursion; a pair without
    positive curvature is left out. The step is halved from 1 until the objective falls enough (Armijo's rule).

    Args:
        memory: ``m >= 1`` pairs.
        backtracking: Most halvings, ``>= 0``.

    Raises:
        ValueError, TypeError: a setting outside its range or no integer.

    Differentiability: unrolled, step sizes are constants, all else is differentiated.
    Cost: a gradient and usually one value an iteration, O(batch D m) time and memory.
    References: D. Liu, J. Nocedal 1989, On the Limited Memory BFGS Method; J. Nocedal, S. Wright, Numerical
    Optimization, 2006, algorithm 7.4.

    Example:
        >>> from algonets.implicit import argmin
        >>> f = lambda x: (x - torch.tensor([1.0, 2.0])).square().sum(-1)
        >>> argmin(f, torch.zeros(2), solver=LBFGS()).value
        tensor([1., 2.])
    """

    memory: int = 10
    backtracking: int = 30

    def __post_init__(self) -> None:
        check_at_least("LBFGS(memory)", self.memory, 1)
        check_at_least("LBFGS(backtracking)", self.backtracking, 0)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        steps = z.new_zeros(z.shape[0], self.memory, z.shape[1])
        return z, torch.zeros_like(z), steps, torch.zeros_like(steps), z.new_zeros(z.shape[0], self.memory)

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        old_z, old_gradient, steps, changes, inverses = memory
        if k > 0:
            s, y = z - old_z, residual - old_gradient
            curvature = (s * y).sum(1)
            lengths = s.detach().norm(dim=1) * y.detach().norm(dim=1)
            usable = curvature.detach() > torch.finfo(z.dtype).eps * lengths
            inverse = torch.where(usable, 1 / torch.where(usable, curvature, 1.0), 0.0)
            slot = (k - 1) % self.memory
            steps, changes = write(steps, slot, s), write(changes, slot, y)
            inverses = write(inverses, slot, inverse)
        direction = -self._recursion(residual, steps, changes, inverses, k)
        with torch.no_grad():
            slope = (residual * direction).sum(1)
            uphill = ~(slope < 0)
        direction = frozen(uphill, -residual, direction)
        with torch.no_grad():
            slope = torch.where(uphill, -residual.square().sum(1), slope)
            step = backtrack(problem.height, z.detach(), direction.detach(), slope, self.backtracking)
        return z + step.unsqueeze(1) * direction, (z, residual, steps, changes, inverses)

    def _recursion(self, gradient: Tensor, steps: Tensor, changes: Tensor, inverses: Tensor, k: int) -> Tensor:
        count = min(k, self.memory)
        if count == 0:
            return gradient / gradient.detach().norm(dim=1, keepdim=True).clamp_min(1.0)
        newest_first = [(k - 1 - i) % self.memory for i in range(count)]
        q, weights = gradient, {}
        for i in newest_first:
            weights[i] = (inverses[:, i] * (steps[:, i] * q).sum(1)).unsqueeze(1)
            q = q - weights[i] * changes[:, i]
        newest = newest_first[0]
        square = changes[:, newest].square().sum(1)
        known = (inverses[:, newest] > 0) & (square > 0)
        scale = torch.where(known, 1 / torch.where(known, inverses[:, newest] * square, 1.0), 1.0)
        q = scale.unsqueeze(1) * q
        for i in reversed(newest_first):
            again = (inverses[:, i] * (changes[:, i] * q).sum(1)).unsqueeze(1)
            q = q + (weights[i] - again) * steps[:, i]
        return q
