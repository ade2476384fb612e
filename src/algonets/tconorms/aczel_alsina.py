"""The Aczel-Alsina family: powers of the log survival."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets.tconorms.base import compute_dtype
from algonets.tconorms.power import AbstractPower, power_norm

__all__ = ["AczelAlsina"]


@final
class AczelAlsina(AbstractPower):
    """Aczel and Alsina's t-conorm, with ``g(F) = (-log(1 - F))^p``.

    Args:
        p: positive. ``p = 1`` equals :class:`Probabilistic`; the limit of large ``p`` is :class:`Max`.

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is not positive and finite.

    Differentiability: infinitely often inside (0, 1), once at 1. At a value of 0 beside others the slope is 0
        for ``p > 1``, and infinite for ``p < 1``, where the code returns 0.
    References: Aczel, Alsina 1982, Characterizations of some classes of quasilinear functions.

    Example:
        >>> AczelAlsina(p=2.0).reduce(torch.tensor([0.5, 0.5]))
        tensor(0.6248)
    """

    def _coordinate(self, values: Tensor) -> Tensor:
        return -torch.log1p(-values)

    def _coordinate_derivative(self, values: Tensor) -> Tensor:
        return 1 / (1 - values)

    def _coordinate_inverse(self, coordinate: Tensor) -> Tensor:
        return -torch.expm1(-coordinate)

    def _slope_beside(self, norm: Tensor) -> Tensor:
        if self.p == 1:
            return torch.exp(-norm)
        # Beside nothing, the slope is 1 for every p.
        return torch.ones_like(norm) if self.p > 1 else (norm == 0).to(norm.dtype)

    def reduce_log_survival(self, log_survival: Tensor, dim: int = -1) -> Tensor:
        """``log(1 - S)`` from ``log(1 - F_i)``: minus the p-norm. It tells values apart that are 1 to rounding."""
        value = check_floating("AczelAlsina.reduce_log_survival(log_survival)", log_survival)
        if value.shape[dim] == 0:
            return value.sum(dim)
        certain = value == -torch.inf
        norm = power_norm(-value.to(compute_dtype(value)).masked_fill(certain, 0.0), self.p, dim)
        return torch.where(certain.any(dim), -torch.inf, -norm).to(value.dtype)
