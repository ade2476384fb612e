"""Broyden's method: Newton's, with a Jacobian that is learnt from the steps."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.linearise import Problem
from algonets.implicit.slots import write

__all__ = ["Broyden"]


@final
@dataclass(frozen=True)
class Broyden(AbstractSolver):
    r"""Broyden's (good) method with a limited memory, for each example by itself.

    .. math::

        z_{k+1} = z_k - H_k F(z_k), \quad
        H_{k+1} = H_k + \frac{(s - H_k y) \, s^\top H_k}{s^\top H_k y}, \quad s = z_{k+1} - z_k, \;
        y = F(z_{k+1}) - F(z_k)

    ``H`` approximates the inverse Jacobian of ``F``; it is a start plus at most m outer products, and begins anew
    when they are used up. An update whose denominator vanishes is left out.

    Args:
        memory: ``m >= 1`` outer products.
        exact_start: Start from the inverse Jacobian at the first iterate (D products, ``O(batch D^2)`` memory)
            instead of from -1, which is meant for ``F = f(z) - z`` with a step ``f`` that contracts. A root of any
            other function needs it.

    Raises:
        ValueError: ``memory`` is below 1.
        TypeError: a setting of the wrong type.

    Differentiability: unrolled, as often as the step.
    Cost: one step an iteration, and O(batch D m) time and memory.
    References: C. G. Broyden 1965, A Class of Methods for Solving Nonlinear Simultaneous Equations, eq. 4.5.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> solution = fixed_point(torch.cos, torch.zeros(1, dtype=torch.float64), solver=Broyden())
        >>> round(solution.value.item(), 6), bool(solution.iterations < 10)
        (0.739085, True)
    """

    memory: int = 10
    exact_start: bool = False

    def __post_init__(self) -> None:
        check_at_least("Broyden(memory)", self.memory, 1)
        require(isinstance(self.exact_start, bool), "Broyden(exact_start)", "must be a boolean", self.exact_start)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        left = z.new_zeros(z.shape[0], self.memory, z.shape[1])
        base = ()
        if self.exact_start:
            tracked = torch.is_grad_enabled()
            base = (torch.linalg.inv_ex(problem.dense(z if tracked else z.detach(), tracked))[0],)
        return (z, torch.zeros_like(z), left, torch.zeros_like(left), *base)

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        old_z, old_residual, left, right, *base = memory
        if k > 0:
            left, right = self._learn(z - old_z, residual - old_residual, left, right, base, k - 1)
        direction = -_product(residual, left, right, base)
        return z + direction, (z, residual, left, right, *base)

    def _learn(
        self, s: Tensor, y: Tensor, left: Tensor, right: Tensor, base: list[Tensor], k: int
    ) -> tuple[Tensor, Tensor]:
        slot = k % self.memory
        if slot == 0:
            left, right = torch.zeros_like(left), torch.zeros_like(right)
        image = _product(y, left, right, base)
        denominator = (s * image).sum(1, keepdim=True)
        lengths = s.detach().norm(dim=1, keepdim=True) * image.detach().norm(dim=1, keepdim=True)
        small = torch.finfo(s.dtype).eps * lengths
        usable = (denominator.abs() > small) & denominator.isfinite()
        update = torch.where(usable, (s - image) / torch.where(usable, denominator, 1.0), 0.0)
        transposed = _product(s, right, left, [matrix.mT for matrix in base])
        return write(left, slot, update), write(right, slot, transposed)


def _product(x: Tensor, left: Tensor, right: Tensor, base: list[Tensor]) -> Tensor:
    """Return ``H x`` with ``H = base + sum_i left_i right_i^T``; the base is -1 if there is none."""
    start = torch.bmm(base[0], x.unsqueeze(2)).squeeze(2) if base else -x
    weights = torch.bmm(right, x.unsqueeze(2))
    return start + torch.bmm(left.mT, weights).squeeze(2)
