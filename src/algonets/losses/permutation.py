"""Cross entropy between a soft permutation matrix and the true one: learning from an order."""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from algonets._core.backend import use_native
from algonets._core.checks import values_visible
from algonets.losses._ordering import OrderingLoss, Reduction, dense_codes, numbers_like
from algonets.sort import SortMethod, _network_ops
from algonets.sort.comparators import ComparatorMethod
from algonets.sort.layout import Rows

__all__ = ["PermutationCrossEntropy"]

_DENSE = 256  # up to this many items the whole matrix is built at once
_BLOCK = 64  # columns at a time beyond


@final
class PermutationCrossEntropy(OrderingLoss):
    r"""Binary cross entropy between ``P = soft_argsort(scores)`` and the permutation matrix of the true order.

    ``loss = -(1 / n^2) sum_ij [Q_ij log P_ij + (1 - Q_ij) log(1 - P_ij)]``, logarithms being at least -100; an entry
    that rounds to 0 or 1 has no gradient of its own. ``Q`` is the permutation matrix of the targets; equal targets
    share their ranks evenly (``Q_ij = 1 / size`` within the tie).

    Args:
        method: any with a matrix; a scale that is a ``torch.nn.Parameter`` is learnt.
        reduction: ``"none"`` a value a list, ``"sum"`` or ``"mean"``.

    Shape: ``forward(scores, targets, mask=None)``: scores ``(*batch, n)``; targets of the same shape, true values or
        true ranks, of which only the order counts; mask boolean, True for the items that count, so that lists may
        differ in length. Returns ``(*batch,)`` or a scalar; float32 for half types.

    Raises:
        TypeError: if scores are not floating, targets no numbers, the mask not boolean, or ``method`` no method.
        ValueError: if shapes do not fit, values are not finite, the method has no matrix, or the reduction is unknown.

    Differentiability: that of the method, in scores and scale; the targets get no gradient.
    Cost: that of the matrix, O(n^2) memory. Networks have a fused kernel on the CPU, O(C n) time and O(C) memory an
        example with C comparators; without it, and for lists with ties, more than 256 items go through blocks of 64
        columns that are computed again in the backward pass.
    References: Grover et al. 2019, Stochastic Optimization of Sorting Networks via Continuous Relaxations; Petersen et
        al. 2021, Differentiable Sorting Networks for Scalable Sorting and Ranking Supervision, eq. 7.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> PermutationCrossEntropy(NeuralSort(0.1))(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([30, 10, 20]))
        tensor(4.0364e-05)
    """

    def __init__(self, method: SortMethod, *, reduction: Reduction = "mean"):
        super().__init__(method, reduction)

    def forward(self, scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss."""
        wide = self._wide(scores)
        values = numbers_like("PermutationCrossEntropy(targets)", targets, scores, mask)
        codes = dense_codes(values).to(device=wide.device, dtype=wide.dtype)
        return self._lists(wide, codes, mask, self._rows)

    def _rows(self, rows: Rows) -> Tensor:
        x, codes = rows.x, rows.payload.squeeze(-1)
        n = x.shape[1]
        if n == 1:
            return 0 * x.squeeze(-1)  # nothing to order, but differentiable
        ordered = codes.sort(-1).values
        first = torch.searchsorted(ordered, codes)  # true rank of the first of each tie
        size = torch.searchsorted(ordered, codes, right=True) - first
        method = self.method
        if not isinstance(method, ComparatorMethod):
            return _cross_entropy(method.matrix(x, False), first, size) / n**2
        if values_visible(x, codes) and use_native("PermutationCrossEntropy", x):
            return self._fused(method, x, first, size)
        return self._by_columns(x, first, size)

    def _fused(self, method: ComparatorMethod, x: Tensor, first: Tensor, size: Tensor) -> Tensor:
        """By the kernel that never holds P, but for the lists with ties, which it does not know."""
        plain = (size == 1).all(-1)
        if bool(plain.all()):
            return _network_ops.cross_entropy(x, first, method.network(x.shape[1]), method.distribution)
        order = torch.cat([where.nonzero().squeeze(-1) for where in (plain, ~plain)])
        count = int(plain.sum())
        kept, tied = order[:count], order[count:]
        parts = [self._by_columns(x[tied], first[tied], size[tied])]
        if count:
            parts.insert(0, self._fused(method, x[kept], first[kept], size[kept]))
        return torch.cat(parts)[order.argsort()]

    def _by_columns(self, x: Tensor, first: Tensor, size: Tensor) -> Tensor:
        n = x.shape[1]
        if n > _DENSE:
            return self._in_blocks(x, first, size) / n**2
        return _cross_entropy(self.method.matrix(x, False), first, size) / n**2

    def _in_blocks(self, x: Tensor, first: Tensor, size: Tensor) -> Tensor:
        eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

        def block(x: Tensor, start: int) -> Tensor:
            chosen = slice(start, start + _BLOCK)
            columns = self.method.apply(x, eye[:, chosen].expand(x.shape[0], -1, -1), False)[1]
            return _cross_entropy(columns, first[:, chosen], size[:, chosen])

        total = x.new_zeros(x.shape[0])
        for start in range(0, x.shape[1], _BLOCK):
            part = checkpoint(block, x, start, use_reentrant=False, preserve_rng_state=False)
            total = total + part  # pyright: ignore[reportOperatorIssue]
        return total


def _cross_entropy(columns: Tensor, first: Tensor, size: Tensor) -> Tensor:
    """Sum over ranks and some items of P, ``(B, n, items)``, against the ranks ``first .. first + size - 1``."""
    rank = torch.arange(columns.shape[1], device=columns.device)[:, None]
    first, size = first.unsqueeze(-2), size.unsqueeze(-2)
    truth = ((rank >= first) & (rank < first + size)).to(columns.dtype) / size
    # Rounding can leave [0, 1], where the logarithm ends; at 0 and 1 its slope times what is left would be noise.
    columns = columns.clamp(0, 1)
    columns = torch.where((columns > 0) & (columns < 1), columns, columns.detach())
    return functional.binary_cross_entropy(columns, truth, reduction="none").sum((-1, -2))
