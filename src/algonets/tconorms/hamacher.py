"""The Hamacher family: rational t-conorms."""

import math
import numbers
from typing import final

import torch
from torch import Tensor

from algonets._core.errors import reject_type, require
from algonets.tconorms.base import ArchimedeanTConorm

__all__ = ["Hamacher"]


@final
class Hamacher(ArchimedeanTConorm):
    """Hamacher's t-conorm ``S(a, b) = (a + b + (p - 2) ab) / (1 + (p - 1) ab)``.

    ``g(F) = log(1 + p F / (1 - F))``, and ``F / (1 - F)`` for ``p = 0``. The t-norm is
    ``ab / (p + (1 - p)(a + b - ab))``.

    Args:
        p: at least 0. ``p = 1`` equals :class:`Probabilistic`, ``p = 2`` equals :class:`Einstein`, ``p = 0``
            equals ``Dombi(p=1)``.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is negative, infinite or NaN.

    Differentiability: infinitely often below 1, once at 1.

    Example:
        >>> Hamacher(p=0.0).reduce(torch.tensor([0.5, 0.5]))
        tensor(0.6667)
    """

    def __init__(self, p: float):
        if isinstance(p, bool) or not isinstance(p, numbers.Real):
            reject_type("Hamacher(p=...)", "must be a number", p)
        require(0 <= float(p) < math.inf, "Hamacher(p=...)", "must be at least 0 and finite", p)
        self.p = float(p)

    def generator(self, values: Tensor) -> Tensor:
        """``log(1 + p F / (1 - F))``."""
        odds = values / (1 - values)
        return odds if self.p == 0 else torch.log1p(self.p * odds)

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``p / ((1 - F) (1 - F + p F))``."""
        rest = 1 - values
        return 1 / rest.square() if self.p == 0 else self.p / (rest * (rest + self.p * values))

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``(1 - e) / (1 - e + p e)`` with ``e = exp(-t)``."""
        if self.p == 0:
            return total / (1 + total)
        rise = -torch.expm1(-total)
        # Both terms of the denominator vanish only in different limits: it stays positive.
        return rise / (rise + self.p * torch.exp(-total))

    def _slope_at_one(self, total: Tensor) -> Tensor:
        return torch.ones_like(total) if self.p == 0 else torch.exp(-total)
