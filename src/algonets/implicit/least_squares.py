"""Non-linear least squares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import reject, reject_type
from algonets.implicit.backward import AbstractBackward, Implicit
from algonets.implicit.dense import solve_dense
from algonets.implicit.iterate import AbstractSolver, frozen
from algonets.implicit.layer import Settings, relative_measure, run
from algonets.implicit.lbfgs import LBFGS
from algonets.implicit.linearise import Problem, dense_jacobian, gradient_of
from algonets.implicit.names import chosen
from algonets.implicit.newton import Newton, backtrack
from algonets.implicit.packing import Packing
from algonets.implicit.solution import OnFailure, Solution

__all__ = ["GaussNewton", "LevenbergMarquardt", "least_squares"]


def _parts(problem: Problem, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the residuals ``(B, M)`` and their Jacobian ``(B, M, D)`` as constants."""
    if problem.parts is None:
        raise TypeError("GaussNewton() and LevenbergMarquardt() must be used by least_squares, got another problem.")
    with torch.no_grad():
        return problem.parts(z), dense_jacobian(problem.parts, z)


@final
@dataclass(frozen=True)
class GaussNewton(AbstractSolver):
    r"""Gauss-Newton with a backtracking line search, for each example by itself.

    .. math:: x_{k+1} = x_k - t_k \, (J^\top J)^{+} J^\top r

    A Jacobian without full rank gives the shortest step. Quadratic convergence where the residuals vanish at the
    solution; where they do not, only linear, and :class:`LevenbergMarquardt` is safer.

    Args:
        backtracking: Most halvings, ``>= 0``.

    Raises:
        ValueError, TypeError: ``backtracking`` is negative or no integer.

    Differentiability: unrolled, matrices and step sizes are constants.
    Cost: min(M, D) or more backward passes and ``O(batch M D^2)`` an iteration.
    References: J. Nocedal, S. Wright, Numerical Optimization, 2006, section 10.3.

    Example:
        >>> line = lambda x: torch.tensor([0.0, 1.0, 2.0]) * x - torch.tensor([0.0, 2.0, 4.0])
        >>> least_squares(line, torch.zeros(1), solver=GaussNewton()).value
        tensor([2.])
    """

    backtracking: int = 30

    def __post_init__(self) -> None:
        check_at_least("GaussNewton(backtracking)", self.backtracking, 0)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        return ()

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        with torch.no_grad():
            _, jacobian = _parts(problem, z.detach())
            normal = jacobian.mT @ jacobian
            direction = -solve_dense(normal, residual.detach())
            direction = torch.where(direction.isfinite().all(1, keepdim=True), direction, -residual.detach())
            slope = (residual * direction).sum(1)
            step = backtrack(problem.height, z.detach(), direction, slope, self.backtracking)
        if torch.is_grad_enabled() and residual.requires_grad:
            direction = -solve_dense(normal, residual)
        return z + step.unsqueeze(1) * direction, ()


@final
@dataclass(frozen=True)
class LevenbergMarquardt(AbstractSolver):
    r"""The Levenberg-Marquardt method, with a damping for each example.

    .. math:: x_{k+1} = x_k - (J^\top J + \mu_k D)^{-1} J^\top r, \quad D = \mathrm{diag}(J^\top J)

    A step that does not lower the sum of squares is not taken, and the damping grows; after a good one it shrinks.

    Args:
        damping: The first ``mu > 0``, relative to the diagonal.

    Raises:
        ValueError: ``damping`` is not positive and finite.

    Differentiability: unrolled, matrices are constants and rejected steps carry no gradient.
    Cost: as :class:`GaussNewton`.
    References: D. Marquardt 1963; H. Nielsen 1999, Damping Parameter in Marquardt's Method, eq. 2.4.

    Example:
        >>> line = lambda x: torch.tensor([0.0, 1.0, 2.0]) * x - torch.tensor([0.0, 2.0, 4.0])
        >>> least_squares(line, torch.zeros(1), solver=LevenbergMarquardt()).value.round(decimals=4)
        tensor([2.])
    """

    damping: float = 1e-3

    def __post_init__(self) -> None:
        check_positive("LevenbergMarquardt(damping)", self.damping)

    def _start(self, problem: Problem, z: Tensor) -> tuple[Any, ...]:
        one = z.new_ones(z.shape[0])
        return self.damping * one, 2.0 * one

    def _propose(
        self, problem: Problem, z: Tensor, residual: Tensor, memory: tuple[Any, ...], k: int
    ) -> tuple[Tensor, tuple[Any, ...]]:
        damping, growth = memory
        with torch.no_grad():
            point = z.detach()
            _, jacobian = _parts(problem, point)
            normal = jacobian.mT @ jacobian
            diagonal = normal.diagonal(dim1=1, dim2=2)
            floor = torch.finfo(z.dtype).eps * diagonal.amax(1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
            diagonal = torch.maximum(diagonal, floor)
            matrix = normal + torch.diag_embed(damping.unsqueeze(1) * diagonal)
            d = -solve_dense(matrix, residual.detach())
            before = problem.height(point)
            slack = 8 * torch.finfo(z.dtype).eps * before.abs()
            gain = before - problem.height(point + d)
            model = 0.5 * (d * (damping.unsqueeze(1) * diagonal * d - residual)).sum(1)
            good = (gain >= -slack) & d.isfinite().all(1)
            ratio = (gain / model.clamp_min(torch.finfo(z.dtype).tiny)).clamp(-1, 1)
            shrink = (1 - (2 * ratio - 1) ** 3).clamp_min(1 / 3)
            damping = torch.where(good, damping * shrink, damping * growth).clamp(1e-15, 1e15)
            growth = torch.where(good, 2.0, growth * 2)
        if torch.is_grad_enabled() and residual.requires_grad:
            d = -solve_dense(matrix, residual)
        return frozen(good, z + d, z), (damping, growth)


_LEVENBERG_MARQUARDT = LevenbergMarquardt()
_SOLVERS = {
    "levenberg_marquardt": LevenbergMarquardt,
    "gauss_newton": GaussNewton,
    "lbfgs": LBFGS,
    "newton": Newton,
}
_IMPLICIT = Implicit()


def least_squares(
    residuals: Callable[..., Tensor],
    x0: Any,
    *args: Any,
    solver: AbstractSolver | str = _LEVENBERG_MARQUARDT,
    backward: AbstractBackward = _IMPLICIT,
    tolerance: float | None = None,
    max_iterations: int = 200,
    on_failure: OnFailure = "raise",
    event_dims: Any = 1,
) -> Solution:
    r"""Minimise a sum of squares, differentiably.

    .. math:: x^* = \arg\min_x \tfrac12 \sum_i r_i(x, \theta)^2

    Solved by a Gauss-Newton type method; differentiated exactly, with the full Hessian of the sum.

    Args:
        residuals: ``residuals(x, *args)``, ``(*batch, ...)``: all its further dimensions are squared and summed.
        x0: Start, a pytree of floating tensors ``(*batch, *event)``.
        args: Passed on to the residuals.
        solver: :class:`LevenbergMarquardt`, :class:`GaussNewton`, :class:`LBFGS` or :class:`Newton`; or by name,
            ``"levenberg_marquardt"``.
        backward: :class:`Implicit`, :class:`Unroll` or :class:`Checkpoint`.
        tolerance: Largest ``rms(J^T r) / (1 + rms(x))`` of an example; ``None`` as for :func:`fixed_point`.
        max_iterations: Most updates, ``>= 0``.
        on_failure: As of :func:`fixed_point`.
        event_dims: As of :func:`fixed_point`.

    Returns:
        :class:`Solution`, ``value`` like ``x0``.

    Raises:
        TypeError, ValueError, ConvergenceError: as :func:`fixed_point`.

    Differentiability: by :class:`Implicit` up to its ``order``, where the Hessian is regular; ``torch.func``
        transforms work.

    Cost: M backward passes of the residuals and ``O(batch M D^2)`` an iteration.

    References:
        J. Nocedal, S. Wright, *Numerical Optimization*, 2006, chapter 10.

    Example:
        >>> t = torch.linspace(0, 1, 5, dtype=torch.float64)
        >>> y = (2 * torch.exp(-3 * t)).requires_grad_()
        >>> fit = lambda x: x[..., :1] * torch.exp(-x[..., 1:] * t) - y
        >>> least_squares(fit, torch.ones(2, dtype=torch.float64)).value.detach().round(decimals=6)
        tensor([2., 3.], dtype=torch.float64)
    """
    solver = chosen("least_squares(solver)", solver, _SOLVERS)
    if not isinstance(solver, AbstractSolver):
        reject_type("least_squares(solver)", "must be LevenbergMarquardt() or GaussNewton()", solver)
    packing = Packing("least_squares(x0)", x0, event_dims)
    settings = Settings(backward, tolerance, max_iterations, on_failure).checked("least_squares", packing)

    def parts(x: Tensor) -> Tensor:
        call = "least_squares(residuals)"
        result = check_floating(call, residuals(packing.unpack(x), *args))
        if result.shape[: len(packing.batch)] != packing.batch:
            reject(call, f"must return leading dimensions {tuple(packing.batch)}", result, "Keep the batch of x0.")
        return result.reshape(packing.rows, result.shape[len(packing.batch) :].numel()).to(packing.dtype)

    def merit(x: Tensor) -> Tensor:
        return 0.5 * parts(x).square().sum(1)

    problem = Problem(gradient_of(merit), merit=merit, gradient=True, parts=parts)
    return run("least_squares", packing, packing.pack(x0), problem, solver, settings, measure=relative_measure)
