"""Conjugate gradients on the normal equations."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets.implicit.iterate import frozen
from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Operator
from algonets.implicit.tracing import holds_anywhere

__all__ = ["NormalCG"]


@final
@dataclass(frozen=True)
class NormalCG(AbstractLinearSolver):
    r"""Conjugate gradients on ``M^T M x = M^T b`` (CGLS), for each example by itself, without building a matrix.

    It needs no symmetry and only a constant memory, and it gives a least-squares solution where M is singular; but
    it sees the squared condition number, so it is slower than GMRES on what both can solve.

    Args:
        max_iterations: Most pairs of products, ``>= 1``.

    Raises:
        ValueError, TypeError: ``max_iterations`` is below 1 or no integer.

    Differentiability: as a part of a backward pass, any order (the adjoint equation is differentiated instead).
    Cost: a product with M and one with its transpose an iteration, memory O(batch D).
    References: M. Hestenes, E. Stiefel 1952, Methods of Conjugate Gradients for Solving Linear Systems, section 10;
    A. Bjoerck, Numerical Methods for Least Squares Problems, 1996, algorithm 7.4.1.

    Example:
        >>> from algonets.implicit import Implicit, root
        >>> a = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
        >>> root(lambda z: z**2 - a, torch.ones_like(a), backward=Implicit(NormalCG())).value.backward()
        >>> a.grad
        tensor([0.2500], dtype=torch.float64)
    """

    max_iterations: int = 1000

    def __post_init__(self) -> None:
        check_at_least("NormalCG(max_iterations)", self.max_iterations, 1)

    def _solve(
        self, operator: Operator, b: Tensor, start: Tensor | None = None, tolerance: float | None = None
    ) -> Tensor:
        tolerance = 100 * torch.finfo(b.dtype).eps if tolerance is None else tolerance
        goal = tolerance * b.norm(dim=1)
        x = torch.zeros_like(b) if start is None else start
        residual = b if start is None else b - operator.apply(x)
        gradient = operator.transpose(residual)
        floor = torch.finfo(b.dtype).eps ** 2 * gradient.square().sum(1)
        direction, energy = gradient, gradient.square().sum(1)
        for _ in range(self.max_iterations):
            active = (residual.norm(dim=1) > goal) & (energy > floor)
            if not holds_anywhere(active):
                break
            image = operator.apply(direction)
            step = energy / image.square().sum(1).clamp_min(torch.finfo(b.dtype).tiny)
            x = frozen(active, x + step.unsqueeze(1) * direction, x)
            residual = frozen(active, residual - step.unsqueeze(1) * image, residual)
            gradient = operator.transpose(residual)
            new = gradient.square().sum(1)
            direction = gradient + (new / energy.clamp_min(torch.finfo(b.dtype).tiny)).unsqueeze(1) * direction
            energy = torch.where(active, new, energy)
        return x
