"""The maximum: the smallest t-conorm, and the only one here that is not Archimedean."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets.tconorms.base import TConorm

__all__ = ["Max"]


@final
class Max(TConorm):
    """Goedel's t-conorm ``S(a, b) = max(a, b)``; its t-norm is the minimum.

    Differentiability: piecewise linear; the gradient goes to the largest value, shared among ties.

    Example:
        >>> Max().reduce(torch.tensor([0.2, 0.7, 0.4]))
        tensor(0.7000)
    """

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """``max(a, b)``."""
        return torch.maximum(*self._pair(a, b))

    def tnorm(self, a: Tensor, b: Tensor) -> Tensor:
        """``min(a, b)``, exactly."""
        return torch.minimum(*self._pair(a, b))

    def reduce_tnorm(self, values: Tensor, dim: int = -1) -> Tensor:
        """The minimum over one dimension; 1 for none."""
        values = check_floating("Max.reduce_tnorm(values)", values)
        return values.amin(dim) if values.shape[dim] else 1 + values.sum(dim)

    def reduce_log_survival(self, log_survival: Tensor, dim: int = -1) -> Tensor:
        """``log(1 - S)`` from ``log(1 - F_i)``: the smallest; 0 for none."""
        value = check_floating("Max.reduce_log_survival(log_survival)", log_survival)
        return value.amin(dim) if value.shape[dim] else value.sum(dim)

    def _reduce(self, values: Tensor, dim: int) -> Tensor:
        return values.amax(dim)
