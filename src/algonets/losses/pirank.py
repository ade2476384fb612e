"""PiRank: a relaxed ranking measure as a loss."""

from typing import final

from torch import Tensor

from algonets.losses._ndcg import Gain, NDCGLoss
from algonets.losses._ordering import Reduction
from algonets.sort import SortMethod

__all__ = ["PiRank"]


@final
class PiRank(NDCGLoss):
    r"""``1 - NDCG@k`` of the gains that the soft order puts at the first ``k`` ranks, without scaling.

    ``NDCG@k = sum_{j <= k} (P g)_j / log2(1 + j) / ideal`` with ``P = soft_argsort(scores, descending=True)`` and
    gains ``g = 2^relevance - 1``; ``ideal`` is the DCG@k of the best order, and a list without a relevant item costs 0.
    With a method whose columns do not sum to 1 (NeuralSort, as in the paper) an item may count at several ranks: in
    our tests the loss then settles at orders that are wrong, where :class:`NeuralNDCG`, which scales that away, and
    doubly stochastic methods do not. The divide-and-conquer of the paper for long lists is not here: sorting networks
    or LapSum cost O(n log^2 n) or less for the same loss.

    Args:
        method: any with a matrix.
        k: how many ranks count, all by default; shorter lists count whole.
        gain: ``"exponential"``, as above, or ``"linear"``: the relevance itself.
        reduction: ``"none"`` a value a list, ``"sum"`` or ``"mean"``.

    Shape: as :class:`NeuralNDCG`.

    Raises:
        TypeError: as :class:`NeuralNDCG`.
        ValueError: as :class:`NeuralNDCG`.

    Differentiability: that of the method.
    Cost: that of ``P @ g`` (networks: O(comparators)).
    References: Swezey, Grover, Charron, Ermon 2021, PiRank: Scalable Learning To Rank via Differentiable Sorting,
        eq. 10.

    Example:
        >>> import torch
        >>> from algonets.sort import NeuralSort
        >>> loss = PiRank(NeuralSort(0.01), k=2)
        >>> loss(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([0, 0, 1]))  # the relevant item is second
        tensor(0.3691)
    """

    _abilities = ("matrix",)

    def __init__(
        self,
        method: SortMethod,
        k: int | None = None,
        *,
        gain: Gain = "exponential",
        reduction: Reduction = "mean",
    ):
        super().__init__(method, k, gain, reduction)

    def _first(self, x: Tensor, gains: Tensor, count: int) -> Tensor:
        return self._ordered(x, gains, count)
