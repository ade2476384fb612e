"""The native kernels of layers of gates as torch operators; second derivatives are those of the reference."""

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets.logic._stack import reference
from algonets.logic.gates import COEFFICIENTS

__all__ = ["coefficients16", "stack"]


def _widths(widths: list[int]) -> Tensor:
    return torch.tensor(widths, dtype=torch.int64)


@torch.library.custom_op("algonets::logic_stack", mutates_args=(), device_types="cpu")
def _stack(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int) -> Tensor:
    out = x.new_empty(x.shape[0], groups or widths[-1])
    if out.numel():
        tensors = (t.detach().contiguous() for t in (x, coefficients, first, second))
        native().logic_stack(*tensors, _widths(widths), groups, out, get_num_threads())
    return out


@_stack.register_fake
def _(x, coefficients, first, second, widths, groups):
    return x.new_empty(x.shape[0], groups or widths[-1])


@torch.library.custom_op("algonets::logic_stack_backward", mutates_args=(), device_types="cpu")
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
    by_x = x.new_empty(x.shape if need_x else (0,))
    by_coefficients = coefficients.new_empty(coefficients.shape)
    tensors = (t.detach().contiguous() for t in (x, coefficients, first, second))
    given = (by_out.detach().contiguous(), by_x if need_x else None, by_coefficients)
    native().logic_stack_backward(*tensors, _widths(widths), groups, *given, get_num_threads())
    return by_x, by_coefficients


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
    """Run the kernel; arguments as of the reference."""
    return _stack(x, coefficients, first, second, widths, groups)


@torch.library.custom_op("algonets::logic_coefficients16", mutates_args=(), device_types="cpu")
def _coefficients16(weights: list[Tensor]) -> Tensor:
    out = weights[0].new_empty(sum(len(part) for part in weights), 4)
    for part, to in zip(weights, out.split([len(part) for part in weights]), strict=True):
        if len(part):
            native().logic_coefficients16(part.detach().contiguous(), to, get_num_threads())
    return out


@_coefficients16.register_fake
def _(weights):
    return weights[0].new_empty(sum(part.shape[0] for part in weights), 4)


@torch.library.custom_op("algonets::logic_coefficients16_backward", mutates_args=(), device_types="cpu")
def _coefficients16_backward(weights: list[Tensor], by_out: Tensor) -> list[Tensor]:
    by_out = by_out.detach().contiguous()
    found = []
    for part, by_part in zip(weights, by_out.split([len(part) for part in weights]), strict=True):
        found.append(part.new_empty(part.shape))
        if len(part):
            native().logic_coefficients16_backward(part.detach().contiguous(), by_part, found[-1], get_num_threads())
    return found


@_coefficients16_backward.register_fake
def _(weights, by_out):
    return [part.new_empty(part.shape) for part in weights]


def _save_weights(ctx, inputs, output):
    ctx.save_for_backward(*inputs[0])


def _differentiate_weights(ctx, by_out):
    weights = list(ctx.saved_tensors)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        plain = torch.cat([part.softmax(-1) @ COEFFICIENTS.to(part) for part in weights])
        wanted = [part for part in weights if part.requires_grad]
        found = iter(torch.autograd.grad(plain, wanted, by_out, create_graph=True))
        return [next(found) if part.requires_grad else None for part in weights]
    return _coefficients16_backward(weights, by_out)


_coefficients16.register_autograd(_differentiate_weights, setup_context=_save_weights)


def coefficients16(weights: list[Tensor]) -> Tensor:
    """Coefficients ``(gates, 4)`` of the logits ``(gates, 16)`` of some layers, one after the other."""
    return _coefficients16(weights)
