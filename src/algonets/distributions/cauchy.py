"""The Cauchy law: heavy tails, hence gradients between far values."""

import math
from typing import final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Cauchy"]


@final
class Cauchy(AbstractSymmetric):
    """Cauchy law, ``F(x) = 1/2 + arctan(x / scale) / pi``. It has no mean.

    Args:
        scale: positive float or tensor.

    Differentiability: infinitely often.
    References: Petersen, Borgelt, Kuehne, Deussen 2022, Monotonic Differentiable Sorting Networks.

    Example:
        >>> Cauchy().survival(torch.tensor([0.0, 1e20]))
        tensor([5.0000e-01, 3.1831e-21])
    """

    @property
    def _mean(self) -> float:
        return math.nan

    def _cdf(self, u: Tensor) -> Tensor:
        return self._tail(-u)

    def _survival(self, u: Tensor) -> Tensor:
        return self._tail(u)

    def _tail(self, a: Tensor) -> Tensor:
        return torch.atan2(torch.ones_like(a), a) / math.pi

    def _log_tail(self, a: Tensor) -> Tensor:
        # tail = atan(r) / pi with r = 1 / a; below the clamp atan(r) / r is 1 to rounding.
        big = a.clamp_min(1.0)
        r = (1 / big).clamp_min(1e-10)
        far = torch.log(torch.atan(r) / (math.pi * r)) - torch.log(big)
        return torch.where(a > 1, far, torch.log(self._tail(a.clamp_max(1.0))))

    def _tail_quantile(self, m: Tensor) -> Tensor:
        far = m < 0.25
        outer = 1 / torch.tan(math.pi * m.where(far, 0.25))
        return torch.where(far, outer, torch.tan(math.pi * (0.5 - m.masked_fill(far, 0.5))))

    def _density(self, a: Tensor) -> Tensor:
        # Also as r^2 / (1 + r^2) with r = 1 / a, so that a^2 never overflows.
        inner = a.clamp_max(1.0).square()
        outer = (1 / a.clamp_min(1.0)).square()
        return torch.where(a > 1, outer / (1 + outer), 1 / (1 + inner)) / math.pi

    def _decay(self, a: Tensor) -> Tensor:
        # 2 a / (1 + a^2), likewise.
        inner = a.clamp_max(1.0)
        outer = 1 / a.clamp_min(1.0)
        return torch.where(a > 1, 2 * outer / (1 + outer.square()), 2 * inner / (1 + inner.square()))
