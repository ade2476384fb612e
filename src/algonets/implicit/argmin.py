"""Minimisers: unconstrained, projected, and with constraints."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import reject, reject_type
from algonets.implicit.backward import AbstractBackward, Implicit
from algonets.implicit.dense import Dense
from algonets.implicit.interior_point import Model, kkt_residual, solve_kkt
from algonets.implicit.iterate import AbstractSolver, Outcome, Stopping
from algonets.implicit.layer import Settings, relative_measure, run
from algonets.implicit.lbfgs import LBFGS
from algonets.implicit.linearise import Problem, Rows, dense_jacobian, gradient_of
from algonets.implicit.names import chosen
from algonets.implicit.newton import Newton
from algonets.implicit.packing import Packing
from algonets.implicit.projected_gradient import ProjectedGradient
from algonets.implicit.solution import OnFailure, Solution

__all__ = ["argmin", "constrained_task"]

_SOLVERS = {"lbfgs": LBFGS, "newton": Newton, "projected_gradient": ProjectedGradient}


def argmin(
    objective: Callable[..., Tensor],
    x0: Any,
    *args: Any,
    equality: Callable[..., Tensor] | None = None,
    inequality: Callable[..., Tensor] | None = None,
    project: Callable[..., Any] | None = None,
    solver: AbstractSolver | str | None = None,
    backward: AbstractBackward | None = None,
    multipliers: bool = False,
    tolerance: float | None = None,
    max_iterations: int = 500,
    on_failure: OnFailure = "raise",
    event_dims: Any = 1,
) -> Solution:
    r"""Find a minimiser, differentiably: of nothing but an objective, on a set, or under constraints.

    .. math:: x^* = \arg\min_x f(x, \theta) \quad \text{subject to} \quad h(x, \theta) = 0, \; g(x, \theta) \le 0
        \quad \text{or} \quad x \in C(\theta)

    It solves, and differentiates, the optimality conditions: ``grad f = 0``; on a set ``x = P(x - grad f)`` with its
    projection P; under constraints those of Karush, Kuhn and Tucker,
    ``grad f + J_h^T nu + J_g^T lambda = 0, h = 0, min(lambda, -g) = 0``, whose last row is the equation of the active
    set. What is found is a stationary point: a global minimum where the problem is convex.

    Args:
        objective: ``objective(x, *args)``, one value an example, ``(*batch,)``; twice differentiable.
        x0: Start, a pytree of floating tensors ``(*batch, *event)``. It need not be feasible.
        args: Passed on to the objective, the constraints and the projection.
        equality: ``h(x, *args)``, ``(*batch, p)``, to be 0.
        inequality: ``g(x, *args)``, ``(*batch, m)``, to be at most 0.
        project: ``P(x, *args)``, the Euclidean projection onto a convex set; not together with constraints.
        solver: Without constraints :class:`LBFGS` (default) or :class:`Newton`; with ``project``
            :class:`ProjectedGradient` (default); or by name, ``"lbfgs"``. Under constraints it is a primal-dual
            interior-point method that ends with Newton's method on the active set, and nothing is to choose.
        backward: :class:`Implicit` by default, ``Implicit(Dense())`` under constraints. :class:`Unroll` and
            :class:`Checkpoint` work without constraints.
        multipliers: Return ``(x, nu, lambda)`` as the value, all differentiable; only under constraints.
        tolerance: Largest ``rms(conditions) / (1 + rms(x))`` of an example; ``None`` as for :func:`fixed_point`.
        max_iterations: Most updates, ``>= 0``.
        on_failure: As of :func:`fixed_point`.
        event_dims: As of :func:`fixed_point`.

    Returns:
        :class:`Solution`, ``value`` like ``x0``.

    Raises:
        TypeError, ValueError, ConvergenceError: as :func:`fixed_point`; a problem without a feasible point, or one
            without a lower bound, does not converge.

    Differentiability: as of :func:`fixed_point`, where the Hessian (on the active set) is regular, no active
        multiplier is 0 and active constraints have independent gradients. ``torch.func`` transforms work.

    Cost: :class:`LBFGS` one gradient and one value an iteration; constraints take ``O(batch (n + p + m)^3)`` and a
        Hessian.

    References:
        J. Nocedal, S. Wright, *Numerical Optimization*, 2006, chapters 7, 12 and 19.
        B. Amos, J. Z. Kolter, *OptNet*, ICML 2017, eq. 6. M. Blondel et al. 2022, *Efficient and Modular Implicit
        Differentiation*, table 1.

    Example:
        >>> y = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
        >>> solution = argmin(
        ...     lambda x: (x - y).square().sum(-1), torch.zeros(2, dtype=torch.float64),
        ...     equality=lambda x: x.sum(-1, keepdim=True) - 1, inequality=lambda x: -x,
        ... )
        >>> solution.value.detach().round(decimals=6).abs()
        tensor([0., 1.], dtype=torch.float64)
    """
    packing = Packing("argmin(x0)", x0, event_dims)
    if project is not None and (equality is not None or inequality is not None):
        remedy = "Put the set into the constraints, or the constraints into the projection."
        reject("argmin(project)", "must stand alone", "constraints beside it", remedy)
    constrained = equality is not None or inequality is not None
    if backward is None:
        backward = Implicit(Dense()) if constrained else Implicit()
    settings = Settings(backward, tolerance, max_iterations, on_failure).checked("argmin", packing)
    values = packing.scalars("argmin(objective)", objective, args)
    if constrained:
        if solver is not None:
            reject_type("argmin(solver)", "must be left out under constraints", solver)
        return _constrained(packing, values, packing.pack(x0), equality, inequality, args, settings, multipliers)
    if multipliers:
        reject("argmin(multipliers)", "must be False without constraints", multipliers)
    gradient = gradient_of(values)
    if project is None:
        problem = Problem(gradient, merit=values, gradient=True)
        default = LBFGS()
    else:
        problem = _projected(gradient, values, packing.function("argmin(project)", project, args))
        default = ProjectedGradient()
    solver = default if solver is None else chosen("argmin(solver)", solver, _SOLVERS)
    if not isinstance(solver, AbstractSolver):
        reject_type("argmin(solver)", "must be LBFGS(), Newton() or ProjectedGradient()", solver)
    return run("argmin", packing, packing.pack(x0), problem, solver, settings, measure=relative_measure)


def _projected(gradient: Rows, values: Rows, project: Rows) -> Problem:
    def residual(x: Tensor) -> Tensor:
        return project(x - gradient(x)) - x

    return Problem(residual, merit=values, slope=gradient, project=project)


def _constrained(
    packing: Packing,
    values: Rows,
    x: Tensor,
    equality: Callable[..., Tensor] | None,
    inequality: Callable[..., Tensor] | None,
    args: tuple[Any, ...],
    settings: Settings,
    multipliers: bool,
) -> Solution:
    h = _constraint("argmin(equality)", packing, equality, args)
    g = _constraint("argmin(inequality)", packing, inequality, args)
    with torch.no_grad():
        sizes = [packing.width, h(x).shape[1], g(x).shape[1]]

    def lagrangian(x: Tensor, nu: Tensor, multiplier: Tensor) -> Tensor:
        return values(x) + (nu * h(x)).sum(1) + (multiplier * g(x)).sum(1)

    def stationarity(x: Tensor, nu: Tensor, multiplier: Tensor) -> Tensor:
        return gradient_of(lambda point: lagrangian(point, nu, multiplier))(x)

    def residual(w: Tensor) -> Tensor:
        x, nu, multiplier = w.split(sizes, 1)
        return kkt_residual(stationarity(x, nu, multiplier), h(x), g(x), multiplier)

    def model(x: Tensor, nu: Tensor, multiplier: Tensor) -> Model:
        hessian = dense_jacobian(lambda point: stationarity(point, nu, multiplier), x)
        pairs = [(function(x), dense_jacobian(function, x)) for function in (h, g)]
        return Model(gradient_of(values)(x), hessian, *pairs)

    def measure(conditions: Tensor, w: Tensor) -> Tensor:
        # Relative to x alone: the multipliers of an infeasible problem grow without bound.
        return relative_measure(conditions, w[:, : sizes[0]])

    start = torch.cat([x, x.new_zeros(packing.rows, sizes[1]), x.new_ones(packing.rows, sizes[2])], 1)
    return constrained_task("argmin", packing, Problem(residual), model, start, sizes, settings, measure, multipliers)


def constrained_task(
    call: str,
    packing: Packing,
    problem: Problem,
    model: Callable[[Tensor, Tensor, Tensor], Model],
    start: Tensor,
    sizes: list[int],
    settings: Settings,
    measure: Callable[[Tensor, Tensor], Tensor],
    multipliers: bool,
) -> Solution:
    """Solve and differentiate the optimality conditions on rows ``(x, nu, lambda)``."""
    if not isinstance(settings.backward, Implicit):
        reject_type(f"{call}(backward)", "must be Implicit(...) under constraints", settings.backward)

    def solve(w: Tensor, tolerance: float, max_iterations: int) -> Outcome:
        return solve_kkt(problem, model, w, sizes, Stopping(tolerance, max_iterations, measure))

    def unpack(w: Tensor) -> Any:
        x, nu, multiplier = w.split(sizes, 1)
        value = packing.unpack(x)
        if not multipliers:
            return value
        dtype = packing.dtypes[0]
        return value, *(part.reshape(*packing.batch, part.shape[1]).to(dtype) for part in (nu, multiplier))

    remedy = "Check that a feasible point and a minimum exist, allow more iterations or loosen the tolerance."
    return run(call, packing, start, problem, solve, settings, unpack=unpack, remedy=remedy)


def _constraint(
    call: str, packing: Packing, function: Callable[..., Tensor] | None, args: tuple[Any, ...]
) -> Callable[[Tensor], Tensor]:
    def rows(x: Tensor) -> Tensor:
        if function is None:
            return x[:, :0]
        result = check_floating(call, function(packing.unpack(x), *args))
        if result.ndim != len(packing.batch) + 1 or result.shape[:-1] != packing.batch:
            remedy = "One row of constraints an example; flatten them and keep the batch."
            reject(call, f"must return the shape {(*packing.batch, 'm')}", result, remedy)
        return result.reshape(packing.rows, result.shape[-1]).to(packing.dtype)

    return rows
