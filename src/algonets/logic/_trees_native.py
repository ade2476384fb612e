"""The native kernels of trees of gates as torch operators; second derivatives are those of the reference."""

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets.logic._trees import reference

__all__ = ["trees"]


@torch.library.custom_op("algonets::logic_trees", mutates_args=(), device_types="cpu")
def _trees(x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int) -> Tensor:
    out = x.new_empty(x.shape[0], leaves.shape[0], height // pool, width // pool)
    if out.numel():
        tensors = (t.detach().contiguous() for t in (x, leaves, coefficients))
        native().logic_trees(*tensors, height, width, pool, out, get_num_threads())
    return out


@_trees.register_fake
def _(x, leaves, coefficients, height, width, pool):
    return x.new_empty(x.shape[0], leaves.shape[0], height // pool, width // pool)


@torch.library.custom_op("algonets::logic_trees_backward", mutates_args=(), device_types="cpu")
def _trees_backward(
    x: Tensor,
    leaves: Tensor,
    coefficients: Tensor,
    height: int,
    width: int,
    pool: int,
    by_out: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor]:
    by_x = x.new_empty(x.shape if need_x else (0,))
    by_coefficients = coefficients.new_empty(coefficients.shape)
    tensors = (t.detach().contiguous() for t in (x, leaves, coefficients))
    given = (by_out.detach().contiguous(), by_x if need_x else None, by_coefficients)
    native().logic_trees_backward(*tensors, height, width, pool, *given, get_num_threads())
    return by_x, by_coefficients


@_trees_backward.register_fake
def _(x, leaves, coefficients, height, width, pool, by_out, need_x):
    return x.new_empty(x.shape if need_x else (0,)), coefficients.new_empty(coefficients.shape)


def _save(ctx, inputs, output):
    x, leaves, coefficients, *ctx.rest = inputs
    ctx.save_for_backward(x, leaves, coefficients)


def _differentiate(ctx, by_out):
    x, leaves, coefficients = ctx.saved_tensors
    need_x, need_c = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # create_graph: the reference can go on
        wanted = [t for t, need in ((x, need_x), (coefficients, need_c)) if need]
        plain = reference(x, leaves, coefficients, *ctx.rest)
        found = iter(torch.autograd.grad(plain, wanted, by_out, create_graph=True))
        return next(found) if need_x else None, None, next(found) if need_c else None, None, None, None
    by_x, by_coefficients = _trees_backward(x, leaves, coefficients, *ctx.rest, by_out, need_x)
    return by_x if need_x else None, None, by_coefficients if need_c else None, None, None, None


_trees.register_autograd(_differentiate, setup_context=_save)


def trees(x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int) -> Tensor:
    """Run the kernel; arguments as of the reference."""
    return _trees(x, leaves, coefficients, height, width, pool)
