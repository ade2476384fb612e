"""Odd-even transposition sort with soft comparators: neighbours only, n layers."""

from typing import final

from algonets.distributions import Cauchy
from algonets.sort.comparators import ComparatorMethod, check_law
from algonets.sort.networks import Network, SwapLaw, odd_even

__all__ = ["OddEven"]


@final
class OddEven(ComparatorMethod):
    """Odd-even sort: bubble sort in parallel, ``n`` layers that compare neighbours.

    The most comparators of the networks, hence the smoothest result: for a few items (up to about 16) it is the better
    teacher, for more take :class:`Bitonic` or :class:`Batcher`. For the comparator see :class:`ComparatorMethod`.

    Args:
        distribution: the law whose CDF is the soft comparator, for example ``Logistic(0.1)``, or a
            :class:`LogisticART`; its ``scale`` (the inverse steepness of the papers) is in the units of ``x``,
            positive, a tensor of one element if it is to be learnt. Default ``Cauchy(0.1)``: of the three
            laws whose comparators are monotone (Cauchy, reciprocal, optimal: no sorted value falls when an item
            grows, so no gradient has the wrong sign) it is the one that is smooth everywhere.

    Raises:
        TypeError: if ``distribution`` is no law.
        ValueError: if its scale is not a single value.

    Differentiability: as that of the CDF: any order for ``Cauchy`` and ``Logistic``.
    Cost: O(n^2) time for values; for the rest see :class:`ComparatorMethod`.
    References: Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable Sorting and
    Ranking Supervision; 2022, Monotonic Differentiable Sorting Networks.
    Batcher and Knuth call it odd-even transposition sort (Habermann 1972).

    Example:
        >>> import torch
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), OddEven(Cauchy(0.1)))
        tensor([1.0635, 2.0000, 2.9365])
    """

    _cost = "O(n^2)"

    def __init__(self, distribution: SwapLaw | None = None):
        self.distribution = check_law("OddEven(distribution)", distribution or Cauchy(0.1))

    def network(self, n: int) -> Network:
        """``n`` layers of neighbours."""
        return odd_even(n)
