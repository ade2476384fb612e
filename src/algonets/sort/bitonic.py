"""Bitonic sort with soft comparators: log2(n)^2 / 2 layers, any number of items."""

from typing import final

from algonets.distributions import Cauchy
from algonets.sort.comparators import ComparatorMethod, check_law
from algonets.sort.networks import Network, SwapLaw, bitonic

__all__ = ["Bitonic"]


@final
class Bitonic(ComparatorMethod):
    """Bitonic sort: about ``log2(n)^2 / 2`` layers of ``n / 2`` comparators, for any ``n``.

    Where ``n`` is no power of two, the comparators that would touch a missing wire are left out: nothing is padded, so
    nothing leaks into the sum. For the comparator see :class:`ComparatorMethod`.

    Args:
        distribution: the law whose CDF is the soft comparator, for example ``Logistic(0.1)``, or a
            :class:`LogisticART`; its ``scale`` (the inverse steepness of the papers) is in the units of ``x``,
            positive, a tensor of one element if it is to be learnt. Default ``Cauchy(0.1)``: see
            :class:`OddEven`.

    Raises:
        TypeError: if ``distribution`` is no law.
        ValueError: if its scale is not a single value.

    Differentiability: as that of the CDF: any order for ``Cauchy`` and ``Logistic``.
    Cost: O(n log^2 n) time for values; for the rest see :class:`ComparatorMethod`.
    References: Batcher 1968, Sorting Networks and their Applications.
    Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable Sorting and
    Ranking Supervision; 2022, Monotonic Differentiable Sorting Networks.

    Example:
        >>> import torch
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), Bitonic(Cauchy(0.1)))
        tensor([1.0635, 2.0000, 2.9365])
    """

    _cost = "O(n log^2 n)"

    def __init__(self, distribution: SwapLaw | None = None):
        self.distribution = check_law("Bitonic(distribution)", distribution or Cauchy(0.1))

    def network(self, n: int) -> Network:
        """The network for the next power of two, without the missing wires."""
        return bitonic(n)
