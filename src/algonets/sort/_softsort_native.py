"""The native kernel of SoftSort with p = 1 as torch operators."""

from typing import Any

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets._core.operator import Operator, view

__all__ = ["collect", "dense_smooth", "smooth"]


def dense_smooth(gap: Tensor, values: Tensor) -> Tensor:
    """What :func:`smooth` computes, in plain torch and O(n^2) memory.

    ``values`` ``(B, n, d)`` averaged with weights ``exp(-|s_i - s_j|)``, ``gap`` ``(B, n - 1)`` being the differences
    of the sorted ``s``.
    """
    s = torch.nn.functional.pad(gap.double().cumsum(-1), (1, 0))
    n = s.shape[-1]
    places = torch.arange(n, device=s.device)
    away = (places[:, None] - places).sign()  # by place: equal neighbours are still in order
    distance = (s.unsqueeze(-1) - s.unsqueeze(-2)) * away
    return (torch.softmax(-distance, -1) @ values.double()).to(values.dtype)


def _smooth(gap: Tensor, values: Tensor) -> Tensor:
    """The averages."""
    y = torch.empty_like(values, memory_format=torch.contiguous_format)
    if y.numel():
        native().softsort_smooth(view(gap.contiguous()), view(values.contiguous()), view(y), get_num_threads())
    return y


def _smooth_shapes(gap: Tensor, values: Tensor) -> Tensor:
    return torch.empty_like(values, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple, output: Any) -> None:
    ctx.save_for_backward(*inputs)
    ctx.set_materialize_grads(False)


def _smooth_backward(ctx: Any, g: Tensor | None) -> tuple:
    return (None, None) if g is None else _gradient(*ctx.saved_tensors, g)


def _smooth_gradient(gap: Tensor, values: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients to ``gap`` and ``values``."""
    gap, values, g = gap.contiguous(), values.contiguous(), g.contiguous()
    by_gap, by_values = torch.zeros_like(gap), torch.empty_like(values)
    if values.numel():
        threads = get_num_threads()
        native().softsort_gradient(view(gap), view(values), view(g), view(by_gap), view(by_values), threads)
    return by_gap, by_values


def _gradient_shapes(gap: Tensor, values: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    kept = torch.contiguous_format
    return torch.empty_like(gap, memory_format=kept), torch.empty_like(values, memory_format=kept)


def _gradient_backward(ctx: Any, by_gap: Tensor | None, by_values: Tensor | None) -> tuple:
    """Second derivative: differentiate the dense formula, to any further order."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [t.view_as(t) if keep and t.requires_grad else t.detach().requires_grad_() for t in ctx.saved_tensors]
        gap, values, g = inputs
        first = torch.autograd.grad(dense_smooth(gap, values), (gap, values), g, create_graph=True)
        pairs = [(f, b) for f, b in zip(first, (by_gap, by_values), strict=True) if b is not None]
        if not pairs:
            return None, None, None
        outputs, incoming = zip(*pairs, strict=True)
        return torch.autograd.grad(outputs, inputs, incoming, create_graph=keep, allow_unused=True)


_gradient = Operator("softsort_gradient", _smooth_gradient, _gradient_shapes, _save, _gradient_backward)
smooth = Operator("softsort_smooth", _smooth, _smooth_shapes, _save, _smooth_backward)
"""``(gap, values) -> averages`` as :func:`dense_smooth`, in O(n d) time and memory; its second derivative is dense."""


def _collect(gap: Tensor, given: Tensor) -> Tensor:
    """Hand out: the adjoint of the averages."""
    return _smooth_gradient(gap, given, given)[1]  # the gradient to values does not depend on the values


def _collect_backward(ctx: Any, g: Tensor | None) -> tuple:
    """``<g, collect(given)> = <smooth(g), given>``: the gradients of the right side."""
    if g is None:
        return None, None
    gap, given = ctx.saved_tensors
    return _gradient(gap, g, given)[0], smooth(gap, g)


collect = Operator("softsort_collect", _collect, _smooth_shapes, _save, _collect_backward)
"""``(gap, given) -> P^T given`` where ``smooth`` is ``P``."""
