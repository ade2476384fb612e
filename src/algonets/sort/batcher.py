"""Batcher's odd-even merge sort with soft comparators: the fewest comparators, any number of items."""

from typing import final

from algonets.distributions import Cauchy
from algonets.sort.comparators import ComparatorMethod, check_law
from algonets.sort.networks import Network, SwapLaw, batcher

__all__ = ["Batcher"]


@final
class Batcher(ComparatorMethod):
    """Odd-even merge sort: as deep as :class:`Bitonic`, with fewer comparators, for any ``n``.

    Every comparator puts the minimum on the lower wire. 63 comparators for 16 items (bitonic 80, odd-even 120), 1471
    for 128 (1792, 8128): less softening at the same scale. For the comparator see :class:`ComparatorMethod`.

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
    References: Batcher 1968, Sorting Networks and their Applications. Knuth 1998, The Art of Computer Programming,
    volume 3, section 5.2.2, algorithm M (merge exchange).

    Example:
        >>> import torch
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), Batcher(Cauchy(0.1)))
        tensor([1.0317, 2.0317, 2.9366])
    """

    _cost = "O(n log^2 n)"

    def __init__(self, distribution: SwapLaw | None = None):
        self.distribution = check_law("Batcher(distribution)", distribution or Cauchy(0.1))

    def network(self, n: int) -> Network:
        """Merge exchange on ``n`` wires."""
        return batcher(n)
