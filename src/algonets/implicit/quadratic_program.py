"""Convex quadratic programmes."""

from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_finite, check_floating, check_same_kind
from algonets._core.errors import reject, require
from algonets.implicit.argmin import constrained_task
from algonets.implicit.backward import Implicit
from algonets.implicit.dense import Dense
from algonets.implicit.interior_point import Model, kkt_residual
from algonets.implicit.layer import Settings
from algonets.implicit.linearise import Problem
from algonets.implicit.packing import Packing
from algonets.implicit.solution import OnFailure, Solution, rms

__all__ = ["quadratic_program"]

_EVENT = {"Q": 2, "q": 1, "A": 2, "b": 1, "G": 2, "h": 1}


def quadratic_program(
    Q: Tensor,
    q: Tensor,
    *,
    A: Tensor | None = None,
    b: Tensor | None = None,
    G: Tensor | None = None,
    h: Tensor | None = None,
    backward: Implicit | None = None,
    multipliers: bool = False,
    tolerance: float = 1e-8,
    max_iterations: int = 50,
    on_failure: OnFailure = "raise",
) -> Solution:
    r"""Solve convex quadratic programmes, differentiably in all their coefficients.

    .. math:: x^* = \arg\min_x \tfrac12 x^\top Q x + q^\top x \quad \text{subject to} \quad A x = b, \; G x \le h

    A primal-dual interior-point method for the whole batch at once, each programme with its own steps, then Newton's
    method on the active set, which gives the last digits. It is computed in float64 whatever the dtype.

    Args:
        Q: ``(*batch, n, n)``, symmetric and positive semi-definite; only its symmetric part counts.
        q: ``(*batch, n)``.
        A, b: Equalities ``(*batch, p, n)`` and ``(*batch, p)``.
        G, h: Inequalities ``(*batch, m, n)`` and ``(*batch, m)``. All leading dimensions broadcast.
        backward: An :class:`Implicit`; ``Implicit(Dense())`` by default.
        multipliers: Return ``(x, nu, lambda)`` as the value.
        tolerance: Largest ``rms(conditions) / (1 + rms(q) + rms(b) + rms(h))`` of a programme.
        max_iterations: Most steps, ``>= 0``.
        on_failure: As of :func:`fixed_point`.

    Returns:
        :class:`Solution`, ``value`` of shape ``(*batch, n)`` and the dtype of ``q``.

    Raises:
        TypeError: a coefficient is no floating tensor, or not of the dtype of ``q``.
        ValueError: shapes that do not fit; one of ``A, b`` or ``G, h`` without the other; NaN or inf.
        ConvergenceError: an infeasible or unbounded programme, as ``on_failure`` says.

    Differentiability: twice by default, where the solution is unique, active multipliers are positive and active
        constraints independent. ``torch.func`` transforms work.

    Cost: about ten to twenty factorisations, ``O(batch (n + p)^3)``; backward one of size n + p + m.

    References:
        B. Amos, J. Z. Kolter, *OptNet: Differentiable Optimization as a Layer in Neural Networks*, ICML 2017.
        J. Nocedal, S. Wright, *Numerical Optimization*, 2006, algorithm 16.4.

    Example:
        >>> q = torch.tensor([-1.0, 1.0], requires_grad=True)
        >>> x = quadratic_program(torch.eye(2), q, G=-torch.eye(2), h=torch.zeros(2)).value
        >>> x.detach()
        tensor([1., 0.])
        >>> x.sum().backward()
        >>> q.grad
        tensor([-1.,  0.])
    """
    given = {"Q": Q, "q": q, "A": A, "b": b, "G": G, "h": h}
    _check(given)
    wide = q.dtype if q.device.type == "mps" else torch.float64
    n = q.shape[-1]
    batch = torch.broadcast_shapes(*(t.shape[: t.ndim - _EVENT[name]] for name, t in given.items() if t is not None))
    rows = batch.numel()
    empty = {"A": (0, n), "b": (0,), "G": (0, n), "h": (0,)}

    def flat(name: str) -> Tensor:
        tensor = given[name]
        tensor = q.new_zeros(empty[name]) if tensor is None else tensor
        event = tensor.shape[tensor.ndim - _EVENT[name] :]
        return tensor.expand(*batch, *event).reshape(rows, *event).to(wide)

    Q, q_rows, A, b, G, h = (flat(name) for name in given)
    Q = 0.5 * (Q + Q.mT)
    sizes = [n, b.shape[1], h.shape[1]]

    def conditions(w: Tensor) -> Tensor:
        x, nu, multiplier = w.split(sizes, 1)
        stationarity = _times(Q, x) + q_rows + _times(A.mT, nu) + _times(G.mT, multiplier)
        return kkt_residual(stationarity, _times(A, x) - b, _times(G, x) - h, multiplier)

    def jacobian(w: Tensor) -> Tensor:
        x, _, multiplier = w.split(sizes, 1)
        idle = (multiplier < h - _times(G, x)).unsqueeze(2)  # rows of lambda; the others are those of -g
        eye = torch.eye(sizes[2], dtype=w.dtype, device=w.device)
        top = torch.cat([Q, A.mT, G.mT], 2)
        middle = torch.cat([A, A.new_zeros(rows, sizes[1], sizes[1] + sizes[2])], 2)
        left = torch.cat([torch.where(idle, 0.0, -G), G.new_zeros(rows, sizes[2], sizes[1])], 2)
        return torch.cat([top, middle, torch.cat([left, torch.where(idle, eye, 0.0)], 2)], 1)

    def model(x: Tensor, nu: Tensor, multiplier: Tensor) -> Model:
        return Model(_times(Q, x) + q_rows, Q, (_times(A, x) - b, A), (_times(G, x) - h, G))

    def measure(residual: Tensor, w: Tensor) -> Tensor:
        return rms(residual) / scale

    scale = 1 + rms(q_rows.detach()) + rms(b.detach()) + rms(h.detach())
    packing = Packing("quadratic_program(q)", q.expand(*batch, n), 1)
    packing.dtype = wide
    chosen = Implicit(Dense()) if backward is None else backward
    settings = Settings(chosen, tolerance, max_iterations, on_failure).checked("quadratic_program", packing)
    problem = Problem(conditions, jacobian=jacobian)
    with torch.no_grad():
        start = _start(Q, q_rows, A, b, G, h)
    return constrained_task("quadratic_program", packing, problem, model, start, sizes, settings, measure, multipliers)


def _start(Q: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor) -> Tensor:
    """Return the minimiser with the inequalities as squared penalties, and multipliers from their residuals."""
    n, p = q.shape[1], b.shape[1]
    top = Q + G.mT @ G + 1e-8 * torch.eye(n, dtype=Q.dtype, device=Q.device)
    corner = -1e-8 * torch.eye(p, dtype=Q.dtype, device=Q.device).expand(len(Q), p, p)
    matrix = torch.cat([torch.cat([top, A.mT], 2), torch.cat([A, corner], 2)], 1)
    right = torch.cat([_times(G.mT, h) - q, b], 1)
    solved, _ = torch.linalg.solve_ex(matrix, right.unsqueeze(2))
    x, nu = solved.squeeze(2).split([n, p], 1)
    multiplier = _times(G, x) - h
    if multiplier.shape[1]:
        lowest = multiplier.amin(1, keepdim=True)
        multiplier = torch.where(lowest <= 0, multiplier + 1 - lowest, multiplier)
    return torch.cat([x, nu, multiplier], 1)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.bmm(matrix, vector.unsqueeze(2)).squeeze(2)


def _check(given: dict[str, Any]) -> None:
    call = "quadratic_program"
    q = check_floating(f"{call}(q)", given["q"])
    require(q.ndim >= 1, f"{call}(q)", "must have at least one dimension", q)
    n = q.shape[-1]
    for name, value in given.items():
        if value is None:
            continue
        check_floating(f"{call}({name})", value)
        check_same_kind(f"{call}({name})", value, q, "q")
        check_finite(f"{call}({name})", value)
        width = value.shape[-1] if value.ndim and name in "QAG" else n
        if value.ndim < _EVENT[name] or width != n or (name == "Q" and value.shape[-2] != n):
            reject(f"{call}({name})", f"must have {_EVENT[name]} trailing dimensions that fit n = {n}", value)
    for matrix, vector in (("A", "b"), ("G", "h")):
        if (given[matrix] is None) != (given[vector] is None):
            missing = matrix if given[matrix] is None else vector
            reject(f"{call}({missing})", f"must be given together with {matrix if missing == vector else vector}", None)
        if given[matrix] is not None and given[matrix].shape[-2] != given[vector].shape[-1]:
            reject(f"{call}({vector})", f"must have one entry a row of {matrix}", given[vector])
