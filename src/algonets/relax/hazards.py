"""Arithmetic that may make inf or NaN, or divide by zero: what a dead path computes must not count."""

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.values import Bool, Integer, as_integer, gather_atoms

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["cut", "fixed", "risky"]


def risky(rt: "Runtime", op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Apply ``/``, ``//``, ``%``, ``**`` or ``@`` with the operands of dead examples cut from the graph."""
    dead = rt.dead_examples() if rt.path is not None or rt.alive is not None else None
    if dead is not None:
        rt.guarded = True
        a, b = rt.cut(a, dead), rt.cut(b, dead)
    if op is operator.floordiv:  # piecewise constant; torch has no derivative of it
        a, b = rt.fixed(a), rt.fixed(b)
    if op is operator.matmul:
        return rt.lifted(torch.matmul, (a, b), {})
    if op in (operator.floordiv, operator.mod):
        b = _divisor(rt, b)
    return op(a, b)


def _divisor(rt: "Runtime", b: Any) -> Any:
    """A divisor without integer zeros where the running statement has no mass; elsewhere they raise."""
    whole = as_integer(rt, b)
    if isinstance(b, Array):
        if b.tensor_form().is_floating_point():
            return b
        whole = Integer(rt, [(b.numbers(), None)])
    if whole is None:
        return b
    if isinstance(whole, int):
        if not whole:
            _refuse_zeros(rt, rt.certain)
        return whole or 1
    zeros = [v == 0 for v, _ in whole.atoms]
    if not any(isinstance(z, Tensor) or z for z in zeros):
        return b
    atoms: list[Any] = [
        (torch.where(z, 1, v) if isinstance(z, Tensor) else v or 1) for z, (v, _) in zip(zeros, whole.atoms)
    ]
    if len(atoms) == 1:
        _refuse_zeros(rt, zeros[0] if isinstance(zeros[0], Tensor) else rt.certain)
        return Array.of(rt, atoms[0]) if isinstance(b, Array) else Integer(rt, [(atoms[0], None)])
    # A mixture is conditioned on the divisors that are possible.
    weights = [
        torch.where(z, torch.zeros_like(w), w) if isinstance(z, Tensor) else w * (not z)  # pyright: ignore
        for z, (_, w) in zip(zeros, whole.atoms)
    ]
    total = torch.stack(torch.broadcast_tensors(*weights)).sum(0)
    _refuse_zeros(rt, total == 0)
    total = total.clamp_min(torch.finfo(rt.dtype).tiny)
    return Integer(rt, gather_atoms([(v, w / total) for v, w in zip(atoms, weights)]))


def _refuse_zeros(rt: "Runtime", zero: Tensor) -> None:
    """Raise for a division by an integer zero in examples that have mass."""
    mass = rt.mass()
    if mass is not None:
        if not rt.visible:
            return
        zero = zero & (mass if mass.dtype == torch.bool else mass.detach() > rt.options.epsilon)
    elif not rt.visible and zero is not rt.certain:
        return
    if bool(zero.any()):
        raise ZeroDivisionError("integer division or modulo by zero in some examples")


def fixed(rt: "Runtime", value: Any) -> Any:
    """A value without its gradient."""
    if isinstance(value, Array):
        tensor = value.tensor_form().detach()
        return Array(rt, tensor.shape[:-1], None, tensor)
    if isinstance(value, Bool):
        return Bool(rt, value.p.detach())
    return value.detach() if isinstance(value, Tensor) else value


def cut(rt: "Runtime", value: Any, dead: Tensor) -> Any:
    """Cut the examples that are dead from the graph of a value."""
    if isinstance(value, Tensor) and value.requires_grad:
        return torch.where(_fitted(dead, value), value.detach(), value)
    if isinstance(value, Array) and value.tensor_form().requires_grad:
        tensor = value.tensor_form()
        tensor = torch.where(_fitted(dead, tensor), tensor.detach(), tensor)
        return Array(rt, tensor.shape[:-1], None, tensor)
    return value


def _fitted(dead: Tensor, like: Tensor) -> Tensor:
    """Where elements have different mass, a value that is not one of each of them is dead if all of them are."""
    while dead.ndim > like.ndim:
        dead = dead.all(0)
    if any(d not in (1, s) for d, s in zip(dead.shape[-2::-1], like.shape[-2::-1])):
        dead = dead.flatten(0, -2).all(0)
    return dead
