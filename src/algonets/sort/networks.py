"""Sorting networks as data: which wires are compared, in which order, and which comparators run at once.

A comparator of the wires ``(low, high)`` puts the smaller item on ``low`` and the larger on ``high``. Comparators that
touch different wires commute, so a network is a list of layers of disjoint comparators.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import index
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.compiling import constant_result
from algonets._core.errors import reject, reject_type

__all__ = ["CHECKED_WIRES", "Network", "SwapLaw", "batcher", "bitonic", "first_wires", "from_pairs", "odd_even"]

Kind = Literal["odd_even", "bitonic", "batcher", "pairs"]

CHECKED_WIRES = 16
"""Up to so many wires :meth:`Network.sorts` tries every input of the 0-1 principle."""


class SwapLaw(Protocol):
    """What a comparator needs of a law: every :class:`algonets.distributions.Distribution` is one.

    ``cdf(b - a)`` is the weight, in [0, 1], with which ``a`` stays on the wire of the minimum: element-wise, 0 and 1
    in the limits, differentiable. It need not be the CDF of one law at a fixed scale: see :class:`LogisticART`.
    """

    def cdf(self, x: Tensor, /) -> Tensor:
        """The soft step from 0 to 1 at the differences ``x``, of any shape."""
        ...


@dataclass(frozen=True, eq=False)
class Network:
    """The wiring of a comparator network, ascending: the smallest item is to arrive on wire 0.

    Attributes:
        n: Number of wires.
        low: int32 ``(C,)``, on the CPU: the wire that takes the minimum of each comparator, in execution order.
        high: int32 ``(C,)``: the wire that takes the maximum.
        ends: Where each layer of disjoint comparators ends in ``low`` and ``high``; no layer is empty.
        kind: Which family it is; ``"odd_even"`` and ``"bitonic"`` are regular enough to be run by views.
        own: For ``"pairs"``: the comparators as they were given; with ``kind`` and ``n``, what tells a network.
    """

    n: int
    low: Tensor
    high: Tensor
    ends: tuple[int, ...]
    kind: Kind
    own: tuple[tuple[int, int], ...] = ()

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.ends)

    @property
    def standard(self) -> bool:
        """Whether every comparator puts the minimum on the lower wire."""
        return bool((self.low < self.high).all())

    def layers(self) -> Iterable[tuple[int, int]]:
        """Begin and end of each layer in ``low`` and ``high``."""
        return itertools.pairwise((0, *self.ends))

    def pairs(self) -> list[tuple[int, int]]:
        """The comparators as ``(low, high)``, in execution order."""
        return list(zip(self.low.tolist(), self.high.tolist(), strict=True))

    def sorts(self) -> bool | None:
        """Tell by the 0-1 principle whether the network sorts every input; ``None`` beyond ``CHECKED_WIRES`` wires.

        A comparator network sorts everything if and only if it sorts the ``2^n`` sequences of zeros and ones. O(C 2^n).
        """
        if self.n > CHECKED_WIRES:
            return None
        numbers = torch.arange(2**self.n, device="cpu")
        wires = [(numbers >> wire) & 1 == 1 for wire in range(self.n)]
        for a, b in self.pairs():
            wires[a], wires[b] = wires[a] & wires[b], wires[a] | wires[b]
        return not any(bool((below & ~above).any()) for below, above in itertools.pairwise(wires))

    def __repr__(self) -> str:
        return f"Network({self.kind}, n={self.n}, comparators={len(self.low)}, depth={self.depth})"


def odd_even(n: int) -> Network:
    """Odd-even transposition sort (bubble sort in parallel): ``n`` layers of neighbours, n (n - 1) / 2 comparators.

    Layer ``l`` compares ``(i, i + 1)`` for ``i = l mod 2, l mod 2 + 2, ...``.
    """
    return named("odd_even", index(n))


def bitonic(n: int) -> Network:
    """Bitonic sort (Batcher 1968) for any ``n``: about ``log2(n)^2 / 2`` layers.

    Of the network for the next power of two ``N``, the last ``n`` wires; a comparator that touches a missing wire is
    left out. Block ``b = 0, 1, ...`` compares wires ``w`` and ``w + m`` at the distances ``m = 2^b, ..., 2, 1``, and
    the minimum goes to ``w + m`` where ``floor(w / 2^(b + 1))`` is odd.
    """
    return named("bitonic", index(n))


def batcher(n: int) -> Network:
    """Batcher's odd-even merge sort for any ``n``, the fewest comparators of the three; no comparator is reversed.

    Merge exchange, algorithm M in section 5.2.2 of Knuth's The Art of Computer Programming, volume 3.
    """
    return named("batcher", index(n))


def from_pairs(n: int | None, pairs: Any) -> Network:
    """Build a network of one's own from ``(low, high)`` pairs in execution order.

    Each comparator goes into the earliest layer that its wires allow, which changes nothing in the result.

    Args:
        n: number of wires, at least 1; ``None`` for as many as the pairs name.
        pairs: pairs of different integers in ``[0, n)``; the minimum goes to the first.

    Raises:
        TypeError: if ``pairs`` does not hold pairs of integers.
        ValueError: if a wire does not exist or is compared with itself.

    Cost: O(C).

    Example:
        >>> network = from_pairs(4, [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)])
        >>> network, network.sorts()
        (Network(pairs, n=4, comparators=5, depth=3), True)
    """
    checked = _checked_pairs(pairs)
    most = 1 + max(map(max, checked), default=0)
    n = most if n is None else check_at_least("from_pairs(n)", n, 1)
    if most > n:
        reject("from_pairs(pairs)", f"must name wires below n={n}", most - 1)
    return named("pairs", n, tuple(checked))


# ---- building: once a network, and never inside a trace of torch.compile, where it is a constant -------------------
# On the CPU explicitly, whatever torch.device(...) is in force at the first call.


@constant_result
def named(kind: Kind, n: int, own: tuple[tuple[int, int], ...] = ()) -> Network:
    """The one network of a family for ``n`` items, or of checked pairs."""
    return _named(kind, n, own)


@lru_cache(maxsize=128)
def _named(kind: Kind, n: int, own: tuple[tuple[int, int], ...]) -> Network:
    if kind == "pairs":
        return _packed(n, own)
    return {"odd_even": _odd_even, "bitonic": _bitonic, "batcher": _batcher}[kind](n)


def _odd_even(n: int) -> Network:
    starts = [torch.arange(layer % 2, n - 1, 2, dtype=torch.int32, device="cpu") for layer in range(n)]
    return _assemble(n, [(low, low + 1) for low in starts], "odd_even")


def _bitonic(n: int) -> Network:
    blocks = (n - 1).bit_length()
    missing = 2**blocks - n
    wires = torch.arange(2**blocks, dtype=torch.int32, device="cpu")
    layers = []
    for block in range(blocks):
        for distance in (2**e for e in range(block, -1, -1)):
            first = wires[(wires & distance == 0) & (wires >= missing)]
            falling = (first >> (block + 1)) & 1 == 1
            second = first + distance
            low, high = torch.where(falling, second, first), torch.where(falling, first, second)
            layers.append((low - missing, high - missing))
    return _assemble(n, layers, "bitonic")


def _batcher(n: int) -> Network:
    wires = torch.arange(n, dtype=torch.int32, device="cpu")
    top = 2 ** ((n - 1).bit_length() - 1) if n > 1 else 0
    layers = []
    step = top
    while step:
        reach, rest, distance = top, 0, step
        while distance:
            low = wires[: max(n - distance, 0)]
            low = low[low & step == rest]
            layers.append((low, low + distance))
            distance, rest = reach - step, step
            reach //= 2
        step //= 2
    return _assemble(n, layers, "batcher")


def _packed(n: int, own: tuple[tuple[int, int], ...]) -> Network:
    free = [0] * n
    layers: list[list[tuple[int, int]]] = []
    for low, high in own:
        layer = max(free[low], free[high])
        free[low] = free[high] = layer + 1
        if layer == len(layers):
            layers.append([])
        layers[layer].append((low, high))
    as_tensors = [torch.tensor(layer, dtype=torch.int32, device="cpu").unbind(-1) for layer in layers]
    return _assemble(n, [(low, high) for low, high in as_tensors], "pairs", own)


def first_wires(network: Network, n: int) -> Network:
    """The network for fewer items: the wires from ``n`` on hold infinitely large ones and drop out.

    Right only where every comparator puts the minimum on the lower wire, so that these never move: see
    :attr:`Network.standard`.
    """
    return named("pairs", index(n), tuple((low, high) for low, high in network.own if max(low, high) < n))


def _checked_pairs(pairs: Any) -> list[tuple[int, int]]:
    call = "from_pairs(pairs)"
    try:
        listed = [(low, high) for low, high in pairs]
    except (TypeError, ValueError):
        reject_type(call, "must hold (low, high) pairs of integers", pairs)
    for low, high in listed:
        if check_at_least(call, low, 0) == check_at_least(call, high, 0):
            reject(call, "must compare two different wires", (low, high))
    return [(int(low), int(high)) for low, high in listed]


def _assemble(
    n: int, layers: list[tuple[Tensor, Tensor]], kind: Kind, own: tuple[tuple[int, int], ...] = ()
) -> Network:
    kept = [(low, high) for low, high in layers if len(low)]
    ends = tuple(itertools.accumulate(len(low) for low, _ in kept))
    none = torch.empty(0, dtype=torch.int32, device="cpu")
    low = torch.cat([low for low, _ in kept]) if kept else none
    high = torch.cat([high for _, high in kept]) if kept else none
    return Network(n, low.contiguous(), high.contiguous(), ends, kind, own)
