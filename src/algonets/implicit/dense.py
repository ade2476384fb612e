"""Dense linear systems."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Operator
from algonets.implicit.tracing import holds_anywhere

__all__ = ["Dense"]


@final
@dataclass(frozen=True)
class Dense(AbstractLinearSolver):
    """Build the matrix of each example and factorise it: exact, for small D.

    A singular matrix gives the least-squares solution of smallest norm.

    Differentiability: an exact solve, any order.
    Cost: D products with the Jacobian at once, ``O(batch D^3)`` time, ``O(batch D^2)`` memory.
    References: G. Golub, C. Van Loan, Matrix Computations, 2013, section 3.4.

    Example:
        >>> from algonets.implicit import Implicit, root
        >>> a = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
        >>> root(lambda z: z**2 - a, torch.ones_like(a), backward=Implicit(Dense())).value.backward()
        >>> a.grad
        tensor([0.2500], dtype=torch.float64)
    """

    def _solve(
        self, operator: Operator, b: Tensor, start: Tensor | None = None, tolerance: float | None = None
    ) -> Tensor:
        return solve_dense(operator.dense(), b)


def solve_dense(matrix: Tensor, b: Tensor) -> Tensor:
    """Solve ``matrix x = b``, rows ``(B, D)``; a singular one by its pseudo-inverse."""
    x, info = torch.linalg.solve_ex(matrix, b.unsqueeze(2))
    singular = (info != 0) | ~x.squeeze(2).isfinite().all(1)
    singular = singular & matrix.isfinite().all(2).all(1)
    if holds_anywhere(singular):
        safe = torch.where(singular[:, None, None], matrix, torch.eye(b.shape[1], dtype=b.dtype, device=b.device))
        pseudo = torch.linalg.pinv(safe) @ b.unsqueeze(2)
        x = torch.where(singular[:, None, None], pseudo, x)
    return x.squeeze(2)
