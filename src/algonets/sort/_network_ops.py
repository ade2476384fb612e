"""What the network methods compute, on whichever backend has it: the one seam between methods and kernels."""

from torch import Tensor

from algonets.sort import _network_reference as reference
from algonets.sort.networks import Network, SwapLaw

__all__ = ["apply", "collect", "matrix", "values"]

# Native kernels go here: `if use_native("...", x, ...) and <law and network have a kernel>: return <kernel>`, with the
# reference below as the other branch. All take x (B, n), float32 or float64, finite.


def values(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """Sorted values ``(B, n)``."""
    return reference.values(x, network, law)


def matrix(x: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """``P[rank, item]``, ``(B, n, n)``."""
    return reference.matrix(reference.values_and_alphas(x, network, law)[1], network)


def apply(x: Tensor, payload: Tensor, network: Network, law: SwapLaw) -> tuple[Tensor, Tensor]:
    """Sorted values, and ``P @ payload`` for a payload ``(B, n, d)``."""
    y, alphas = reference.values_and_alphas(x, network, law)
    return y, reference.apply(alphas, payload, network, transposed=False)


def collect(x: Tensor, by_rank: Tensor, network: Network, law: SwapLaw) -> Tensor:
    """``P^T @ by_rank`` for ``by_rank`` ``(B, n, d)``: the network in reverse."""
    return reference.apply(reference.values_and_alphas(x, network, law)[1], by_rank, network, transposed=True)
