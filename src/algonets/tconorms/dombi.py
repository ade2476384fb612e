"""Dombi's family: powers of the odds."""

from typing import final

import torch
from torch import Tensor

from algonets.tconorms.power import AbstractPower

__all__ = ["Dombi"]


@final
class Dombi(AbstractPower):
    """Dombi's t-conorm, with ``g(F) = (F / (1 - F))^p``.

    Args:
        p: positive. ``p = 1`` equals ``Hamacher(p=0)``; the limit of large ``p`` is :class:`Max`.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is not positive and finite.

    Differentiability: infinitely often inside (0, 1), once at 1. At a value of 0 beside others the slope is 0
        for ``p > 1``, and infinite for ``p < 1``, where the code returns 0.
    References: Dombi 1982, A general class of fuzzy operators.

    Example:
        >>> Dombi(p=1.0).reduce(torch.tensor([0.5, 0.5]))
        tensor(0.6667)
    """

    def _coordinate(self, values: Tensor) -> Tensor:
        return values / (1 - values)

    def _coordinate_derivative(self, values: Tensor) -> Tensor:
        return 1 / (1 - values).square()

    def _coordinate_inverse(self, coordinate: Tensor) -> Tensor:
        return coordinate / (1 + coordinate)

    def _slope_beside(self, norm: Tensor) -> Tensor:
        return torch.ones_like(norm)
