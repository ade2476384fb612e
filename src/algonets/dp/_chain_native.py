"""The native chain kernels as torch operators: seen by autograd, ``vmap`` and ``torch.compile``."""

from typing import Any

import torch

from algonets._core.backend import get_num_threads, native
from algonets.dp import _chain_reference as reference
from algonets.dp._chain_factors import ChainFactors

__all__ = ["gradient", "log_partition", "sample", "viterbi"]

Optional = torch.Tensor | None


def _plain(tensor: Optional) -> Optional:
    return None if tensor is None else tensor.detach().contiguous()


def _arguments(
    unary: torch.Tensor, transition: torch.Tensor, start: Optional, end: Optional, lengths: torch.Tensor
) -> list[Any]:
    return [_plain(t) for t in (unary, transition, start, end, lengths)]


@torch.library.custom_op("algonets::chain_log_partition", mutates_args=())
def log_partition(
    unary: torch.Tensor, transition: torch.Tensor, start: Optional, end: Optional, lengths: torch.Tensor
) -> torch.Tensor:
    """(B,) log-partitions."""
    out = unary.new_empty(unary.shape[0])
    native().chain_log_partition(*_arguments(unary, transition, start, end, lengths), out, get_num_threads())
    return out


@log_partition.register_fake
def _(unary, transition, start, end, lengths):
    return unary.new_empty(unary.shape[0])


@torch.library.custom_op("algonets::chain_gradient", mutates_args=())
def gradient(
    unary: torch.Tensor,
    transition: torch.Tensor,
    start: Optional,
    end: Optional,
    lengths: torch.Tensor,
    weight: torch.Tensor,
    pairwise: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of sum(weight * log_partition): (B, T, S), and in the shape of ``transition``.

    With ``pairwise`` the second is (B, T - 1, S, S), not summed over anything.
    """
    batch, steps, states = unary.shape
    unary_out = torch.zeros(unary.shape, dtype=unary.dtype)
    rows, matrices = transition.shape[:2]
    per_step = pairwise or matrices != 1
    per_sequence = per_step or rows != 1
    summed = not per_sequence
    out_rows = batch if per_sequence else 1
    transition_out = unary.new_zeros(out_rows, steps - 1 if per_step else 1, states, states)
    arguments = _arguments(unary, transition, start, end, lengths)
    out = transition_out if transition_out.numel() else None
    native().chain_gradient(*arguments, weight.detach().contiguous(), unary_out, out, summed, get_num_threads())
    if not pairwise and rows == 1 and per_step:
        transition_out = transition_out.sum(0, keepdim=True)
    return unary_out, transition_out


@gradient.register_fake
def _(unary, transition, start, end, lengths, weight, pairwise):
    batch, steps, states = unary.shape
    shape = (batch, steps - 1, states, states) if pairwise else transition.shape
    return torch.empty_like(unary, memory_format=torch.contiguous_format), unary.new_empty(shape)


@torch.library.custom_op("algonets::chain_viterbi", mutates_args=())
def viterbi(
    unary: torch.Tensor, transition: torch.Tensor, start: Optional, end: Optional, lengths: torch.Tensor
) -> torch.Tensor:
    """(B, T) labels of the best sequence, ties as in the reference."""
    labels = torch.empty(unary.shape[:2], dtype=torch.int64)
    native().chain_viterbi(*_arguments(unary, transition, start, end, lengths), labels, get_num_threads())
    return labels


@viterbi.register_fake
def _(unary, transition, start, end, lengths):
    return unary.new_empty(unary.shape[:2], dtype=torch.int64)


@torch.library.custom_op("algonets::chain_sample", mutates_args=())
def sample(
    unary: torch.Tensor,
    transition: torch.Tensor,
    start: Optional,
    end: Optional,
    lengths: torch.Tensor,
    uniforms: torch.Tensor,
) -> torch.Tensor:
    """(n, B, T) labels by inverse CDF from (n, B, T) float64 uniforms."""
    labels = torch.empty(uniforms.shape, dtype=torch.int64)
    arguments = _arguments(unary, transition, start, end, lengths)
    native().chain_sample(*arguments, uniforms.contiguous(), labels, get_num_threads())
    return labels


@sample.register_fake
def _(unary, transition, start, end, lengths, uniforms):
    return unary.new_empty(uniforms.shape, dtype=torch.int64)


# ---- derivatives -------------------------------------------------------------------------------------------


def _boundary_gradients(start: Any, end: Any, lengths: torch.Tensor, unary: torch.Tensor) -> tuple[Any, Any]:
    """Gradients of start and end: those of the first and of the last unary score."""
    at_start = at_end = None
    if start is not None:
        at_start = unary[:, 0].sum_to_size(start.shape)
    if end is not None:
        last = (lengths - 1)[:, None, None].expand(-1, 1, unary.shape[2])
        at_end = unary.gather(1, last).squeeze(1).sum_to_size(end.shape)
    return at_start, at_end


def _save(ctx, inputs, output):
    unary, transition, start, end, lengths, *rest = inputs
    ctx.save_for_backward(unary, transition, start, end, lengths, *rest[:1])
    ctx.pairwise = rest[1] if len(rest) > 1 else None


def _log_partition_backward(ctx, grad):
    unary, transition, start, end, lengths = ctx.saved_tensors
    by_unary, by_transition = gradient(unary, transition, start, end, lengths, grad, False)
    return by_unary, by_transition, *_boundary_gradients(start, end, lengths, by_unary), None


def _gradient_backward(ctx, by_unary, by_transition):
    """Second derivative: differentiate the reference, to any further order."""
    saved = ctx.saved_tensors
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs: list[Any] = [
            None if t is None else (t.view_as(t) if keep_graph and t.requires_grad else t.detach().requires_grad_())
            for t in (*saved[:4], saved[5])
        ]
        unary, transition, start, end, weight = inputs
        factors = ChainFactors(unary, transition, start, end, saved[4])
        nodes, pairs = reference.marginals(factors)
        first = weight[:, None, None] * nodes
        second = weight[:, None, None, None] * pairs
        if not ctx.pairwise:
            second = second.sum_to_size(transition.shape)
        wanted = [t for t in inputs if t is not None]
        found = torch.autograd.grad(
            (first, second), wanted, (by_unary, by_transition), create_graph=keep_graph, allow_unused=True
        )
    grads = iter(found)
    ordered = [None if t is None else next(grads) for t in inputs]
    return *ordered[:4], None, ordered[4], None


log_partition.register_autograd(_log_partition_backward, setup_context=_save)
gradient.register_autograd(_gradient_backward, setup_context=_save)


# ---- vmap: the new dimension joins the batch -----------------------------------------------------------------


def _merge(size: int, batch: int, value: Any, dim: int | None, may_share: bool) -> Any:
    """Bring an argument to (size * batch, ...); ``may_share`` keeps a leading 1 that vmap does not touch."""
    if value is None:
        return None
    if dim is None:
        if may_share and value.shape[0] == 1:
            return value
        value = value.unsqueeze(0).expand(size, *value.shape)
    else:
        value = value.movedim(dim, 0)
    value = value.expand(size, batch, *value.shape[2:])
    return value.reshape(size * batch, *value.shape[2:])


def _merged(info, dims, arguments, share_transition: bool = True):
    unary, transition, start, end, lengths = arguments[:5]
    batch = unary.shape[0 if dims[0] is None else (1 if dims[0] == 0 else 0)]
    n = info.batch_size
    merged = [
        _merge(n, batch, unary, dims[0], False),
        _merge(n, batch, transition, dims[1], share_transition),
        _merge(n, batch, start, dims[2], True),
        _merge(n, batch, end, dims[3], True),
        _merge(n, batch, lengths, dims[4], False),
    ]
    return n, batch, merged


@log_partition.register_vmap
def _(info, dims, *arguments):
    n, batch, merged = _merged(info, dims, arguments)
    return log_partition(*merged).reshape(n, batch), 0


@gradient.register_vmap
def _(info, dims, *arguments):
    n, batch, merged = _merged(info, dims, arguments, share_transition=False)
    weight = _merge(n, batch, arguments[5], dims[5], False)
    pairwise = arguments[6]
    rows = arguments[1].shape[0 if dims[1] is None else (1 if dims[1] == 0 else 0)]
    by_unary, by_transition = gradient(*merged, weight, pairwise)
    by_unary = by_unary.reshape(n, batch, *by_unary.shape[1:])
    by_transition = by_transition.reshape(n, batch, *by_transition.shape[1:])
    if not pairwise and rows == 1:
        by_transition = by_transition.sum(1, keepdim=True)
    return (by_unary, by_transition), (0, 0)


@viterbi.register_vmap
def _(info, dims, *arguments):
    n, batch, merged = _merged(info, dims, arguments)
    labels = viterbi(*merged)
    return labels.reshape(n, batch, labels.shape[1]), 0


@sample.register_vmap
def _(info, dims, *arguments):
    n, batch, merged = _merged(info, dims, arguments)
    uniforms = arguments[5]
    uniforms = uniforms.expand(n, *uniforms.shape) if dims[5] is None else uniforms.movedim(dims[5], 0)
    count, steps = uniforms.shape[1], uniforms.shape[3]
    flat = uniforms.movedim(0, 1).reshape(count, n * batch, steps)
    labels = sample(*merged, flat)
    return labels.reshape(count, n, batch, steps).movedim(1, 0), 0
