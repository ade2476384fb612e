"""The implicit function theorem as a node of autograd, and as plain operations for ``torch.func``."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from algonets.implicit.dense import solve_dense
from algonets.implicit.iterate import AbstractSolver, Stopping, iterate
from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Operator, Problem, push_of, transposed_columns, vector_product
from algonets.implicit.solution import ConvergenceError, ConvergenceWarning, rms
from algonets.implicit.tracing import holds_anywhere

__all__ = ["Adjoint", "attach", "newton_attach"]

_FEW_ROUNDINGS = 20


@dataclass
class Adjoint:
    """How ``A^T u = -g`` is solved in the backward pass, A the Jacobian of the residual at the solution.

    Attributes:
        call: Name of the layer in messages.
        solver: A linear solver, or a fixed-point solver for ``u = u + A^T u + g``.
        tolerance: Relative to the norm of g; ``None`` is a few roundings, or what can be reached.
        max_iterations: Of a fixed-point solver.
        on_failure: As of the layer.
        memory: Where the last solution is kept for a warm start; ``None`` keeps none.
    """

    call: str
    solver: AbstractLinearSolver | AbstractSolver
    tolerance: float | None
    max_iterations: int
    on_failure: str
    memory: dict[str, Tensor] | None = field(default=None)

    def solve(self, problem: Problem, z: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``u`` and ``A^T u``, detached."""
        point = z.detach().requires_grad_()
        with torch.enable_grad():
            value = problem.residual(point)

        def pull(u: Tensor) -> Tensor:
            return vector_product(value, point, u, retain_graph=True)

        def make_dense() -> Tensor:
            known = problem.jacobian(z.detach()) if problem.jacobian is not None else transposed_columns(value, point)
            return known.detach().mT

        size = rms(g)
        tolerance = self.tolerance or _FEW_ROUNDINGS * torch.finfo(g.dtype).eps
        start = self._remembered(g)
        if isinstance(self.solver, AbstractLinearSolver):
            u = self.solver._solve(Operator(pull, lambda: push_of(value, point), make_dense), -g, start, tolerance)
        else:
            scale = torch.where(size > 0, size, 1.0)
            stopping = Stopping(tolerance, self.max_iterations, lambda r, u: rms(r) / scale)
            start = g if start is None else start
            u = iterate(self.solver, Problem(lambda u: pull(u) + g), start, stopping).z
        pulled = pull(u)
        u = self._checked(u, pulled, g, size)
        if self.memory is not None:
            self.memory["u"] = u
        return u, pulled

    def _remembered(self, g: Tensor) -> Tensor | None:
        last = self.memory.get("u") if self.memory is not None else None
        fits = last is not None and last.shape == g.shape and last.dtype == g.dtype and last.device == g.device
        return last if fits else None

    def _checked(self, u: Tensor, pulled: Tensor, g: Tensor, size: Tensor) -> Tensor:
        """Say where the adjoint equation is not solved, and keep NaN from spreading."""
        error = rms(pulled + g)
        allowed = max(100 * (self.tolerance or 0.0), torch.finfo(g.dtype).eps ** 0.5)
        failed = ~(error <= allowed * size)
        if self.on_failure == "mask":
            return torch.where(failed.unsqueeze(1), 0.0, u)
        if holds_anywhere(failed):
            worst = (error / size)[failed].max().item()
            message = (
                f"the backward of {self.call} must solve its adjoint equation, got a relative residual of {worst:.3g} "
                f"in {int(failed.sum())} of {len(failed)} example(s). Use Implicit(GMRES()) or Implicit(Dense()), "
                "or allow more iterations; if it stays, the Jacobian is singular at the solution."
            )
            if self.on_failure == "raise":
                raise ConvergenceError(message)
            warnings.warn(message, ConvergenceWarning, stacklevel=2)
        return u


@dataclass
class _Link:
    """One level of the chain that :func:`attach` builds: how to differentiate it, and what its levels share."""

    adjoint: Adjoint
    problem: Problem
    order: int
    top: bool
    last: dict[str, Any]
    anchor: Tensor  # leads to the parameters, so that a backward pass too many meets the refusal


class _Correct(torch.autograd.Function):
    """``value - A^-1 residual`` with a constant A and a residual of 0: the identity, with the right derivative.

    Backward, the cotangent g becomes ``u = -A^-T g`` of the residual and ``-A^T u`` (which is g) of the value. With
    ``residual = F(z, theta)``, autograd carries u on to theta wherever the residual got it from: arguments, closures,
    parameters of modules. Nothing but the residual's own graph is kept.
    """

    @staticmethod
    def forward(ctx: Any, link: _Link, residual: Tensor, value: Tensor) -> Tensor:
        ctx.link = link
        result = value.view_as(value)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (z,), link = ctx.saved_tensors, ctx.link
        g = cotangent if link.top else _without_rounding(cotangent, link.last)
        if g is None:
            return None, None, None
        with torch.no_grad():
            u, pulled = link.adjoint.solve(link.problem, z, g)
        link.last.update(task=_graph_task(), size=rms(u) + rms(pulled))
        if torch.is_grad_enabled():
            u = _attach_adjoint(link, z, g, u)
        return None, u, -pulled if ctx.needs_input_grad[2] else None


class _Refuse(torch.autograd.Function):
    """The identity; its backward says that the order of differentiation is too high."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, anchor: Tensor, call: str) -> Tensor:
        ctx.call = call
        return u.view_as(u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError(
            f"{ctx.call}(backward) must know how often it is differentiated, got one more backward pass than that. "
            "Raise the order of Implicit(order=...)."
        )


def _graph_task() -> int:
    return torch._C._current_graph_task_id()


def _without_rounding(g: Tensor, last: dict[str, Any]) -> Tensor | None:
    """Return the cotangent of a lower level, or ``None`` if nothing but rounding arrived.

    In the backward pass of the level above, ``A^T u`` arrives through the residual and ``-A^T u`` through the value:
    only in a second pass is there more.
    """
    if last.get("task") != _graph_task():
        return g
    kept = rms(g) > 100 * torch.finfo(g.dtype).eps * last["size"]
    return torch.where(kept.unsqueeze(1), g, 0.0) if holds_anywhere(kept) else None


def _attach_adjoint(link: _Link, z: Tensor, g: Tensor, u: Tensor) -> Tensor:
    """Make ``u`` a function of z, g and whatever the residual holds: it is a root too, so by the same theorem."""
    adjoint, residual = link.adjoint, link.problem.residual
    if link.order == 1:
        return _Refuse.apply(u, link.anchor, adjoint.call)  # pyright: ignore[reportReturnType]

    def equation(v: Tensor) -> Tensor:
        with torch.enable_grad():
            point = z if z.requires_grad else z.detach().requires_grad_()
            return vector_product(residual(point), point, v, create_graph=True) + g

    plain = Adjoint(adjoint.call, adjoint.solver, adjoint.tolerance, adjoint.max_iterations, adjoint.on_failure)
    return attach(plain, Problem(equation), u, link.order - 1)


def attach(adjoint: Adjoint, problem: Problem, root: Tensor, order: int) -> Tensor:
    """Return a constant root with its gradients attached, right up to ``order``.

    A level of the chain corrects the first derivative at a point whose own derivatives, of one order less, come
    from the level below; so each order costs one evaluation of the residual and keeps its graph.
    """
    if not torch.is_grad_enabled():
        return root
    last: dict[str, Any] = {}
    for level in range(1, order + 1):
        residual = problem.residual(root)
        if not residual.requires_grad:
            return root
        link = _Link(adjoint, problem, level, level == order, last, residual)
        root = _Correct.apply(link, residual, root)  # pyright: ignore[reportAssignmentType]
    return root


def newton_attach(problem: Problem, value: Tensor) -> Tensor:
    """Return ``value`` with gradients attached by plain operations, for every transform of ``torch.func``.

    A Newton update ``z - A^-1 F(z, theta)`` from a constant root has the right first derivative; a second update
    makes those up to the third right. Builds the Jacobian of each example: time and memory as :class:`Dense`.
    """
    attached = value
    for _ in range(2):
        attached = attached - solve_dense(problem.dense(attached), problem.residual(attached))
    return value + (attached - attached.detach())  # the value stays what the solver found
