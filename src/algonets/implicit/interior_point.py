"""A primal-dual interior-point method for convex problems with constraints."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from algonets.implicit.iterate import Outcome, Stopping, frozen, iterate
from algonets.implicit.linearise import Problem
from algonets.implicit.newton import Newton
from algonets.implicit.tracing import holds_anywhere

__all__ = ["Model", "kkt_residual", "solve_kkt"]


class Model(NamedTuple):
    """The problem near a point: what Newton's method on the optimality conditions needs.

    Attributes:
        gradient: Of the objective, ``(B, n)``.
        hessian: Of the Lagrangian, ``(B, n, n)``.
        equality: ``h(x)``, ``(B, p)``, and its Jacobian ``(B, p, n)``.
        inequality: ``g(x)``, ``(B, m)``, and its Jacobian ``(B, m, n)``.
    """

    gradient: Tensor
    hessian: Tensor
    equality: tuple[Tensor, Tensor]
    inequality: tuple[Tensor, Tensor]


def kkt_residual(stationarity: Tensor, equality: Tensor, inequality: Tensor, multiplier: Tensor) -> Tensor:
    """Return the optimality conditions as equations, ``(B, n + p + m)``.

    The last rows are ``min(lambda, -g)``, zero exactly where ``g <= 0``, ``lambda >= 0`` and ``lambda g = 0``. They
    are the conditions of the active set: g where it is active, lambda where not.
    """
    return torch.cat([stationarity, equality, torch.where(multiplier < -inequality, multiplier, -inequality)], 1)


def solve_kkt(
    problem: Problem, model: Callable[[Tensor, Tensor, Tensor], Model], w: Tensor, sizes: list[int], stopping: Stopping
) -> Outcome:
    """Solve the conditions from ``w = (x, nu, lambda)``: interior point, then Newton's method on the active set.

    Args:
        problem: With :func:`kkt_residual` as its residual.
        model: ``(x, nu, lambda)`` to the model there.
        w: Start ``(B, n + p + m)``.
        sizes: ``n, p, m``.
        stopping: As of :func:`iterate`.
    """
    used = torch.zeros_like(w[:, 0], dtype=torch.int64)
    if sizes[2]:
        w, used = _interior_point(model, w, sizes, stopping)
        # The active set is known now: Newton's method on it takes the last digits, a step or two.
        exact = 4 * torch.finfo(w.dtype).eps
        polished = iterate(Newton(), problem, w, Stopping(exact, min(stopping.max_iterations, 3), stopping.measure))
        polished = polished._replace(converged=polished.residual <= stopping.tolerance)
    else:
        polished = iterate(Newton(), problem, w, stopping)
    return polished._replace(iterations=polished.iterations + used)


def _interior_point(model, w: Tensor, sizes: list[int], stopping: Stopping) -> tuple[Tensor, Tensor]:
    x, nu, multiplier = w.split(sizes, 1)
    here = model(x, nu, multiplier)
    slack = (-here.inequality[0]).clamp_min(1e-2 * multiplier.abs().amax(1, keepdim=True).clamp_min(1.0))
    multiplier = multiplier.clamp_min(1e-2)
    used = torch.zeros_like(w[:, 0], dtype=torch.int64)
    active = torch.ones_like(used, dtype=torch.bool)
    # Beyond this the linear systems are too ill-conditioned to gain more.
    goal = max(stopping.tolerance, torch.finfo(w.dtype).eps ** 0.6)
    for _ in range(stopping.max_iterations):
        size = _error(here, nu, multiplier, slack, stopping, x)
        active = active & (size > goal) & (size < torch.inf)
        if not holds_anywhere(active):
            break
        moved = _advance(here, x, nu, multiplier, slack)
        sound = torch.stack([part.isfinite().all(1) for part in moved]).all(0)
        active = active & sound
        old = (x, nu, multiplier, slack)
        x, nu, multiplier, slack = (frozen(active, new, was) for new, was in zip(moved, old, strict=True))
        used = used + active
        here = model(x, nu, multiplier)
    return torch.cat([x, nu, multiplier], 1), used


def _error(here: Model, nu: Tensor, multiplier: Tensor, slack: Tensor, stopping: Stopping, x: Tensor) -> Tensor:
    residuals = [*_residuals(here, nu, multiplier, slack), multiplier * slack]
    return stopping.measure(torch.cat(residuals, 1), x)


def _residuals(here: Model, nu: Tensor, multiplier: Tensor, slack: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    h, a = here.equality
    g, jacobian = here.inequality
    return here.gradient + _transposed(a, nu) + _transposed(jacobian, multiplier), h, g + slack


def _advance(here: Model, x: Tensor, nu: Tensor, multiplier: Tensor, slack: Tensor) -> tuple[Tensor, ...]:
    """Take a predictor-corrector step (Mehrotra)."""
    dual, equal, primal = _residuals(here, nu, multiplier, slack)
    a, jacobian = here.equality[1], here.inequality[1]
    weight = multiplier / slack
    n, p = x.shape[1], nu.shape[1]
    top = here.hessian + (jacobian.mT * weight.unsqueeze(1)) @ jacobian
    # A touch of regularisation: redundant constraints and flat objectives must not make it singular.
    touch = 10 * torch.finfo(x.dtype).eps * top.diagonal(dim1=1, dim2=2).abs().amax(1).clamp_min(1.0)
    eye = torch.eye(n + p, dtype=x.dtype, device=x.device)
    eye = torch.where(torch.arange(n + p, device=x.device) < n, eye, -eye)
    lower = torch.cat([a, torch.zeros_like(a[:, :, :1]).expand(-1, -1, p)], 2)
    matrix = torch.cat([torch.cat([top, a.mT], 2), lower], 1) + touch[:, None, None] * eye
    factors, pivots, _ = torch.linalg.lu_factor_ex(matrix)

    def direction(target: Tensor) -> tuple[Tensor, ...]:
        # target is what slack * d_multiplier + multiplier * d_slack must be.
        bend = target / slack + weight * primal
        right = torch.cat([-dual - _transposed(jacobian, bend), -equal], 1)
        step = torch.linalg.lu_solve(factors, pivots, right.unsqueeze(2)).squeeze(2)
        dx, dnu = step.split([n, p], 1)
        ds = -primal - torch.bmm(jacobian, dx.unsqueeze(2)).squeeze(2)
        return dx, dnu, target / slack - weight * ds, ds

    product = multiplier * slack
    _, _, dm, ds = direction(-product)
    reach = _reach(multiplier, dm, slack, ds)
    mean = product.mean(1, keepdim=True)
    ahead = ((multiplier + reach * dm) * (slack + reach * ds)).mean(1, keepdim=True)
    centre = (ahead / mean.clamp_min(torch.finfo(x.dtype).tiny)).clamp(0, 1) ** 3
    dx, dnu, dm, ds = direction(centre * mean - product - dm * ds)
    reach = 0.99 * _reach(multiplier, dm, slack, ds)
    reach = torch.where(reach > 0.98, 1 - (1 - reach).clamp_min(1e-3), reach)
    return x + reach * dx, nu + reach * dnu, multiplier + reach * dm, slack + reach * ds


def _reach(multiplier: Tensor, dm: Tensor, slack: Tensor, ds: Tensor) -> Tensor:
    """Return the longest step up to 1 that keeps multipliers and slacks non-negative, ``(B, 1)``."""
    value, change = torch.cat([multiplier, slack], 1), torch.cat([dm, ds], 1)
    ratio = torch.where(change < 0, -value / torch.where(change < 0, change, -1.0), torch.inf)
    return ratio.amin(1, keepdim=True).clamp_max(1.0)


def _transposed(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.bmm(vector.unsqueeze(1), matrix).squeeze(1)
