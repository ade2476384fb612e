"""Yager's family: a p-norm, cut at 1."""

from typing import final

import torch
from torch import Tensor

from algonets.tconorms.power import AbstractPower

__all__ = ["Yager"]


@final
class Yager(AbstractPower):
    """Yager's t-conorm ``S(a, b) = min(1, (a^p + b^p)^(1/p))``, with ``g(F) = F^p``.

    It is nilpotent: ``g(1) = 1`` is finite, and enough small values give exactly 1, with no gradient beyond.

    Args:
        p: positive. ``p = 1`` is the bounded sum; the limit of large ``p`` is :class:`Max`.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is not positive and finite.

    Differentiability: infinitely often inside (0, 1) except where it reaches 1. At a value of 0 beside others
        the slope is 0 for ``p > 1``, and infinite for ``p < 1``, where the code returns 0.

    Example:
        >>> Yager(p=2.0).reduce(torch.tensor([0.3, 0.4]))
        tensor(0.5000)
    """

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``min(1, t^(1/p))``."""
        return total.clamp_max(1.0).pow(1 / self.p)

    def _coordinate(self, values: Tensor) -> Tensor:
        return values

    def _coordinate_derivative(self, values: Tensor) -> Tensor:
        return torch.ones_like(values)

    def _coordinate_inverse(self, coordinate: Tensor) -> Tensor:
        return coordinate.clamp_max(1.0)

    def _slope_beside(self, norm: Tensor) -> Tensor:
        return (norm == 0).to(norm.dtype)
