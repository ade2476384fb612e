"""The probabilistic sum: "or" of independent events."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets.tconorms.base import ArchimedeanTConorm

__all__ = ["Probabilistic"]


@final
class Probabilistic(ArchimedeanTConorm):
    """Probabilistic sum ``S(a, b) = a + b - ab``, with ``g(F) = -log(1 - F)``; its t-norm is the product.

    Differentiability: infinitely often below 1, once at 1.

    Example:
        >>> Probabilistic().reduce(torch.tensor([0.5, 0.5, 0.5]))
        tensor(0.8750)
    """

    def generator(self, values: Tensor) -> Tensor:
        """``-log(1 - F)``."""
        return -torch.log1p(-values)

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``1 / (1 - F)``."""
        return 1 / (1 - values)

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``1 - exp(-t)``."""
        return -torch.expm1(-total)

    def reduce_log_survival(self, log_survival: Tensor, dim: int = -1) -> Tensor:
        """``log(1 - S)`` from ``log(1 - F_i)``: their sum. It tells values apart that are 1 to rounding."""
        return check_floating("Probabilistic.reduce_log_survival(log_survival)", log_survival).sum(dim)
