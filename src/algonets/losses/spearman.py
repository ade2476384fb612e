"""Spearman's rank correlation as a loss."""

from typing import final

import torch
from torch import Tensor

from algonets.losses._ordering import OrderingLoss, Reduction, dense_codes, numbers_like
from algonets.sort import SortMethod
from algonets.sort.layout import Rows

__all__ = ["Spearman"]


@final
class Spearman(OrderingLoss):
    r"""``1 -`` Spearman correlation: Pearson's between soft ranks of the scores and true ranks of the targets.

    ``loss = 1 - <r - mean r, t - mean t> / (|r - mean r| |t - mean t|)``, ``r = soft_rank(scores)``; equal targets
    share the mean of their ranks. In [0, 2]: 0 for the right order, 2 for its reverse. Where all targets are equal, or
    all soft ranks, there is no correlation: the loss is 1 and its gradient 0.

    Args:
        method: any with ranks; a scale that is a ``torch.nn.Parameter`` is learnt.
        reduction: ``"none"`` a value a list, ``"sum"`` or ``"mean"``.

    Shape: ``forward(scores, targets, mask=None)``: scores ``(*batch, n)``; targets of the same shape, true values or
        true ranks, of which only the order counts; mask boolean, True for the items that count. Returns ``(*batch,)``
        or a scalar; float32 for half types.

    Raises:
        TypeError: if scores are not floating, targets no numbers, the mask not boolean, or ``method`` no method.
        ValueError: if shapes do not fit, values are not finite, the method has no ranks, or the reduction is unknown.

    Differentiability: that of the method, in scores and scale; the targets get no gradient.
    Cost: that of the soft ranks, plus O(n log n).
    References: Spearman 1904; Blondel, Teboul, Berthet, Djolonga 2020, Fast Differentiable Sorting and Ranking,
        section 6.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Spearman(NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([10.0, 20.0, 30.0]))
        tensor(1.5000)
    """

    _abilities = ("rank",)

    def __init__(self, method: SortMethod, *, reduction: Reduction = "mean"):
        super().__init__(method, reduction)

    def forward(self, scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss."""
        wide = self._wide(scores)
        values = numbers_like("Spearman(targets)", targets, scores, mask)
        codes = dense_codes(values).to(device=wide.device, dtype=wide.dtype)
        return self._lists(wide, codes, mask, self._rows)

    def _rows(self, rows: Rows) -> Tensor:
        codes = rows.payload.squeeze(-1)
        ordered = codes.sort(-1).values
        ends = torch.searchsorted(ordered, codes) + torch.searchsorted(ordered, codes, right=True)
        truth = 0.5 * ends.to(codes.dtype)  # mean rank of a tie, up to a constant
        soft = self.method.rank(rows.x, False)
        truth, soft = truth - truth.mean(-1, keepdim=True), soft - soft.mean(-1, keepdim=True)
        # Divide by the size first: squares of tiny deviations would vanish.
        size = soft.detach().abs().amax(-1, keepdim=True)
        unit = soft / torch.where(size > 0, size, 1.0)
        squares = unit.square().sum(-1) * truth.square().sum(-1)
        known = squares > 0
        correlation = (unit * truth).sum(-1) / torch.where(known, squares, 1.0).sqrt()
        return 1 - torch.where(known, correlation, 0 * correlation)
