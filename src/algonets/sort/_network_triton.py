"""Sorting networks on the GPU by Triton: the functions of ``_network_reference`` as torch operators, same signatures.

Tested on an NVIDIA H200, and by Triton's interpreter on the CPU. Triton is imported at the first call.
Memory: backward of the values keeps a difference a comparator, that of the payloads one a comparator and column, in
pieces of at most about ``_SCRATCH`` bytes. Any number of wires.

Second derivatives are those of the reference; so are forward mode and ``vmap``, which :func:`available` declines.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]

from algonets._core.backend import active_backend
from algonets._core.checks import carries_tangent
from algonets._core.compiling import constant_result
from algonets.distributions import Cauchy, Gaussian, Laplace, Logistic, Optimal, Reciprocal
from algonets.sort import _network_reference as reference
from algonets.sort.networks import Network, SwapLaw, from_pairs, named

__all__ = ["apply", "available", "matrix", "values", "values_and_alphas"]

_LAWS: dict[Any, int] = {Logistic: 0, Gaussian: 1, Cauchy: 2, Reciprocal: 3, Optimal: 4, Laplace: 5}
"""The laws of the kernels, by the numbers by which they know them; of others torch computes the alphas."""

_INSTALLED = importlib.util.find_spec("triton") is not None

_SCRATCH = 2**28
_PROGRAMS = 512
_LAUNCH = {"num_stages": 1, "enable_fp_fusion": True}


def _kernels() -> Any:
    return importlib.import_module("algonets.sort._network_triton_kernels")


def available(x: Tensor, law: SwapLaw, *others: Tensor) -> bool:
    """Tell whether the kernels are to run: tensors on a GPU, Triton there, and no other backend set."""
    if not x.is_cuda or not _INSTALLED or active_backend() != "auto":
        return False
    scale = getattr(law, "scale", None)
    tensors = (x, *others, scale) if isinstance(scale, Tensor) else (x, *others)
    if not torch.compiler.is_compiling() and any(functorch.is_functorch_wrapped_tensor(t) for t in tensors):
        return False
    return not any(carries_tangent(t) for t in tensors)


def values(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """Sorted values of ``(B, n)`` items. O(B C) time; autograd keeps the items alone."""
    if type(law) not in _LAWS:
        return reference.values(x, network, law)
    return _values(x, _scale(x, law), *_tables(network, x.device), network.kind, _LAWS[type(law)], False)[0]


def values_and_alphas(x: Tensor, network: Network, law: SwapLaw) -> tuple[Tensor, Tensor]:
    """Sorted values, and the weight ``(B, C)`` with which each comparator left its items in place."""
    if type(law) not in _LAWS:
        return reference.values_and_alphas(x, network, law)
    return _values(x, _scale(x, law), *_tables(network, x.device), network.kind, _LAWS[type(law)], True)


def matrix(alphas: Tensor, network: Network) -> Tensor:
    """``P[rank, item]``, ``(B, n, n)``. O(B C n) time."""
    eye = torch.eye(network.n, dtype=alphas.dtype, device=alphas.device)
    return apply(alphas, eye.expand(alphas.shape[0], -1, -1), network, transposed=False)


def apply(alphas: Tensor, payload: Tensor, network: Network, transposed: bool) -> Tensor:
    """``P @ payload``, or ``P^T @ payload`` where ``transposed``, for a payload ``(B, n, d)``. O(B C d) time."""
    return _apply(alphas, payload, *_tables(network, payload.device), network.kind, transposed)


def _scale(x: Tensor, law: Any) -> Tensor:
    if isinstance(law.scale, Tensor):
        return law.scale.to(x).reshape(1).clamp_min(torch.finfo(x.dtype).tiny)
    return x.new_full((1,), max(law.scale, torch.finfo(x.dtype).tiny))


def _tables(network: Network, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int]:
    return _constant_tables(network.kind, network.n, network.own, device)


@constant_result
def _constant_tables(kind: Any, n: int, own: tuple, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int]:
    return _build_tables(named(kind, n, own), device)


@lru_cache(maxsize=256)
def _build_tables(network: Network, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int]:
    """Wires and ends of layers on the device, and the number of comparators of the widest layer."""
    widest = max((end - begin for begin, end in network.layers()), default=0)
    ends = torch.tensor((0, *network.ends), dtype=torch.int32, device="cpu")
    return network.low.to(device), network.high.to(device), ends.to(device), widest


def _network(n: int, low: Tensor, high: Tensor, kind: Any) -> Network:
    """The network of an operator: torch operators take tensors, not objects."""
    if kind != "pairs":
        return named(kind, n)
    return from_pairs(n, zip(low.tolist(), high.tolist(), strict=True))


def _like(t: Tensor) -> Tensor:
    return torch.empty_like(t, memory_format=torch.contiguous_format)


def _power(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()


# ---- values -------------------------------------------------------------------------------------------------------


def _values_shape(batch: int, widest: int) -> tuple[int, dict[str, int]]:
    """Number of programs, and the shape of their tiles: a few samples each where the network is narrow."""
    lanes = min(_power(widest), 1024)
    rows = max(32 // lanes, 1)
    return -(-batch // rows), {"ROWS": rows, "LANES": lanes, "num_warps": max(1, min(8, rows * lanes // 64))}


@torch.library.custom_op("algonets::network_triton_values", mutates_args=())
def _values(
    x: Tensor,
    scale: Tensor,
    low: Tensor,
    high: Tensor,
    ends: Tensor,
    widest: int,
    kind: str,
    law: int,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Sorted values, and the alphas where ``keep``, else an empty tensor."""
    batch, n = x.shape
    y = x.clone(memory_format=torch.contiguous_format)
    alphas = x.new_empty(batch, len(low) if keep else 0)
    if batch and len(low):
        programs, shape = _values_shape(batch, widest)
        sizes = (batch, n, len(low), len(ends) - 1)
        with torch.cuda.device_of(x):
            _kernels().values_kernel[(programs,)](
                y, alphas, low, high, ends, scale, *sizes, LAW=law, KEEP=keep, **_LAUNCH, **shape
            )
    return y, alphas


@_values.register_fake
def _(x, scale, low, high, ends, widest, kind, law, keep):
    return _like(x), x.new_empty(x.shape[0], len(low) if keep else 0)


@torch.library.custom_op("algonets::network_triton_values_backward", mutates_args=())
def _values_backward(
    x: Tensor,
    scale: Tensor,
    by_y: Tensor,
    by_alpha: Tensor,
    low: Tensor,
    high: Tensor,
    ends: Tensor,
    widest: int,
    kind: str,
    law: int,
) -> tuple[Tensor, Tensor]:
    """Gradients of items and scale; ``by_alpha`` is ``(B, C)``, or ``(B, 0)`` if the alphas were not kept."""
    batch, n = x.shape
    g = by_y.clone(memory_format=torch.contiguous_format)
    if not batch or not len(low):
        return g, torch.zeros_like(scale)
    z = x.clone(memory_format=torch.contiguous_format)
    by_alpha = by_alpha.contiguous()
    step = min(batch, max(1, _SCRATCH // (len(low) * x.element_size())))
    kept = x.new_empty(step, len(low))
    parts = []
    for start in range(0, batch, step):
        count = min(step, batch - start)
        programs, shape = _values_shape(count, widest)
        parts.append(x.new_empty(programs))
        here = slice(start, start + count)
        arrays = (z[here], g[here], by_alpha[here], parts[-1], kept, low, high, ends, scale)
        sizes = (count, n, len(low), len(ends) - 1)
        with torch.cuda.device_of(x):
            _kernels().values_backward_kernel[(programs,)](
                *arrays, *sizes, LAW=law, KEEP=by_alpha.shape[1] > 0, **_LAUNCH, **shape
            )
    return g, torch.cat(parts).sum().reshape(1)


@_values_backward.register_fake
def _(x, scale, by_y, by_alpha, low, high, ends, widest, kind, law):
    return _like(by_y), torch.empty_like(scale)


# ---- payloads -----------------------------------------------------------------------------------------------------


def _apply_shape(width: int, widest: int) -> tuple[int, dict[str, int]]:
    """Number of blocks of columns, and the shape of the tiles."""
    columns = min(_power(width), 16)
    lanes = min(_power(widest), 2048 // columns)
    return -(-width // columns), {
        "LANES": lanes,
        "COLUMNS": columns,
        "num_warps": max(1, min(8, lanes * columns // 128)),
    }


@torch.library.custom_op("algonets::network_triton_apply", mutates_args=())
def _apply(
    alphas: Tensor,
    payload: Tensor,
    low: Tensor,
    high: Tensor,
    ends: Tensor,
    widest: int,
    kind: str,
    transposed: bool,
) -> Tensor:
    """The payload, mixed."""
    batch, n, width = payload.shape
    z = payload.clone(memory_format=torch.contiguous_format)
    if z.numel() and len(low):
        blocks, shape = _apply_shape(width, widest)
        sizes = (n, width, len(low), len(ends) - 1)
        with torch.cuda.device_of(z):
            _kernels().apply_kernel[(batch, blocks)](
                z, alphas.contiguous(), low, high, ends, *sizes, REVERSED=transposed, **_LAUNCH, **shape
            )
    return z


@_apply.register_fake
def _(alphas, payload, low, high, ends, widest, kind, transposed):
    return _like(payload)


@torch.library.custom_op("algonets::network_triton_apply_backward", mutates_args=())
def _apply_backward(
    alphas: Tensor,
    payload: Tensor,
    by_out: Tensor,
    low: Tensor,
    high: Tensor,
    ends: Tensor,
    widest: int,
    kind: str,
    transposed: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of alphas and payload."""
    batch, n, width = payload.shape
    g = by_out.clone(memory_format=torch.contiguous_format)
    if not g.numel() or not len(low):
        return torch.zeros_like(alphas, memory_format=torch.contiguous_format), g
    alphas = alphas.contiguous()
    by_alpha = torch.empty_like(alphas)
    blocks, shape = _apply_shape(width, widest)
    each = len(low) * shape["COLUMNS"] * payload.element_size()
    programs = max(1, min(_PROGRAMS, _SCRATCH // each))
    parts = min(blocks, max(1, programs // batch))
    step = min(batch, max(1, programs // parts))
    kept = payload.new_empty(step * parts, len(low), shape["COLUMNS"])
    for start in range(0, batch, step):
        here = slice(start, min(start + step, batch))
        z = payload[here].clone(memory_format=torch.contiguous_format)
        partial = alphas.new_zeros(len(z), parts, len(low))
        arrays = (z, g[here], partial, kept, alphas[here], low, high, ends)
        sizes = (n, width, len(low), len(ends) - 1)
        with torch.cuda.device_of(z):
            _kernels().apply_backward_kernel[(len(z), parts)](*arrays, *sizes, REVERSED=transposed, **_LAUNCH, **shape)
        by_alpha[here] = partial.sum(1)
    return by_alpha, g


@_apply_backward.register_fake
def _(alphas, payload, by_out, low, high, ends, widest, kind, transposed):
    return _like(alphas), _like(payload)


# ---- derivatives --------------------------------------------------------------------------------------------------


def _save_values(ctx, inputs, output):
    x, scale, low, high, ends, *ctx.rest = inputs
    ctx.save_for_backward(x, scale, low, high, ends)


def _differentiate_values(ctx, by_y, by_alpha):
    x, scale, low, high, ends = ctx.saved_tensors
    widest, kind, law, _ = ctx.rest
    gradients = _values_backward(x, scale, by_y, by_alpha, low, high, ends, widest, kind, law)
    return *gradients, None, None, None, None, None, None, None


def _save_values_backward(ctx, inputs, output):
    *tensors, ctx.widest, ctx.kind, ctx.law = inputs
    ctx.save_for_backward(*tensors)


def _differentiate_values_twice(ctx, by_x, by_scale):
    x, scale, by_y, by_alpha, low, high, _ = ctx.saved_tensors
    network = _network(x.shape[1], low, high, ctx.kind)

    def forward(x: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        y, alphas = reference.values_and_alphas(x, network, tuple(_LAWS)[ctx.law](scale))
        return y, alphas[:, : by_alpha.shape[1]]

    second = _second_derivative(forward, (x, scale), (by_y, by_alpha), (by_x, by_scale))
    return *second, None, None, None, None, None, None


def _save_apply(ctx, inputs, output):
    alphas, payload, low, high, ends, *ctx.rest = inputs
    ctx.save_for_backward(alphas, payload, low, high, ends)


def _differentiate_apply(ctx, by_out):
    alphas, payload, *tables = ctx.saved_tensors
    gradients = _apply_backward(alphas, payload, by_out, *tables, *ctx.rest)
    return *gradients, None, None, None, None, None, None


def _save_apply_backward(ctx, inputs, output):
    *tensors, ctx.widest, ctx.kind, ctx.transposed = inputs
    ctx.save_for_backward(*tensors)


def _differentiate_apply_twice(ctx, by_alphas, by_payload):
    alphas, payload, by_out, low, high, _ = ctx.saved_tensors
    network = _network(payload.shape[1], low, high, ctx.kind)

    def forward(alphas: Tensor, payload: Tensor) -> tuple[Tensor, ...]:
        return (reference.apply(alphas, payload, network, ctx.transposed),)

    second = _second_derivative(forward, (alphas, payload), (by_out,), (by_alphas, by_payload))
    return *second, None, None, None, None, None, None


def _second_derivative(
    forward: Callable[..., tuple[Tensor, ...]],
    inputs: tuple[Tensor, ...],
    by_outputs: tuple[Tensor, ...],
    by_gradients: tuple[Tensor, ...],
) -> tuple[Tensor | None, ...]:
    """Differentiate the gradients of the reference ``forward``, to any further order."""
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = [t.view_as(t) if keep_graph and t.requires_grad else t.detach().requires_grad_() for t in inputs]
        given = [t.view_as(t) if keep_graph and t.requires_grad else t.detach().requires_grad_() for t in by_outputs]
        live = [(y, g) for y, g in zip(forward(*leaves), given, strict=True) if y.numel() and y.requires_grad]
        first = torch.autograd.grad(
            [y for y, _ in live], leaves, [g for _, g in live], create_graph=True, materialize_grads=True
        )
        pairs = [(f, g) for f, g in zip(first, by_gradients, strict=True) if f.requires_grad]
        if not pairs:
            return (None,) * (len(leaves) + len(given))
        return torch.autograd.grad(
            [f for f, _ in pairs],
            (*leaves, *given),
            [g for _, g in pairs],
            create_graph=keep_graph,
            allow_unused=True,
        )


_values.register_autograd(_differentiate_values, setup_context=_save_values)
_values_backward.register_autograd(_differentiate_values_twice, setup_context=_save_values_backward)
_apply.register_autograd(_differentiate_apply, setup_context=_save_apply)
_apply_backward.register_autograd(_differentiate_apply_twice, setup_context=_save_apply_backward)
