"""Frank's family: the t-conorms that satisfy S(a, b) + T(a, b) = a + b."""

import math
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import require
from algonets.tconorms.base import ArchimedeanTConorm

__all__ = ["Frank"]


@final
class Frank(ArchimedeanTConorm):
    """Frank's t-conorm, with ``g(F) = -log((p^(1-F) - 1) / (p - 1))``.

    ``S(a, b) = 1 - log_p(1 + (p^(1-a) - 1) (p^(1-b) - 1) / (p - 1))``. The only family in which t-norm and
    t-conorm add up: ``S(a, b) + T(a, b) = a + b``.

    Args:
        p: positive, not 1. The limits are :class:`Max` for ``p`` to 0, :class:`Probabilistic` for ``p`` to 1,
            ``Yager(p=1)``, the bounded sum, for ``p`` to infinity.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is not positive and finite, or is 1.

    Differentiability: infinitely often below 1, once at 1.
    References: Frank 1979, On the simultaneous associativity of F(x, y) and x + y - F(x, y).

    Example:
        >>> Frank(p=2.0).reduce(torch.tensor([0.5, 0.5]))
        tensor(0.7716)
    """

    def __init__(self, p: float):
        check_positive("Frank(p=...)", p, "Its limits are Max() for p to 0, Yager(p=1) for p to infinity.")
        require(float(p) != 1, "Frank(p=...)", "must not be 1", p, "Use Probabilistic(), which is that limit.")
        self.p = float(p)

    def generator(self, values: Tensor) -> Tensor:
        """``-log((p^(1-F) - 1) / (p - 1))``."""
        log_p = math.log(self.p)
        survival = torch.expm1((1 - values) * log_p) / (self.p - 1)
        # Near F = 0 the same by its complement (p - p^(1-F)) / (p - 1), which does not cancel.
        risen = torch.exp((1 - values) * log_p) * torch.expm1(values * log_p) / (self.p - 1)
        low = risen < 0.5
        return -torch.where(low, torch.log1p(-risen.where(low, 0.0)), torch.log(survival.masked_fill(low, 1.0)))

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``log p / (1 - p^-(1-F))``."""
        log_p = math.log(self.p)
        return -log_p / torch.expm1((values - 1) * log_p)

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``1 - log_p(1 + (p - 1) exp(-t))``."""
        log_p = math.log(self.p)
        low = total < 1 if self.p > 1 else torch.ones_like(total, dtype=torch.bool)
        near = torch.log1p((1 - 1 / self.p) * torch.expm1(-total.where(low, 0.0)))
        far = torch.log1p((self.p - 1) * torch.exp(-total.masked_fill(low, 0.0)))
        return torch.where(low, -near / log_p, 1 - far / log_p).clamp_max(1.0)
