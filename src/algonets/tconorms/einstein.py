"""The Einstein sum: velocities added relativistically."""

from typing import final

import torch
from torch import Tensor

from algonets.tconorms.base import ArchimedeanTConorm

__all__ = ["Einstein"]


@final
class Einstein(ArchimedeanTConorm):
    """Einstein sum ``S(a, b) = (a + b) / (1 + ab)``, with ``g(F) = artanh F``; equal to ``Hamacher(p=2)``.

    Differentiability: infinitely often below 1, once at 1.

    Example:
        >>> Einstein().reduce(torch.tensor([0.5, 0.5]))
        tensor(0.8000)
    """

    def generator(self, values: Tensor) -> Tensor:
        """``artanh F``."""
        return torch.atanh(values)

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``1 / (1 - F^2)``."""
        return 1 / ((1 - values) * (1 + values))

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``tanh t``."""
        return torch.tanh(total)

    def _slope_at_one(self, total: Tensor) -> Tensor:
        return torch.exp(-2 * total)
