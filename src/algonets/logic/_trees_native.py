"""The native kernels of trees of gates as torch operators; second derivatives are those of the reference."""

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets.logic._trees import reference

__all__ = ["trees"]


@torch.library.custom_op("algonets::logic_trees", mutates_args=(), device_types="cpu")
def _trees(
    x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int
) -> tuple[Tensor, Tensor]:
    """The result, and where in its window each number came from, in the kernel's own order."""
    out, winners = _outputs(x, leaves, height, width, pool)
    if out.numel():
        tensors = (t.detach().contiguous() for t in (x, leaves, coefficients))
        native().logic_trees(*tensors, height, width, pool, out, winners, get_num_threads())
    return out, winners


def _outputs(x: Tensor, leaves: Tensor, height: int, width: int, pool: int) -> tuple[Tensor, Tensor]:
    lanes = 64 // x.element_size()
    results = leaves.shape[0] * (height // pool) * (width // pool)
    size = (x.shape[0] + lanes - 1) // lanes * lanes * results if pool > 1 else 0
    out = x.new_empty(x.shape[0], leaves.shape[0], height // pool, width // pool)
    return out, x.new_empty(size, dtype=torch.uint8)


@_trees.register_fake
def _(x, leaves, coefficients, height, width, pool):
    return _outputs(x, leaves, height, width, pool)


@torch.library.custom_op("algonets::logic_trees_backward", mutates_args=(), device_types="cpu")
def _trees_backward(
    x: Tensor,
    leaves: Tensor,
    coefficients: Tensor,
    height: int,
    width: int,
    pool: int,
    winners: Tensor,
    by_out: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor]:
    by_x = x.new_empty(x.shape if need_x else (0,))
    by_coefficients = coefficients.new_empty(coefficients.shape)
    tensors = (t.detach().contiguous() for t in (x, leaves, coefficients))
    given = (winners, by_out.detach().contiguous(), by_x if need_x else None, by_coefficients)
    native().logic_trees_backward(*tensors, height, width, pool, *given, get_num_threads())
    return by_x, by_coefficients


@_trees_backward.register_fake
def _(x, leaves, coefficients, height, width, pool, winners, by_out, need_x):
    return x.new_empty(x.shape if need_x else (0,)), coefficients.new_empty(coefficients.shape)


def _save(ctx, inputs, output):
    x, leaves, coefficients, *ctx.rest = inputs
    ctx.save_for_backward(x, leaves, coefficients, output[1])


def _differentiate(ctx, by_out, _):
    x, leaves, coefficients, winners = ctx.saved_tensors
    need_x, need_c = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # create_graph: the reference can go on
        wanted = [t for t, need in ((x, need_x), (coefficients, need_c)) if need]
        plain = reference(x, leaves, coefficients, *ctx.rest)
        found = iter(torch.autograd.grad(plain, wanted, by_out, create_graph=True))
        return next(found) if need_x else None, None, next(found) if need_c else None, None, None, None
    by_x, by_coefficients = _trees_backward(x, leaves, coefficients, *ctx.rest, winners, by_out, need_x)
    return by_x if need_x else None, None, by_coefficients if need_c else None, None, None, None


_trees.register_autograd(_differentiate, setup_context=_save)


def trees(x: Tensor, leaves: Tensor, coefficients: Tensor, height: int, width: int, pool: int) -> Tensor:
    """Run the kernel; arguments as of the reference."""
    return _trees(x, leaves, coefficients, height, width, pool)[0]
