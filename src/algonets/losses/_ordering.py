"""What the losses on soft orders share: the method they hold, and lists of unequal length."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from algonets._core.checks import check_finite, check_floating
from algonets._core.errors import reject_type, require
from algonets._core.reductions import reduce_loss
from algonets.sort import METHODS, SortMethod
from algonets.sort.layout import Items, Rows

__all__ = ["OrderingLoss", "Reduction", "dense_codes", "numbers_like"]

Reduction = Literal["none", "sum", "mean"]


class OrderingLoss(nn.Module):
    """A loss that looks at scores through a sorting method; learnable scales of the method are its parameters."""

    _abilities: tuple[str, ...] = ("matrix",)
    """Of the method; any one of them suffices."""

    def __init__(self, method: SortMethod, reduction: Reduction):
        super().__init__()
        self._name = type(self).__name__
        self._check_method(method)
        reduce_loss(self._name, torch.zeros(0), reduction)
        self.method = method
        self.reduction = reduction
        for name, parameter in method.parameters():
            self.register_parameter(name, parameter)

    def _check_method(self, method: Any) -> None:
        call = f"{self._name}(method)"
        having = ", ".join(m.__name__ for m in METHODS if m.abilities & set(self._abilities))
        if not isinstance(method, SortMethod):
            reject_type(call, "must be a SortMethod, built (not its class)", method, f"One of {having}.")
        able = bool(method.abilities & set(self._abilities))
        require(able, call, f"must have the ability {' or '.join(self._abilities)}", method, f"These do: {having}.")

    def _lists(self, scores: Any, companion: Tensor, mask: Tensor | None, compute: Callable[[Rows], Tensor]) -> Tensor:
        """Reduce ``compute``, a loss a row, over lists ``(*batch, n)``; masked items are not there.

        ``compute`` gets rows whose ``payload`` is the companion, ``(B, n, 1)``.
        """
        items = Items(self._name, scores, -1, mask, payload=companion, name="scores")
        loss = items.run(compute, "row").reshape(items.batch)
        return reduce_loss(self._name, loss, self.reduction)

    def _wide(self, scores: Any) -> Tensor:
        """Scores in float32 or float64: losses of half types are float32."""
        call = f"{self._name}(scores)"
        check_floating(call, scores)
        require(scores.ndim >= 1, call, "must have at least one dimension", scores)
        return scores.float() if scores.dtype.itemsize < 4 else scores

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        options = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in ("method", "training")}
        return ", ".join([f"method={self.method!r}", *(f"{key}={value!r}" for key, value in options.items())])


def numbers_like(call: str, value: Any, scores: Tensor, mask: Tensor | None) -> Tensor:
    """Require finite numbers, integers too, in the shape of the scores; what is masked becomes 0."""
    if not isinstance(value, Tensor):
        reject_type(call, "must be a torch.Tensor", value, "Convert it with torch.as_tensor(...).")
    if value.dtype == torch.bool or value.is_complex():
        reject_type(call, "must be a tensor of real numbers", value, "Use .float() or .long().")
    require(value.shape == scores.shape, call, f"must have the shape of the scores {tuple(scores.shape)}", value)
    value = value.detach()
    if mask is not None and isinstance(mask, Tensor) and mask.dtype == torch.bool:
        value = torch.where(mask, value, torch.zeros_like(value))
    if value.is_floating_point():
        check_finite(call, value)
    return value


def dense_codes(values: Tensor) -> Tensor:
    """Number the distinct values of each list from 0 upwards, ``(*batch, n)`` integers: all that an order needs."""
    ordered, order = values.sort(dim=-1, stable=True)
    new = (ordered[..., 1:] != ordered[..., :-1]).cumsum(-1)
    codes = torch.cat([torch.zeros_like(order[..., :1]), new], -1)
    return codes.gather(-1, order.argsort(-1))
