"""Layers of gates on the GPU by Triton, as torch operators with the signature of the reference.

Backward computes the signals of the layers again and keeps only the input. The gradient of the input of a layer is
added up atomically: signals that more than two gates read may differ in the last digits from run to run. Second
derivatives are those of the reference.
"""

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor

from algonets._core.backend import active_backend
from algonets.logic._stack import reference

__all__ = ["available", "stack"]

_INSTALLED = importlib.util.find_spec("triton") is not None


def available(x: Tensor) -> bool:
    """Tell whether the kernels are to run."""
    return x.is_cuda and _INSTALLED and active_backend() == "auto" and x.dtype in (torch.float32, torch.float64)


def _kernels() -> Any:
    return importlib.import_module("algonets.logic._stack_triton_kernels")


def _shape(batch: int) -> dict[str, int]:
    """Tiles of about 1,024 numbers."""
    samples = min(128, 1 << max(batch - 1, 0).bit_length())
    return {"GATES": max(1, 1024 // samples), "SAMPLES": samples}


def _layers(widths: list[int]) -> list[slice]:
    ends = [sum(widths[: k + 1]) for k in range(len(widths))]
    return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]


def _forward(h: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, here: slice) -> Tensor:
    gates, batch = here.stop - here.start, h.shape[1]
    y = h.new_empty(gates, batch)
    shape = _shape(batch)
    grid = (-(-gates // shape["GATES"]), -(-batch // shape["SAMPLES"]))
    with torch.cuda.device_of(h):
        _kernels().layer_kernel[grid](h, coefficients[here], first[here], second[here], y, gates, batch, **shape)
    return y


def _backward(
    h: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, here: slice, by_y: Tensor, need: bool
) -> tuple[Tensor, Tensor]:
    gates, batch = here.stop - here.start, h.shape[1]
    by_h = torch.zeros_like(h) if need else h.new_empty(1)
    by_c = coefficients.new_empty(gates, 4)
    shape = _shape(batch)
    arrays = (h, coefficients[here], first[here], second[here], by_y, by_h, by_c)
    with torch.cuda.device_of(h):
        _kernels().layer_backward_kernel[(-(-gates // shape["GATES"]),)](*arrays, gates, batch, NEED_X=need, **shape)
    return by_h, by_c


def _out_width(widths: list[int], groups: int) -> int:
    return groups or widths[-1]


@torch.library.custom_op("algonets::logic_stack_triton", mutates_args=())
def _stack(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int) -> Tensor:
    if not x.shape[0]:
        return x.new_empty(0, _out_width(widths, groups))
    h, coefficients = x.mT.contiguous(), coefficients.contiguous()
    for here in _layers(widths):
        h = _forward(h, coefficients, first, second, here)
    if groups:
        h = h.unflatten(0, (groups, widths[-1] // groups)).sum(1)
    return h.mT.contiguous()


@_stack.register_fake
def _(x, coefficients, first, second, widths, groups):
    return x.new_empty(x.shape[0], _out_width(widths, groups))


@torch.library.custom_op("algonets::logic_stack_triton_backward", mutates_args=())
def _stack_backward(
    x: Tensor,
    coefficients: Tensor,
    first: Tensor,
    second: Tensor,
    widths: list[int],
    groups: int,
    by_out: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor]:
    if not x.shape[0]:
        return torch.zeros_like(x) if need_x else x.new_empty(0), torch.zeros_like(coefficients)
    coefficients = coefficients.contiguous()
    signals, layers = [x.mT.contiguous()], _layers(widths)
    for here in layers[:-1]:
        signals.append(_forward(signals[-1], coefficients, first, second, here))
    by_h = by_out.mT.contiguous()
    if groups:
        by_h = by_h.repeat_interleave(widths[-1] // groups, 0)
    parts = []
    for k in range(len(layers) - 1, -1, -1):
        by_h, by_c = _backward(signals[k], coefficients, first, second, layers[k], by_h, k > 0 or need_x)
        parts.append(by_c)
        signals.pop()
    return by_h.mT.contiguous() if need_x else x.new_empty(0), torch.cat(parts[::-1])


@_stack_backward.register_fake
def _(x, coefficients, first, second, widths, groups, by_out, need_x):
    return x.new_empty(x.shape if need_x else (0,)), coefficients.new_empty(coefficients.shape)


def _save(ctx, inputs, output):
    *tensors, ctx.widths, ctx.groups = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx, by_out):
    x, coefficients, first, second = ctx.saved_tensors
    need_x, need_c = ctx.needs_input_grad[:2]
    rest = (first, second, ctx.widths, ctx.groups)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # create_graph: the reference can go on
        wanted = [t for t, need in ((x, need_x), (coefficients, need_c)) if need]
        found = iter(torch.autograd.grad(reference(x, coefficients, *rest), wanted, by_out, create_graph=True))
        return next(found) if need_x else None, next(found) if need_c else None, None, None, None, None
    by_x, by_coefficients = _stack_backward(x, coefficients, *rest, by_out, need_x)
    return by_x if need_x else None, by_coefficients if need_c else None, None, None, None, None


_stack.register_autograd(_differentiate, setup_context=_save)


def stack(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int) -> Tensor:
    """Run the kernels; arguments as of the reference."""
    return _stack(x, coefficients, first, second, widths, groups)
