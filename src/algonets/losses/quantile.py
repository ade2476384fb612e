"""The quantile (pinball) loss, for one or many quantiles that do not cross."""

import itertools
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_finite, check_floating
from algonets._core.errors import reject_type, require
from algonets._core.reductions import reduce_loss
from algonets.losses._ordering import Reduction
from algonets.sort import SortMethod, soft_sort

__all__ = ["QuantileLoss"]


@final
class QuantileLoss(nn.Module):
    r"""Pinball loss, least in expectation where the prediction is the ``q``-quantile of the targets.

    ``loss = max(q u, (q - 1) u)`` with ``u = target - prediction``; the mean over quantiles if there are many.

    Predicted quantiles may cross. With ``method`` they are sorted first (rearranged), softly or, with ``Hard()``,
    exactly: then they cannot cross, and the exact sort never makes the loss larger. Predict with the sorted ones too.

    Args:
        q: probability in (0, 1), or ascending probabilities.
        method: how to sort the predictions of many quantiles; ``None`` leaves them as they are.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.

    Shape: ``forward(prediction, target)``: prediction ``(*batch,)`` for one ``q`` and ``(*batch, Q)`` for many; target
        ``(*batch,)``. Returns ``(*batch,)`` or a scalar; float32 for half types.

    Raises:
        TypeError: if prediction or target are not floating, or ``q`` holds no numbers.
        ValueError: if ``q`` is outside (0, 1) or not ascending, if shapes do not fit, if values are not finite, or if
            the reduction is unknown.

    Differentiability: piecewise linear (with a method: that of the method); in prediction and target.
    Cost: O(Q) an example, plus that of the method.
    References: Koenker, Bassett 1978, Regression Quantiles; Chernozhukov, Fernandez-Val, Galichon 2010, Quantile and
        Probability Curves Without Crossing (rearrangement).

    Example:
        >>> from algonets.sort import Hard
        >>> QuantileLoss(0.9)(torch.tensor([1.0]), torch.tensor([2.0]))
        tensor(0.9000)
        >>> QuantileLoss([0.1, 0.9], Hard())(torch.tensor([[3.0, 1.0]]), torch.tensor([2.0]))
        tensor(0.1000)
    """

    def __init__(
        self,
        q: float | list[float] | tuple[float, ...],
        method: SortMethod | None = None,
        *,
        reduction: Reduction = "mean",
    ):
        super().__init__()
        self.q = _levels(q)
        if method is not None and not isinstance(method, SortMethod):
            reject_type("QuantileLoss(method)", "must be a SortMethod or None", method, "For example Hard().")
        if method is not None:
            require(isinstance(self.q, tuple), "QuantileLoss(method)", "must be None for a single q", method)
            able = "sort" in method.abilities
            require(able, "QuantileLoss(method)", "must be able to sort values", method, "For example Hard().")
            for name, parameter in method.parameters():
                self.register_parameter(name, parameter)
        reduce_loss("QuantileLoss", torch.zeros(0), reduction)
        self.method = method
        self.reduction = reduction

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        for name, value in (("prediction", prediction), ("target", target)):
            check_floating(f"QuantileLoss({name})", value)
            check_finite(f"QuantileLoss({name})", value)
        many = isinstance(self.q, tuple)
        shape = (*target.shape, len(self.q)) if isinstance(self.q, tuple) else tuple(target.shape)
        remedy = "The last dimension holds the quantiles." if many else ""
        fits = tuple(prediction.shape) == shape
        require(fits, "QuantileLoss(prediction)", f"must have the shape {shape}", prediction, remedy)
        wide = prediction.float() if prediction.dtype.itemsize < 4 else prediction
        if self.method is not None:
            wide = soft_sort(wide, self.method)
        levels = torch.tensor(self.q, dtype=wide.dtype, device=wide.device)
        above = (target.unsqueeze(-1) if many else target).to(wide.dtype) - wide
        loss = torch.maximum(levels * above, (levels - 1) * above)
        return reduce_loss("QuantileLoss", loss.mean(-1) if many else loss, self.reduction)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"q={self.q!r}, method={self.method!r}, reduction={self.reduction!r}"


def _levels(q: Any) -> float | tuple[float, ...]:
    call = "QuantileLoss(q)"
    values = q if isinstance(q, list | tuple) else [q]
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        reject_type(call, "must be a number or a list of numbers", q)
    inside = len(values) > 0 and all(0 < v < 1 for v in values)
    require(inside, call, "must be in (0, 1)", q)
    ascending = all(a < b for a, b in itertools.pairwise(values))
    require(ascending, call, "must be ascending", q)
    return tuple(float(v) for v in values) if isinstance(q, list | tuple) else float(q)
