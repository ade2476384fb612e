"""Derivatives of a function of rows: products with the Jacobian of each example, and the Jacobian itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from algonets.implicit.tracing import transformed

__all__ = [
    "Operator",
    "Problem",
    "dense_jacobian",
    "gradient_of",
    "linearise",
    "push_of",
    "transposed_columns",
    "vector_product",
]

Rows = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """Equations ``residual(z) = 0`` on rows, with what some solvers need more.

    Attributes:
        residual: ``(B, D)`` to ``(B, D)``, each row by itself.
        merit: ``(B, D)`` to ``(B,)``, what a line search decreases; half the squared residual if not given.
        jacobian: ``(B, D)`` to ``(B, D, D)``, where it is known; by autograd otherwise.
        gradient: The residual is the gradient of the merit.
        parts: ``(B, D)`` to ``(B, M)``, what is squared and summed in least squares.
        slope: ``(B, D)`` to ``(B, D)``, the gradient of the merit where it is not the residual.
        project: ``(B, D)`` to ``(B, D)``, the projection onto the feasible set.
    """

    residual: Rows
    merit: Rows | None = None
    jacobian: Rows | None = None
    gradient: bool = False
    parts: Rows | None = None
    slope: Rows | None = None
    project: Rows | None = None

    def dense(self, z: Tensor, tracked: bool = False) -> Tensor:
        """Return the Jacobian of each example; ``tracked`` is as of :func:`dense_jacobian`."""
        return self.jacobian(z) if self.jacobian is not None else dense_jacobian(self.residual, z, tracked)

    def height(self, z: Tensor) -> Tensor:
        """Return what a line search decreases."""
        return self.merit(z) if self.merit is not None else 0.5 * self.residual(z).square().sum(1)


def dense_jacobian(function: Rows, z: Tensor, tracked: bool = False) -> Tensor:
    """Return ``d function_i / d z_j`` of each example, ``(B, M, D)``, by M products at once.

    Differentiable under the transforms of ``torch.func`` and where it is ``tracked``; a constant otherwise.
    Time M backward passes, memory O(M B D).
    """
    if not transformed():
        if tracked:
            point = z if z.requires_grad else z.detach().requires_grad_()
            return transposed_columns(function(point), point, create_graph=True)
        value, point = _graph(function, z)
        return transposed_columns(value, point).detach()
    value, pull = torch.func.vjp(function, z)  # pyright: ignore[reportAssignmentType]
    if value.shape[1] == 0:
        return value.new_zeros(*value.shape, z.shape[1])
    basis = torch.eye(value.shape[1], dtype=value.dtype, device=value.device)
    rows = torch.func.vmap(lambda unit: pull(unit.expand_as(value))[0])(basis)
    return rows.movedim(0, 1)


def transposed_columns(value: Tensor, point: Tensor, create_graph: bool = False) -> Tensor:
    """Return the Jacobian ``(B, M, D)`` from a graph of ``value`` over ``point``."""
    units = torch.eye(value.shape[1], dtype=value.dtype, device=value.device)
    if value.numel() == 0 or point.numel() == 0:
        return value.new_zeros(len(value), value.shape[1], point.shape[1])
    cotangents = units.unsqueeze(1).expand(-1, *value.shape)
    settings = {"retain_graph": True, "create_graph": create_graph}
    if not create_graph:  # checkpoints cannot recompute what vmap made
        try:
            return vector_product(value, point, cotangents, is_grads_batched=True, **settings).movedim(0, 1)
        except RuntimeError:  # an operation of the step without a batching rule
            pass
    rows = torch.stack([vector_product(value, point, cotangent, **settings) for cotangent in cotangents])
    return rows.movedim(0, 1)


def vector_product(value: Tensor, point: Tensor, cotangent: Tensor, **settings: Any) -> Tensor:
    """Return ``cotangent^T d value / d point``, zeros where there is no dependence."""
    if not value.requires_grad:
        return torch.zeros_like(point).expand(cotangent.shape[: cotangent.ndim - value.ndim] + point.shape)
    return torch.autograd.grad(value, point, cotangent, allow_unused=True, materialize_grads=True, **settings)[0]


def gradient_of(values: Rows) -> Rows:
    """Return the gradient of a function ``(B, D)`` to ``(B,)``, differentiable where gradients are on."""

    def gradient(z: Tensor) -> Tensor:
        if transformed():
            return torch.func.grad(lambda point: values(point).sum())(z)
        tracked = torch.is_grad_enabled()
        if tracked and not z.requires_grad:
            # Without a parameter in it the result is a constant, though the point below is a leaf with a gradient.
            tracked = values(z).requires_grad
        with torch.enable_grad():
            point = z if tracked and z.requires_grad else z.detach().requires_grad_()
            total = values(point).sum()
            return vector_product(total, point, torch.ones_like(total), create_graph=tracked)

    return gradient


def _graph(function: Rows, z: Tensor) -> tuple[Tensor, Tensor]:
    point = z.detach().requires_grad_()
    with torch.enable_grad():
        return function(point), point


@dataclass
class Operator:
    """A square matrix for each example, by its products with rows ``(B, D)``.

    Attributes:
        apply: ``v`` to ``M v``.
        make_transpose: Makes ``v`` to ``M^T v``; it may cost, so it is made when asked for.
        make_dense: Makes the matrices ``(B, D, D)``.
    """

    apply: Rows
    make_transpose: Callable[[], Rows]
    make_dense: Callable[[], Tensor]

    @cached_property
    def transpose(self) -> Rows:
        """``v`` to ``M^T v``."""
        return self.make_transpose()

    def dense(self) -> Tensor:
        """The matrices ``(B, D, D)``."""
        return self.make_dense()


def linearise(problem: Problem, z: Tensor) -> Operator:
    """Return the Jacobian of the residual at ``z`` as an operator."""
    if transformed():
        return _linearise_transformed(problem, z)
    value, point = _graph(problem.residual, z)
    return Operator(
        push_of(value, point),
        lambda: lambda v: vector_product(value, point, v, retain_graph=True),
        lambda: problem.dense(z.detach()),
    )


def push_of(value: Tensor, point: Tensor) -> Rows:
    """Return ``w`` to ``J w``: the derivative of a product with the transpose, so no forward mode is needed."""
    dummy = torch.zeros_like(value).requires_grad_()
    with torch.enable_grad():
        pulled = vector_product(value, point, dummy, create_graph=True)
    return lambda w: vector_product(pulled, dummy, w, retain_graph=True)


def _linearise_transformed(problem: Problem, z: Tensor) -> Operator:
    value, pull = torch.func.vjp(problem.residual, z)  # pyright: ignore[reportAssignmentType]

    def transpose(v: Tensor) -> Tensor:
        return pull(v)[0]

    _, push = torch.func.vjp(transpose, torch.zeros_like(value))  # pyright: ignore[reportAssignmentType]
    return Operator(lambda v: push(v)[0], lambda: transpose, lambda: problem.dense(z))
