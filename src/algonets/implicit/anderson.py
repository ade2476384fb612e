"""Anderson acceleration: combine the last iterates so that their residuals cancel."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import require
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.linearise import Problem
from algonets.implicit.slots import write

__all__ = ["Anderson"]


@final
@dataclass(frozen=True)
class Anderson(AbstractSolver):
    r"""Anderson acceleration (type II) with a memory of m iterates, for each example by itself.

    .. math::

        z_{k+1} = \sum_i \alpha_i \, (z_i + \beta F_i), \quad
        \alpha = \arg\min_{\sum \alpha = 1} \Big\|\sum_i \alpha_i F_i\Big\|^2, \quad F_i = f(z_i) - z_i

    The Gram matrix of the residuals is scaled to a unit diagonal before the regularisation, so that late, small
    residuals count as much as early ones; the small system is solved in double precision and can never raise.

    Args:
        memory: ``m >= 1`` iterates; 1 is Picard's iteration.
        damping: ``beta`` in (0, 1], the share of the residual that is added.
        regularisation: ``>= 0``, added to the unit diagonal; ``None`` is 10 times the rounding of the dtype.

    Raises:
        ValueError: a setting outside its range.
        TypeError: ``memory`` is not an integer.

    Differentiability: unrolled, the coefficients are differentiated too, as often as the step is; as constants they
    would leave the gradient of the last iterate far behind the iterate.
    Cost: one step an iteration, and O(batch D m) time and memory.
    References: D. G. Anderson, Iterative Procedures for Nonlinear Integral Equations, 1965; H. Walker, P. Ni 2011,
    Anderson Acceleration for Fixed-Point Iterations; S. Bai, J. Z. Kolter, V. Koltun 2019, Deep Equilibrium Models.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> solution = fixed_point(torch.cos, torch.zeros(1, dtype=torch.float64), solver=Anderson(memory=3))
        >>> round(solution.value.item(), 6), bool(solution.iterations < 10)
        (0.739085, True)
    """

    memory: int = 5
    damping: float = 1.0
    regularisation: float | None = None

    def __post_init__(self) -> None:
        check_at_least("Anderson(memory)", self.memory, 1)
        check_positive("Anderson(damping)", self.damping)
        require(self.damping <= 1, "Anderson(damping)", "must be at most 1", self.damping)
        if self.regularisation is not None:
            good = isinstance(self.regularisation, int | float) and 0 <= self.regularisation < float("inf")
            require(good, "Anderson(regularisation)", "must be a number of at least 0, or None", self.regularisation)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        rows, width = z.shape
        # The mixed images z + beta F, the residuals, and their Gram matrix; a slot is overwritten after m updates.
        images = z.new_zeros(rows, self.memory, width)
        return images, torch.zeros_like(images), z.new_zeros(rows, self.memory, self.memory)

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        images, residuals, gram = memory
        slot, used = k % self.memory, min(k + 1, self.memory)
        images = write(images, slot, z + self.damping * residual if self.damping != 1 else z + residual)
        residuals = write(residuals, slot, residual)
        row = torch.bmm(residuals, residual.unsqueeze(2)).squeeze(2)
        gram = write(write(gram, slot, row), slot, row, dim=2)
        alpha = self._coefficients(gram[:, :used, :used])
        proposed = torch.bmm(alpha.unsqueeze(1), images[:, :used]).squeeze(1)
        return proposed, (images, residuals, gram)

    def _coefficients(self, gram: Tensor) -> Tensor:
        """Return ``(B, n)``, the minimiser of ``alpha^T gram alpha`` with sum 1; equal ones where that fails."""
        wide = gram.dtype if gram.device.type == "mps" else torch.float64
        regularisation = self.regularisation
        if regularisation is None:
            regularisation = 10 * torch.finfo(gram.dtype).eps
        exact = gram.to(wide)
        scale = exact.diagonal(dim1=1, dim2=2).clamp_min(torch.finfo(wide).tiny).rsqrt()
        system = exact * scale.unsqueeze(1) * scale.unsqueeze(2)
        system = system + regularisation * torch.eye(gram.shape[1], dtype=wide, device=gram.device)
        # solve_ex reports instead of raising: one singular example must not stop the batch.
        weights, _ = torch.linalg.solve_ex(system, scale.unsqueeze(2))
        weights = weights.squeeze(2) * scale
        alpha = weights / weights.sum(1, keepdim=True)
        equal = torch.full_like(alpha, 1 / gram.shape[1])
        return torch.where(alpha.isfinite().all(1, keepdim=True), alpha, equal).to(gram.dtype)
