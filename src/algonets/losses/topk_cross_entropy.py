"""Top-k cross entropy: classification that counts as right when the label is among the first k."""

import math
from typing import Any, Literal, final

import torch
from torch import Tensor
from torch.nn import functional

from algonets._core.checks import check_at_least, check_finite, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.reductions import reduce_loss
from algonets._core.shapes import flatten_batch
from algonets.losses._ordering import OrderingLoss, Reduction
from algonets.sort import SortMethod

__all__ = ["TopKCrossEntropy"]

_FLOOR = 1e-7  # log(0) is log(1e-7)


@final
class TopKCrossEntropy(OrderingLoss):
    r"""Cross entropy of the probability to be among the first ``k`` classes, ``k`` fixed or drawn from a distribution.

    With ``p_j`` the probability of ``k = j`` and ``A_j(i)`` the soft membership of class ``i`` in the top ``j``,

    ``loss = -log d(label)``, ``d(i) = p_1 q(i) + sum_{j >= 2} p_j A_j(i)``,

    where the mode says what stands for the top 1: ``"sm"`` softmax, ``q = softmax(scores)``; ``"sort"`` the method
    itself, ``q = A_1``; ``"smce"`` an ordinary cross entropy beside it, ``loss = p_1 CE - (1 - p_1) log d`` with the
    first term of ``d`` left out. Inside the logarithm stands ``(1 - 2e-7) d + 1e-7``.

    Args:
        method: any with a matrix or a mask; its scale is in the units of the scores.
        k: an integer, or the probabilities ``(p_1, ..., p_K)`` of ``k = 1 .. K``, which sum to 1.
        mode: as above. Without ``p_1`` all modes are equal.
        m: keep only the true class (or classes) and the best others, ``m`` in all, before sorting: cheaper, with many
            classes. ``None`` keeps all.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(scores, labels)``: scores ``(*batch, C)``; labels integers ``(*batch,)``, or, for several labels
        an example, booleans ``(*batch, C)``, whose losses are averaged over the labels. Returns ``(*batch,)`` or a
        scalar; float32 for half types.

    Raises:
        TypeError: if scores are not floating, labels neither integers nor booleans, or ``method`` no method.
        ValueError: if probabilities do not sum to 1, more than ``C`` classes are asked for, labels are out of range, an
            example has none (or more than ``m``), or the scores are not finite.

    Differentiability: that of the method.
    Cost: one vector through the method (networks: O(comparators)); with ``m``, sorting ``m`` classes.
    References: Petersen, Kuehne, Borgelt, Deussen 2022, Differentiable Top-k Classification Learning, eq. 3 to 5.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> loss = TopKCrossEntropy(NeuralSort(0.1), k=2)
        >>> loss(torch.tensor([[3.0, 1.0, 2.0, 0.0]]), torch.tensor([2])).item() < 0.01
        True
    """

    _abilities = ("matrix", "mask")

    def __init__(
        self,
        method: SortMethod,
        k: int | list[float] | tuple[float, ...] = 5,
        *,
        mode: Literal["sm", "sort", "smce"] = "sm",
        m: int | None = None,
        reduction: Reduction = "mean",
    ):
        super().__init__(method, reduction)
        known = ("sm", "sort", "smce")
        require(mode in known, "TopKCrossEntropy(mode)", f"must be one of {', '.join(known)}", mode)
        self.k = k
        self.mode = mode
        self.m = None if m is None else check_at_least("TopKCrossEntropy(m)", m, 1)
        self._p = _probabilities(k)
        if m is not None:
            require(m >= len(self._p), "TopKCrossEntropy(m)", f"must be at least the largest k, {len(self._p)}", m)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss."""
        wide = self._wide(scores)
        check_finite("TopKCrossEntropy(scores)", wide)
        classes = scores.shape[-1]
        most = max(len(self._p), self.m or 0)
        require(classes >= most, "TopKCrossEntropy(scores)", f"must have at least {most} classes", scores)
        positive = self._positive(labels, scores)
        x, chosen = flatten_batch(wide, 1), flatten_batch(positive, 1)
        if self.m is not None:
            x, chosen = self._keep(x, chosen)
        share = chosen.to(x.dtype) / chosen.sum(-1, keepdim=True)
        loss = (share * self._each(x)).sum(-1)
        return reduce_loss(self._name, loss.reshape(scores.shape[:-1]), self.reduction)

    def _each(self, x: Tensor) -> Tensor:
        """The loss ``(B, C)``, whatever the label."""
        p = list(self._p)
        first, beside = p[0], x.new_zeros(())
        if self.mode != "sort":
            p[0] = 0.0
        d = self._membership(x, p)
        if self.mode == "sm":
            d = d + first * torch.softmax(x, -1)
        if self.mode == "smce":
            beside = -first * functional.log_softmax(x, -1)
        nll = -torch.log(d * (1 - 2 * _FLOOR) + _FLOOR)
        return nll if self.mode != "smce" else beside + (1 - first) * nll

    def _membership(self, x: Tensor, p: list[float]) -> Tensor:
        """``sum_j p_j A_j``."""
        if "matrix" in self.method.abilities:
            # Rank r is among the top j for all j >= r: one vector of weights by rank.
            by_rank = x.new_tensor(p).flip(0).cumsum(0).flip(0)
            padded = functional.pad(by_rank, (0, x.shape[1] - len(p))).unsqueeze(-1)
            return self.method.collect(x, padded.expand(x.shape[0], -1, -1), True).squeeze(-1)
        terms = [w * self.method.mask(x, x.new_full((x.shape[0],), j), True) for j, w in enumerate(p, 1) if w]
        return torch.stack(terms).sum(0) if terms else torch.zeros_like(x)

    def _positive(self, labels: Any, scores: Tensor) -> Tensor:
        call = "TopKCrossEntropy(labels)"
        if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.is_complex():
            reject_type(call, "must be an integer tensor, or a boolean one for several labels", labels)
        classes = scores.shape[-1]
        if labels.dtype == torch.bool:
            require(labels.shape == scores.shape, call, f"must have the shape {tuple(scores.shape)}", labels)
            if values_visible(labels) and labels.numel():
                count = labels.sum(-1)
                require(int(count.min()) > 0, call, "must hold a label in every example", "an example without")
                most = self.m or classes
                require(int(count.max()) <= most, call, f"must hold at most m={most} in an example", int(count.max()))
            return labels
        require(labels.shape == scores.shape[:-1], call, f"must have the shape {tuple(scores.shape[:-1])}", labels)
        if values_visible(labels) and labels.numel():
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= classes:
                reject(call, f"must be in 0 .. {classes - 1}", low if low < 0 else high)
        return labels.unsqueeze(-1) == torch.arange(classes, device=scores.device)

    def _keep(self, x: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The labels first, then the best others, both in descending order."""
        order = x.detach().argsort(dim=-1, descending=True, stable=True)
        labels_first = (~chosen.gather(-1, order)).to(torch.uint8).argsort(dim=-1, stable=True)
        kept = order.gather(-1, labels_first)[:, : self.m]
        return x.gather(-1, kept), chosen.gather(-1, kept)


def _probabilities(k: Any) -> tuple[float, ...]:
    call = "TopKCrossEntropy(k)"
    if not isinstance(k, list | tuple):
        return (0.0,) * (check_at_least(call, k, 1) - 1) + (1.0,)
    good = all(isinstance(p, int | float) and not isinstance(p, bool) for p in k)
    if not good:
        reject_type(call, "must be an integer or a list of probabilities", k)
    valid = len(k) > 0 and all(0 <= p <= 1 for p in k) and math.isclose(sum(k), 1, abs_tol=1e-6)
    require(valid, call, "must be an integer, or probabilities that sum to 1", k)
    return tuple(float(p) for p in k)
