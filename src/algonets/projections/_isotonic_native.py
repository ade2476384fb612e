"""The native kernels of the permutahedron as torch operators."""

from typing import Any

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets._core.operator import Operator, view
from algonets.projections import _isotonic as reference
from algonets.projections._isotonic import SQUARES

__all__ = ["project", "soft_values"]

_Maybe = Tensor | None


def _plan_for(x: Tensor) -> Tensor:
    return x.new_empty((x.shape[0], 2, x.shape[1]), dtype=torch.int32)


def _second_order(ctx: Any, formula: Any, count: int, grads: tuple) -> list:
    """Differentiate a formula of the first ``count`` saved tensors, to any further order."""
    *inputs, plan = ctx.saved_tensors
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        live = [t.view_as(t) if keep and t.requires_grad else t.detach().requires_grad_() for t in inputs[:count]]
        results = formula(*live, *inputs[count:], plan, *ctx.options)
        results = results if isinstance(results, tuple) else (results,)
        pairs = [(r, g) for r, g in zip(results, grads, strict=True) if g is not None and g.numel() and r.requires_grad]
        if not pairs:
            return [None] * count
        outputs, incoming = zip(*pairs, strict=True)
        return list(torch.autograd.grad(outputs, live, incoming, create_graph=keep, allow_unused=True))


# ---- ranks and masks


def _project(x: Tensor, w: _Maybe, strength: float, kind: int, power: float) -> tuple[Tensor, Tensor]:
    """The projection, and its plan ``(B, 2, n)``: the order of the items, the last place of each block."""
    x = x.contiguous()
    y, plan = torch.empty_like(x), _plan_for(x)
    if x.numel():
        targets = None if w is None else view(w.contiguous())
        native().projection(view(x), targets, strength, kind, power, view(y), view(plan), get_num_threads())
    return y, plan


def _project_shapes(x: Tensor, w: _Maybe, strength: float, kind: int, power: float) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, memory_format=torch.contiguous_format), _plan_for(x)


def _project_save(ctx: Any, inputs: tuple, output: tuple) -> None:
    _, _, *ctx.options = inputs
    y, plan = output
    ctx.save_for_backward(plan, *([y] if ctx.options[1] != SQUARES else []))
    ctx.set_materialize_grads(False)


def _project_backward(ctx: Any, g: _Maybe, _: Any) -> tuple:
    if g is None:
        return (None,) * 5
    plan, *y = ctx.saved_tensors
    by_x, by_w = _gradient(g, y[0] if y else g, plan, *ctx.options, ctx.needs_input_grad[1])
    return by_x, by_w if ctx.needs_input_grad[1] else None, None, None, None


def _project_gradient(
    g: Tensor, y: Tensor, plan: Tensor, strength: float, kind: int, power: float, with_targets: bool
) -> tuple[Tensor, Tensor]:
    """Gradients to ``x``, and to ``w`` if wanted, else ``(B, 0)``."""
    g = g.contiguous()
    by_x = torch.empty_like(g)
    by_w = g.new_empty((g.shape[0], g.shape[1] if with_targets else 0))
    if g.numel():
        targets = view(by_w) if with_targets else None
        threads = get_num_threads()
        y = y.contiguous()
        native().projection_gradient(view(g), view(y), view(plan), strength, kind, power, view(by_x), targets, threads)
    return by_x, by_w


def _project_gradient_shapes(g: Tensor, y: Tensor, plan: Tensor, strength, kind, power, with_targets: bool):
    by_w = g.new_empty((g.shape[0], g.shape[1] if with_targets else 0))
    return torch.empty_like(g, memory_format=torch.contiguous_format), by_w


def _project_gradient_save(ctx: Any, inputs: tuple, output: tuple) -> None:
    g, y, plan, *options, _ = inputs
    ctx.options = options
    ctx.save_for_backward(g, y, plan)
    ctx.set_materialize_grads(False)


def _project_gradient_backward(ctx: Any, by_x: _Maybe, by_w: _Maybe) -> tuple:
    squares = ctx.options[1] == SQUARES  # y is a placeholder
    by_g, *by_y = _second_order(ctx, reference.project_gradient, 1 if squares else 2, (by_x, by_w))
    return by_g, None if squares else by_y[0], None, None, None, None, None


_gradient = Operator(
    "projection_gradient",
    _project_gradient,
    _project_gradient_shapes,
    _project_gradient_save,
    _project_gradient_backward,
)
_projection = Operator("projection", _project, _project_shapes, _project_save, _project_backward)


def project(x: Tensor, w: _Maybe, strength: float | Tensor, kind: int, power: float) -> Tensor:
    """As the reference; ``w`` of ``None`` is ``(n, ..., 1)``."""
    if isinstance(strength, Tensor):
        wide = None if w is None else w.double()
        return _projection(x.double() / strength.double(), wide, 1.0, kind, power)[0].to(x.dtype)
    return _projection(x, w, strength, kind, power)[0]


# ---- values


def _values(x: Tensor, strength: float, entropy: bool, descending: bool) -> tuple[Tensor, Tensor]:
    """Soft values, and the plan as above."""
    x = x.contiguous()
    y, plan = torch.empty_like(x), _plan_for(x)
    if x.numel():
        native().projection_values(view(x), strength, entropy, descending, view(y), view(plan), get_num_threads())
    return y, plan


def _values_shapes(x: Tensor, strength: float, entropy: bool, descending: bool) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, memory_format=torch.contiguous_format), _plan_for(x)


def _values_save(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, _, *ctx.options = inputs
    ctx.save_for_backward(output[1], *([x] if ctx.options[0] else []))
    ctx.set_materialize_grads(False)


def _values_backward(ctx: Any, g: _Maybe, _: Any) -> tuple:
    if g is None:
        return (None,) * 4
    plan, *x = ctx.saved_tensors
    return _values_derivative(g, x[0] if x else g, plan, *ctx.options), None, None, None


def _values_gradient(g: Tensor, x: Tensor, plan: Tensor, entropy: bool, descending: bool) -> Tensor:
    g, x = g.contiguous(), x.contiguous()
    by_x = torch.empty_like(g)
    if g.numel():
        threads = get_num_threads()
        native().projection_values_gradient(view(g), view(x), view(plan), entropy, descending, view(by_x), threads)
    return by_x


def _values_gradient_shapes(g: Tensor, x: Tensor, plan: Tensor, entropy: bool, descending: bool) -> Tensor:
    return torch.empty_like(g, memory_format=torch.contiguous_format)


def _values_gradient_save(ctx: Any, inputs: tuple, output: Tensor) -> None:
    g, x, plan, *ctx.options = inputs
    ctx.save_for_backward(g, x, plan)


def _values_gradient_backward(ctx: Any, by_x: Tensor) -> tuple:
    entropy = ctx.options[0]  # else x is a placeholder
    by_g, *rest = _second_order(ctx, reference.soft_values_gradient, 2 if entropy else 1, (by_x,))
    return by_g, rest[0] if rest else None, None, None, None


_values_derivative = Operator(
    "projection_values_gradient",
    _values_gradient,
    _values_gradient_shapes,
    _values_gradient_save,
    _values_gradient_backward,
)
_soft_values = Operator("projection_values", _values, _values_shapes, _values_save, _values_backward)


def soft_values(x: Tensor, strength: float | Tensor, entropy: bool, descending: bool) -> Tensor:
    """As the reference."""
    if isinstance(strength, Tensor):
        if entropy:  # not homogeneous: the reference differentiates it
            return reference.soft_values(x, strength, entropy, descending)
        # The projection scales with the items: a strength of 1 on items times the strength.
        wide = strength.double()
        return (_soft_values(x.double() * wide, 1.0, entropy, descending)[0] / wide).to(x.dtype)
    return _soft_values(x, strength, entropy, descending)[0]
