"""Projected gradient descent with acceleration."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.linearise import Problem
from algonets.implicit.tracing import holds_anywhere

__all__ = ["ProjectedGradient"]


@final
@dataclass(frozen=True)
class ProjectedGradient(AbstractSolver):
    r"""Accelerated projected gradient descent (FISTA with restarts), for each example by itself.

    .. math:: x_{k+1} = P\big(y_k - t \nabla f(y_k)\big), \quad y_{k+1} = x_{k+1} + \beta_k (x_{k+1} - x_k)

    The step is halved until ``1 / t`` exceeds the curvature along it; it may grow again. The momentum starts
    anew where it points uphill, which keeps linear convergence on strongly convex objectives.

    Args:
        step_size: The first step t > 0.
        backtracking: Most halvings an iteration, ``>= 0``; 0 keeps the step.

    Raises:
        ValueError, TypeError: a setting outside its range.

    Differentiability: unrolled, step sizes and momentum are constants; as often as gradient and projection are.
    Cost: three gradients and three projections an iteration, if no step is halved; memory O(batch D).
    References: A. Beck, M. Teboulle 2009, A Fast Iterative Shrinkage-Thresholding Algorithm; B. O'Donoghue,
    E. Candes 2015, Adaptive Restart for Accelerated Gradient Schemes, section 3.2.

    Example:
        >>> from algonets.implicit import argmin
        >>> f = lambda x: (x - torch.tensor([1.0, -2.0])).square().sum(-1)
        >>> argmin(f, torch.zeros(2), project=lambda x: x.relu(), solver=ProjectedGradient()).value.round(decimals=4)
        tensor([1., 0.])
    """

    step_size: float = 1.0
    backtracking: int = 40

    def __post_init__(self) -> None:
        check_positive("ProjectedGradient(step_size)", self.step_size)
        check_at_least("ProjectedGradient(backtracking)", self.backtracking, 0)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        one = torch.ones_like(z[:, 0]) if z.shape[1] else z.new_ones(z.shape[0])
        return z, one, self.step_size * one

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        old, inertia, step = memory
        if problem.slope is None or problem.project is None:
            raise TypeError("ProjectedGradient() must be used by argmin(project=...), got another problem.")
        following = 0.5 * (1 + (1 + 4 * inertia.square()).sqrt())
        y = z + ((inertia - 1) / following).unsqueeze(1) * (z - old)
        gradient = problem.slope(y)
        with torch.no_grad():
            step = self._search(problem, y.detach(), gradient.detach(), step)
        new = problem.project(y - step.unsqueeze(1) * gradient)
        with torch.no_grad():
            uphill = ((y - new) * (new - z)).sum(1) > 0
            inertia = torch.where(uphill, 1.0, following)
        return new, (z, inertia, step)

    def _search(self, problem: Problem, y: Tensor, gradient: Tensor, step: Tensor) -> Tensor:
        if self.backtracking == 0:
            return step
        step = 1.1 * step
        for _ in range(self.backtracking):
            d = problem.project(y - step.unsqueeze(1) * gradient) - y  # pyright: ignore[reportOptionalCall]
            # Curvature by gradients: differences of values drown in rounding long before the solution is reached.
            bend = ((problem.slope(y + d) - gradient) * d).sum(1)  # pyright: ignore[reportOptionalCall]
            good = bend <= d.square().sum(1) / step
            if not holds_anywhere(~good):
                break
            step = torch.where(good, step, step / 2)
        return step
