"""What the network methods compute, on whichever backend has it: the one seam between methods and kernels.

All take ``x`` ``(B, n)``, float32 or float64, finite. The native kernels know most laws; for another they take the
alphas, which torch computes.
"""

from typing import Any

import torch
from torch import Tensor

from algonets._core.backend import use_native
from algonets.sort import _network_native as kernels
from algonets.sort import _network_reference as reference
from algonets.sort import _network_triton as triton
from algonets.sort.networks import Network, SwapLaw

__all__ = ["apply", "collect", "cross_entropy", "matrix", "values"]

_NARROW = 8
"""Payloads of up to so many columns are sorted together with the items, wider ones after them."""


def _native(call: str, x: Tensor, law: Any, *others: Tensor) -> bool:
    scale = getattr(law, "scale", None)
    return use_native(call, x, *others, scale if isinstance(scale, Tensor) else None)


def _by_torch(x: Tensor, law: Any, *others: Tensor) -> Any:
    """The module that runs where the native kernels do not: Triton on a GPU, else plain torch."""
    return triton if triton.available(x, law, *others) else reference


def _keys(x: Tensor, network: Network, law: Any) -> tuple[tuple, tuple]:
    """The arguments of a kernel that say where the alphas come from."""
    wiring = network.kind, network.n, [wire for pair in network.own for wire in pair]
    number = kernels.LAWS.get(type(law), kernels.GIVEN)
    if number == kernels.GIVEN:
        alphas = reference.values_and_alphas(x, network, law)[1]
        return (alphas, None), (*wiring, 1.0, number, 0.0)
    scale, width = law.scale, 1.0
    if isinstance(scale, Tensor):
        scale = scale.reshape(1).to(x.dtype).expand(x.shape[0])
    else:
        scale, width = None, scale
    return (x, scale), (*wiring, width, number, getattr(law, "power", 0.0))


def values(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """Sorted values ``(B, n)``."""
    if type(law) not in kernels.LAWS or not _native("sorting network", x, law):
        return _by_torch(x, law).values(x, network, law)
    tensors, options = _keys(x, network, law)
    return kernels.network(*tensors, None, *options, kernels.VALUES)


def matrix(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """``P[rank, item]``, ``(B, n, n)``."""
    if not _native("sorting network", x, law):
        torch_or_triton = _by_torch(x, law)
        return torch_or_triton.matrix(torch_or_triton.values_and_alphas(x, network, law)[1], network)
    tensors, options = _keys(x, network, law)
    return kernels.network(*tensors, None, *options, kernels.MATRIX)


def apply(x: Tensor, payload: Tensor, network: Network, law: SwapLaw) -> tuple[Tensor, Tensor]:
    """Sorted values, and ``P @ payload`` for a payload ``(B, n, d)``."""
    if not _native("sorting network", x, law, payload):
        torch_or_triton = _by_torch(x, law, payload)
        y, alphas = torch_or_triton.values_and_alphas(x, network, law)
        return y, torch_or_triton.apply(alphas, payload, network, transposed=False)
    tensors, options = _keys(x, network, law)
    if payload.shape[2] < _NARROW:
        together = torch.cat((x.unsqueeze(-1), payload), -1)
        moved = kernels.network(*tensors, together, *options, kernels.APPLY)
        return moved[..., 0], moved[..., 1:]
    return values(x, network, law), kernels.network(*tensors, payload, *options, kernels.APPLY)


def collect(x: Tensor, by_rank: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """``P^T @ by_rank`` for ``by_rank`` ``(B, n, d)``: the network in reverse."""
    if not _native("sorting network", x, law, by_rank):
        torch_or_triton = _by_torch(x, law, by_rank)
        alphas = torch_or_triton.values_and_alphas(x, network, law)[1]
        return torch_or_triton.apply(alphas, by_rank, network, transposed=True)
    tensors, options = _keys(x, network, law)
    return kernels.network(*tensors, by_rank, *options, kernels.TRANSPOSED)


def cross_entropy(x: Tensor, target: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """Binary cross-entropy ``(B,)`` of ``P[rank, item]`` with the true ranks ``target`` ``(B, n)``, int64.

    Averaged over the n^2 entries; logarithms are cut at -100. The kernel never holds ``P``: O(B (n + C)) memory.
    """
    if not _native("sorting network", x, law):
        p = matrix(x, network, law).clamp(0, 1)
        truth = torch.nn.functional.one_hot(target, network.n).mT.to(p.dtype)
        return torch.nn.functional.binary_cross_entropy(p, truth, reduction="none").mean((1, 2))
    (keys, scale), options = _keys(x, network, law)
    learning = torch.is_grad_enabled()
    with_keys = learning and keys.requires_grad
    with_scale = learning and scale is not None and scale.requires_grad
    return kernels.network_cross_entropy(keys, scale, target, *options, with_keys, with_scale)[0]
