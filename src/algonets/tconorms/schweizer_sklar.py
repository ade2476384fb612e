"""The Schweizer-Sklar family with negative parameter."""

import math
import numbers
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import reject_type, require
from algonets.tconorms.base import ArchimedeanTConorm, compute_dtype

__all__ = ["SchweizerSklar"]


@final
class SchweizerSklar(ArchimedeanTConorm):
    """Schweizer and Sklar's t-conorm ``1 - ((1 - a)^p + (1 - b)^p - 1)^(1/p)``, with ``g(F) = (1 - F)^p - 1``.

    Args:
        p: negative. ``p = -1`` equals ``Hamacher(p=0)``; the limits are :class:`Probabilistic` for ``p`` to 0
            and :class:`Max` for ``p`` to minus infinity. The nilpotent members with ``p > 0`` are left out.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is not negative and finite.

    Differentiability: infinitely often below 1, once at 1.
    References: Schweizer, Sklar 1963, Associative functions and abstract semigroups.

    Example:
        >>> SchweizerSklar(p=-1.0).reduce(torch.tensor([0.5, 0.5]))
        tensor(0.6667)
    """

    def __init__(self, p: float):
        if isinstance(p, bool) or not isinstance(p, numbers.Real):
            reject_type("SchweizerSklar(p=...)", "must be a negative number", p)
        remedy = "Its limits are Probabilistic() for p to 0 and Max() for p to minus infinity."
        require(-math.inf < float(p) < 0, "SchweizerSklar(p=...)", "must be negative and finite", p, remedy)
        self.p = float(p)

    def generator(self, values: Tensor) -> Tensor:
        """``(1 - F)^p - 1``."""
        return torch.expm1(self.p * torch.log1p(-values))

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``-p (1 - F)^(p-1)``."""
        return -self.p * (1 - values).pow(self.p - 1)

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``1 - (1 + t)^(1/p)``."""
        return -torch.expm1(torch.log1p(total) / self.p)

    def reduce_log_survival(self, log_survival: Tensor, dim: int = -1) -> Tensor:
        """``log(1 - S)`` from ``log(1 - F_i)``. It tells values apart that are 1 to rounding."""
        value = check_floating("SchweizerSklar.reduce_log_survival(log_survival)", log_survival)
        if value.shape[dim] == 0:
            return value.sum(dim)
        certain = value == -torch.inf
        joined = self._log_survival(value.to(compute_dtype(value)).masked_fill(certain, 0.0), dim)
        return torch.where(certain.any(dim), -torch.inf, joined).to(value.dtype)

    def _log_survival(self, log_survival: Tensor, dim: int) -> Tensor:
        # log(1 + sum (e^k - 1)) with the largest k taken out, each term >= 0: neither overflow nor cancellation.
        k = self.p * log_survival
        largest = k.detach().amax(dim, keepdim=True)
        terms = torch.exp(k - largest) * -torch.expm1(-k)
        total = largest.squeeze(dim) + torch.log1p(torch.expm1(-largest.squeeze(dim)) + terms.sum(dim))
        return total / self.p

    def _join(self, values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        joined = -torch.expm1(self._log_survival(torch.log1p(-values), dim))
        return joined, torch.ones_like(joined)
