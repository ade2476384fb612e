"""Settling and packed distances on whichever backend has them: native kernels, else plain torch."""

import torch
from torch import Tensor

from algonets._core.backend import active_backend, get_num_threads, native, native_status, use_native
from algonets.memory import _asynchronous

__all__ = ["packed_distance", "settle"]

_BLOCK = 1 << 22
"""Bits that the torch reference of the packed distance unpacks at a time."""


def settle(
    states: Tensor, weights: Tensor, threshold: Tensor, max_sweeps: int, generator: torch.Generator | None
) -> Tensor:
    """Settle ``(B, n)`` states; see :func:`algonets.memory._asynchronous.settle`, the reference."""
    if not states.numel() or not use_native("Hopfield(queries)", states, weights):
        return _asynchronous.settle(states, weights, threshold, max_sweeps, generator)
    zero = _asynchronous.rounding(weights, threshold)
    threshold = threshold.to(torch.float64).contiguous()
    states = states.clone(memory_format=torch.contiguous_format)
    weights = weights.detach().contiguous()
    arguments = (weights, threshold, zero)
    if generator is None:
        native().hopfield_settle(states, *arguments, None, max_sweeps, get_num_threads())
        return states
    for _ in range(max_sweeps):
        order = torch.randperm(states.shape[1], generator=generator)
        if not native().hopfield_settle(states, *arguments, order, 1, get_num_threads()):
            break
    return states


def packed_distance(a: Tensor, b: Tensor) -> Tensor:
    """Bits in which ``(A, words)`` and ``(B, words)`` of int64 differ, int32 ``(A, B)``."""
    on_cpu = a.device.type == "cpu" and b.device.type == "cpu"
    if on_cpu and native_status()[0] and active_backend() != "torch":
        out = torch.empty(len(a), len(b), dtype=torch.int32)
        native().packed_distance(a.contiguous(), b.contiguous(), out, get_num_threads())
        return out
    # Half the inner product of signs away from the number of bits; a float holds it exactly.
    first = _signs(a)
    rows = max(1, _BLOCK // max(first.shape[1], 1))
    parts = [(first.shape[1] - first @ _signs(part).mT) / 2 for part in b.split(rows)]
    return torch.cat(parts, 1).to(torch.int32) if parts else a.new_zeros(len(a), 0, dtype=torch.int32)


def _signs(words: Tensor) -> Tensor:
    bits = (words.unsqueeze(-1) >> torch.arange(64, device=words.device)) & 1
    return bits.flatten(-2).to(torch.float32) * 2 - 1
