"""Error-free swaps: a network that sorts exactly, with the gradients of soft comparators."""

from typing import NamedTuple, final

import torch
from torch import Tensor

from algonets._core.errors import reject_type
from algonets.sort._network_reference import Layer, differences, finish, join, plan, shrink, split
from algonets.sort.comparators import ComparatorMethod
from algonets.sort.method import Properties, SortMethod
from algonets.sort.networks import Network, SwapLaw

__all__ = ["ErrorFree"]


class _Swaps(NamedTuple):
    """What a layer did: the soft weight and the hard choice to stay, ``(B, *pairs)`` each."""

    soft: Tensor
    hard: Tensor


class _ErrorFreeProperties:
    """Those of the wrapped method, but exact."""

    def __get__(self, method: "ErrorFree | None", owner: type["ErrorFree"]) -> Properties:
        inner = ComparatorMethod.properties if method is None else method.method.properties
        return Properties(
            rows=True,
            columns=True,
            sum_preserving=True,
            monotone=inner.monotone,
            sparse=True,
            differentiability="straight-through, first order",
            cost=inner.cost if method is not None else "that of the network",
        )


@final
class ErrorFree(SortMethod):
    """Error-free differentiable swaps: each comparator gives the exact minimum and maximum.

    ``min = soft_min + stop_gradient(hard_min - soft_min)``, and so for the maximum and for what is carried along: the
    result is that of an exact sort (softening errors do not add up over the layers), each comparator has the derivative
    of the soft one at the exact values. Unlike ``hard=True``, which takes the gradient of the whole soft network.

    Args:
        method: the network, for example ``OddEven(Cauchy(0.1))``.

    Raises:
        TypeError: if ``method`` is not a sorting network.

    Differentiability: straight-through: first order, not the derivative of the value. Ranks, masks and indices run the
    network in reverse, and their surrogate derivatives with it.
    Cost: that of the network in plain torch, about twice.
    References: Kim, Yoon, Cho 2024, Generalized Neural Sorting Networks with Error-Free Differentiable Swap Functions,
    section 4.

    Example:
        >>> from algonets.sort import OddEven, soft_sort
        >>> x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        >>> y = soft_sort(x, ErrorFree(OddEven()))
        >>> y.detach(), torch.autograd.grad(y[0], x)[0]
        (tensor([1., 2., 3.]), tensor([2.6485e-05, 9.9976e-01, 2.0966e-04]))
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = _ErrorFreeProperties()  # pyright: ignore[reportAssignmentType]

    def __init__(self, method: ComparatorMethod):
        if not isinstance(method, ComparatorMethod):
            reject_type("ErrorFree(method)", "must be a sorting network", method, "For example ErrorFree(OddEven()).")
        self.method = method

    def _sort(self, x: Tensor) -> Tensor:
        return _run(x, self.method.network(x.shape[1]), self.method.distribution)[0]

    def _matrix(self, x: Tensor) -> Tensor:
        eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        return self._apply(x, eye.expand(*x.shape, -1))[1]

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        network = self.method.network(x.shape[1])
        y, swaps = _run(x, network, self.method.distribution)
        return y, _carry(swaps, payload, network, transposed=False)

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        network = self.method.network(x.shape[1])
        swaps = _run(x, network, self.method.distribution)[1]
        return _carry(swaps, by_rank, network, transposed=True)


def _run(x: Tensor, network: Network, law: SwapLaw) -> tuple[Tensor, list[_Swaps]]:
    chosen = plan(network, x.device, False)
    swaps: list[_Swaps] = []
    z, law, factor = shrink(x, law)
    for layer in chosen.layers:
        first, second, rest = split(layer, z)
        gap = differences(layer, first, second)
        swaps.append(_Swaps(law.cdf(gap), gap.detach() >= 0))
        z = _swap(layer, first, second, rest, *swaps[-1])
    return finish(chosen, z) * factor, swaps


def _carry(swaps: list[_Swaps], payload: Tensor, network: Network, transposed: bool) -> Tensor:
    chosen = plan(network, payload.device, transposed)
    z = payload
    for layer, (soft, hard) in zip(chosen.layers, reversed(swaps) if transposed else swaps, strict=True):
        z = _swap(layer, *split(layer, z), soft.unsqueeze(-1), hard.unsqueeze(-1))
    return finish(chosen, z)


def _swap(layer: Layer, first: Tensor, second: Tensor, rest: list[Tensor], soft: Tensor, hard: Tensor) -> Tensor:
    def mixed(a: Tensor, b: Tensor) -> Tensor:
        exact = torch.where(hard, a, b).detach()
        surrogate = torch.lerp(b, a, soft)
        return exact + (surrogate - surrogate.detach())  # the bracket is 0: nothing is rounded

    return join(layer, mixed(first, second), mixed(second, first), rest)
