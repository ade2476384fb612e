"""NeuralNDCG: a relaxed ranking measure as a loss."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, values_visible
from algonets.losses._ndcg import Gain, NDCGLoss
from algonets.losses._ordering import Reduction
from algonets.sort import SortMethod

__all__ = ["NeuralNDCG"]

_CLOSE = 1e-6


@final
class NeuralNDCG(NDCGLoss):
    r"""``1 - NDCG@k`` with a soft permutation in place of the sort by scores.

    ``NDCG@k = sum_{j <= k} (S(P) g)_j / log2(1 + j) / ideal``, with ``P = soft_argsort(scores, descending=True)``,
    gains ``g = 2^relevance - 1`` and ``S`` the Sinkhorn scaling to a doubly stochastic matrix, so that no item counts
    twice. ``S`` is skipped where the method promises column sums of 1. ``ideal`` is the DCG@k of the best order; a
    list without a relevant item costs 0.

    Args:
        method: any with a matrix (NeuralSort in the paper).
        k: how many ranks count, all by default; shorter lists count whole.
        gain: ``"exponential"``, as above, or ``"linear"``: the relevance itself.
        scaling: most rounds of scaling columns and rows; fewer once the sums are within 1e-6 of 1.
        reduction: ``"none"`` a value a list, ``"sum"`` or ``"mean"``.

    Shape: ``forward(scores, relevance, mask=None)``: scores and relevance ``(*batch, n)``, relevance not negative and
        at most 100 (exponential), mask boolean, True for the items that count. Returns ``(*batch,)`` or a scalar;
        float32 for half types.

    Raises:
        TypeError: if scores are not floating, relevances no numbers, the mask not boolean, or ``method`` no method.
        ValueError: if shapes do not fit, values are out of range, the method has no matrix, or an option is unknown.

    Differentiability: that of the method, through the rounds of scaling.
    Cost: that of ``P @ g`` (networks: O(comparators)); with scaling O(n^2) memory a round.
    References: Pobrotyn, Bialobrzeski 2021, NeuralNDCG: Direct Optimisation of a Ranking Metric via Differentiable
        Relaxation of Sorting, eq. 8.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> loss = NeuralNDCG(NeuralSort(0.01), k=2)
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
        scaling: int = 50,
        reduction: Reduction = "mean",
    ):
        super().__init__(method, k, gain, reduction)
        self.scaling = check_at_least("NeuralNDCG(scaling)", scaling, 0)

    def _first(self, x: Tensor, gains: Tensor, count: int) -> Tensor:
        if self.method.properties.columns:
            return self._ordered(x, gains, count)
        matrix = _scaled(self.method.matrix(x, True), self.scaling)
        return (matrix[:, :count] @ gains.unsqueeze(-1)).squeeze(-1)


def _scaled(matrix: Tensor, rounds: int) -> Tensor:
    """Columns and rows in turn to sum 1, as far as they can: an item that no rank wants keeps a column of zeros.

    A matrix that is done stays as it is, whatever the others of its batch do.
    """
    tiny = torch.finfo(matrix.dtype).tiny
    for _ in range(rounds):
        columns = matrix.sum(-2, keepdim=True)
        far = ((columns.detach() - 1).abs() > _CLOSE).any(-1, keepdim=True)
        if values_visible(far) and not bool(far.any()):
            break
        by_columns = matrix / torch.where(columns > tiny, columns, 1.0)
        rows = by_columns.sum(-1, keepdim=True)
        matrix = torch.where(far, by_columns / torch.where(rows > tiny, rows, 1.0), matrix)
    return matrix
