"""GMRES: the linear combination of Krylov vectors with the smallest residual."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets.implicit.iterate import frozen
from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Operator
from algonets.implicit.slots import write
from algonets.implicit.tracing import holds_anywhere

__all__ = ["GMRES"]


@final
@dataclass(frozen=True)
class GMRES(AbstractLinearSolver):
    r"""Restarted GMRES, for each example by itself, without building a matrix.

    .. math:: x = x_0 + \arg\min_{d \in K_k} \|b - M (x_0 + d)\|, \quad K_k = \mathrm{span}(r, M r, ..., M^{k-1} r)

    It converges for every regular matrix if it is not restarted, fast where the eigenvalues cluster.

    Args:
        restart: Krylov vectors that are kept, ``>= 1``.
        max_iterations: Most products with the matrix, ``>= 1``.

    Raises:
        ValueError, TypeError: a setting below 1 or no integer.

    Differentiability: as a part of a backward pass, any order (the adjoint equation is differentiated instead).
    Cost: one product an iteration, ``O(batch D restart)`` more time, and that memory.
    References: Y. Saad, M. Schultz 1986, GMRES, algorithm 3; the residual norm without rotations as in
    E. Ayachour 2003, A Fast Implementation for GMRES Method.

    Example:
        >>> from algonets.implicit import Implicit, root
        >>> a = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
        >>> root(lambda z: z**2 - a, torch.ones_like(a), backward=Implicit(GMRES())).value.backward()
        >>> a.grad
        tensor([0.2500], dtype=torch.float64)
    """

    restart: int = 30
    max_iterations: int = 300

    def __post_init__(self) -> None:
        check_at_least("GMRES(restart)", self.restart, 1)
        check_at_least("GMRES(max_iterations)", self.max_iterations, 1)

    def _solve(
        self, operator: Operator, b: Tensor, start: Tensor | None = None, tolerance: float | None = None
    ) -> Tensor:
        tolerance = 100 * torch.finfo(b.dtype).eps if tolerance is None else tolerance
        goal = tolerance * b.norm(dim=1)
        x = torch.zeros_like(b) if start is None else start
        used = 0
        while True:
            residual = b if used == 0 and start is None else b - operator.apply(x)
            active = residual.norm(dim=1) > goal
            if not holds_anywhere(active) or used >= self.max_iterations:
                return x
            count = min(self.restart, b.shape[1], self.max_iterations - used)
            correction = _cycle(operator, residual, goal, active, count)
            x = frozen(active & correction.isfinite().all(1), x + correction, x)
            used += count


def _cycle(operator: Operator, residual: Tensor, goal: Tensor, active: Tensor, count: int) -> Tensor:
    """Return the correction of at most ``count`` products; a row that met its goal adds nothing any more."""
    rows, width = residual.shape
    size = residual.norm(dim=1)
    basis = write(residual.new_zeros(rows, count + 1, width), 0, _divide(residual, size))
    hessenberg = residual.new_zeros(rows, count + 1, count)
    # gamma spans the left null space of the Hessenberg matrix: the residual norm is size / |gamma|.
    gamma = write(torch.zeros_like(hessenberg[:, :, 0]), 0, torch.ones_like(size))
    unit = torch.eye(count + 1, dtype=residual.dtype, device=residual.device)
    made = 0
    for k in range(count):
        w = operator.apply(basis[:, k])
        known = basis[:, : k + 1]
        column = torch.bmm(known, w.unsqueeze(2))
        w = w - torch.bmm(column.mT, known).squeeze(1)
        again = torch.bmm(known, w.unsqueeze(2))  # twice is enough for orthogonality
        w = w - torch.bmm(again.mT, known).squeeze(1)
        column, length = (column + again).squeeze(2), w.norm(dim=1)
        breakdown = length <= 10 * torch.finfo(w.dtype).eps * column.norm(dim=1)
        length = torch.where(breakdown, 0.0, length)
        following = -(gamma[:, : k + 1] * column).sum(1) / torch.where(breakdown, 1.0, length)
        column = torch.nn.functional.pad(torch.cat([column, length.unsqueeze(1)], 1), (0, count - k - 1))
        # The column of a row at rest is a unit vector: it leaves the least-squares problem as it is.
        hessenberg = write(hessenberg, k, frozen(active, column, unit[k + 1].expand_as(column)), dim=2)
        basis = write(basis, k + 1, frozen(active, _divide(w, length), torch.zeros_like(w)))
        gamma = write(gamma, k + 1, torch.where(active, following, 0.0))
        active = active & ~breakdown & (size > goal * gamma.norm(dim=1))
        made = k + 1
        if not holds_anywhere(active):
            break
    q, r = torch.linalg.qr(hessenberg[:, : made + 1, :made])
    target = q[:, 0] * size.unsqueeze(1)
    weights = torch.linalg.solve_triangular(r, target.unsqueeze(2), upper=True)
    return torch.bmm(basis[:, :made].mT, weights).squeeze(2)


def _divide(vector: Tensor, length: Tensor) -> Tensor:
    positive = length > 0
    return torch.where(positive.unsqueeze(1), vector / torch.where(positive, length, 1.0).unsqueeze(1), 0.0)
