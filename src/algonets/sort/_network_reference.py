"""Soft sorting networks in plain torch: the truth for the native kernels, and what runs on every device.

A comparator of the items ``a`` (wire low) and ``b`` (wire high) keeps them in place with the weight
``alpha = F(b - a)``, ``F`` the CDF of the law: ``min = alpha a + (1 - alpha) b``, ``max = alpha b + (1 - alpha) a``.
A layer is that on disjoint pairs, so its matrix is symmetric, and the transposed network is the reversed one.

All tensors have the wires in dimension 1. Regular networks run by views; others keep the wires of each layer side by
side, with one permutation between two layers.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from algonets._core.checks import values_visible
from algonets._core.compiling import constant_result
from algonets.sort.networks import Kind, Network, SwapLaw, named

__all__ = [
    "Layer",
    "Plan",
    "apply",
    "differences",
    "finish",
    "join",
    "matrix",
    "plan",
    "shrink",
    "split",
    "values",
    "values_and_alphas",
]


@dataclass(frozen=True, eq=False)
class Layer:
    """How the wires of one layer come apart into pairs, and together again.

    Attributes:
        pairs: Shape of the pairs; flattened, it is the order of the comparators in the network.
        side: Where in the shape of the compared wires the two of a pair are, dimension 1 being the first.
        sizes: Numbers of wires before, in and after the compared ones.
        order: Permutation of the wires before they come apart, or ``None``.
        direction: -1 where the minimum goes to the second wire, else 1, ``(groups, 1)``; ``None`` for 1 everywhere.
    """

    pairs: tuple[int, ...]
    side: int
    sizes: tuple[int, int, int]
    order: Tensor | None = None
    direction: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """The layers in the order to run them, and the permutation after the last one."""

    layers: tuple[Layer, ...]
    last: Tensor | None = None


def values(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """Sorted values of ``(B, n)`` items. O(B C) time; autograd keeps O(B C) for the backward pass."""
    return _run(x, network, law, None)


def values_and_alphas(x: Tensor, network: Network, law: SwapLaw) -> tuple[Tensor, Tensor]:
    """Sorted values, and the weight ``(B, C)`` with which each comparator left its items in place."""
    alphas: list[Tensor] = []
    y = _run(x, network, law, alphas)
    return y, torch.cat(alphas, 1) if alphas else x[:, :0]


def apply(alphas: Tensor, payload: Tensor, network: Network, transposed: bool) -> Tensor:
    """``P @ payload``, or ``P^T @ payload`` where ``transposed``, for a payload ``(B, n, d)``. O(B C d) time."""
    chosen = plan(network, payload.device, transposed)
    widths = [end - begin for begin, end in pairwise((0, *network.ends))]
    pieces = list(alphas.split(widths, 1)) if widths else []
    z = payload
    for layer, piece in zip(chosen.layers, reversed(pieces) if transposed else pieces, strict=True):
        first, second, rest = split(layer, z)
        alpha = piece.unflatten(1, layer.pairs).unsqueeze(-1)
        z = join(layer, torch.lerp(second, first, alpha), torch.lerp(first, second, alpha), rest)
    return finish(chosen, z)


def matrix(alphas: Tensor, network: Network) -> Tensor:
    """``P[rank, item]``, ``(B, n, n)``. O(B C n) time."""
    eye = torch.eye(network.n, dtype=alphas.dtype, device=alphas.device)
    return apply(alphas, eye.expand(alphas.shape[0], -1, -1), network, transposed=False)


def _run(x: Tensor, network: Network, law: SwapLaw, alphas: list[Tensor] | None) -> Tensor:
    z, law, factor = shrink(x, law)
    chosen = plan(network, x.device, False)
    for layer in chosen.layers:
        first, second, rest = split(layer, z)
        alpha = law.cdf(differences(layer, first, second))
        if alphas is not None:
            alphas.append(alpha.flatten(1))
        # lerp is exact for weights 0 and 1: a saturated law sorts exactly
        z = join(layer, torch.lerp(second, first, alpha), torch.lerp(first, second, alpha), rest)
    return finish(chosen, z) * factor if factor != 1 else finish(chosen, z)


def shrink(x: Tensor, law: SwapLaw) -> tuple[Tensor, SwapLaw, int]:
    """Divide items whose differences would overflow by 4; the law makes up for it, the factor is for the result.

    Well before they do: gradients of the weights are differences times gradients of the result.
    """
    if x.numel() and values_visible(x) and bool(x.detach().abs().amax() > torch.finfo(x.dtype).max ** 0.5):
        return x / 4, _Stretched(law), 4
    return x, law, 1


@dataclass(frozen=True)
class _Stretched:
    """A law for huge items that were divided by 4."""

    law: SwapLaw

    def cdf(self, x: Tensor) -> Tensor:
        alpha = self.law.cdf(4 * x)
        # the gradient that comes in may be infinite: times a slope of 0 that is NaN
        return torch.where((alpha == 0) | (alpha == 1), alpha.detach(), alpha)


# ---- layers: functions, because torch.compile can read the fields of its constants but not call their methods -------


def split(layer: Layer, z: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """First and second wires ``(B, *pairs, ...)``, and the wires before and after them, if any."""
    if layer.order is not None:
        z = z.index_select(1, layer.order)
    rest: list[Tensor] = []
    if layer.sizes[0] or layer.sizes[2]:
        before, z, after = z.split(layer.sizes, 1)
        rest = [before, after]
    shape = (*layer.pairs[: layer.side - 1], 2, *layer.pairs[layer.side - 1 :])
    first, second = z.unflatten(1, shape).unbind(layer.side)
    return first, second, rest


def join(layer: Layer, first: Tensor, second: Tensor, rest: list[Tensor]) -> Tensor:
    """Undo :func:`split`, but for the permutation."""
    z = torch.stack((first, second), layer.side).flatten(1, 1 + len(layer.pairs))
    return torch.cat((rest[0], z, rest[1]), 1) if rest else z


def differences(layer: Layer, first: Tensor, second: Tensor) -> Tensor:
    """``b - a``: not negative where a pair is in order already."""
    return second - first if layer.direction is None else (second - first) * layer.direction


def finish(chosen: Plan, z: Tensor) -> Tensor:
    """Bring the wires back into their order."""
    return z if chosen.last is None else z.index_select(1, chosen.last)


# ---- plans --------------------------------------------------------------------------------------------------------


def plan(network: Network, device: torch.device, transposed: bool) -> Plan:
    """How to run a network, or its transposed, on a device."""
    return _constant_plan(network.kind, network.n, network.own, device, transposed)


@constant_result
def _constant_plan(kind: Kind, n: int, own: tuple, device: torch.device, transposed: bool) -> Plan:
    return _build_plan(named(kind, n, own), device, transposed)


@lru_cache(maxsize=256)
def _build_plan(network: Network, device: torch.device, transposed: bool) -> Plan:
    n = network.n
    if network.kind == "odd_even":
        layers = [_neighbours(n, index % 2) for index in range(network.depth)]
        return Plan(tuple(reversed(layers) if transposed else layers))
    if network.kind == "bitonic" and n & (n - 1) == 0:
        layers = [
            _butterfly(n, block, 2**exponent, device)
            for block in range((n - 1).bit_length())
            for exponent in range(block, -1, -1)
        ]
        return Plan(tuple(reversed(layers) if transposed else layers))
    return _side_by_side(network, device, transposed)


def _neighbours(n: int, start: int) -> Layer:
    count = (n - start) // 2
    return Layer((count,), 2, (start, 2 * count, n - start - 2 * count))


def _butterfly(n: int, block: int, distance: int, device: torch.device) -> Layer:
    """Pairs at a distance; in every other run of ``2^(block + 1)`` wires the maximum comes first."""
    groups = n // (2 * distance)
    falling = ((torch.arange(groups, device=device) * 2 * distance) >> (block + 1)) & 1
    direction = (1 - 2 * falling).to(torch.float32)[:, None] if 2 ** (block + 1) < n else None
    return Layer((groups, distance), 2, (0, n, 0), direction=direction)


def _side_by_side(network: Network, device: torch.device, transposed: bool) -> Plan:
    """Lay out each layer as low wires, high wires, the rest; consecutive permutations become one."""
    n = network.n
    spans = list(network.layers())
    layers: list[Layer] = []
    back = torch.arange(n, device="cpu")
    for begin, end in reversed(spans) if transposed else spans:
        low, high = network.low[begin:end].long(), network.high[begin:end].long()
        busy = torch.cat((low, high))
        idle = torch.ones(n, dtype=torch.bool, device="cpu").index_fill(0, busy, False).nonzero().squeeze(-1)
        order = torch.cat((busy, idle))
        count = end - begin
        layer = Layer((count,), 1, (0, 2 * count, n - 2 * count), order=back[order].to(device))
        layers.append(layer)
        back = torch.argsort(order)
    return Plan(tuple(layers), back.to(device))
