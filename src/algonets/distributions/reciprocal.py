"""The reciprocal law: the cheapest CDF with heavy tails."""

import math
from typing import final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Reciprocal"]


@final
class Reciprocal(AbstractSymmetric):
    """Reciprocal law, ``F(x) = 1/2 + u / (2 (1 + |u|))`` with ``u = x / scale``. It has no mean.

    Args:
        scale: positive float or tensor. The sorting networks of Petersen et al. 2022 write
            ``1/2 + v / (2 (2 + |v|))`` with ``v`` = steepness times difference: ``scale = 2 / steepness``.

    Differentiability: once; the second derivative jumps at 0 (its right-hand value is returned).
    References: Petersen, Borgelt, Kuehne, Deussen 2022, Monotonic Differentiable Sorting Networks.

    Example:
        >>> Reciprocal().cdf(torch.tensor([-3.0, 0.0, 1.0]))
        tensor([0.1250, 0.5000, 0.7500])
    """

    @property
    def _mean(self) -> float:
        return math.nan

    def _tail(self, a: Tensor) -> Tensor:
        return 0.5 / (1 + a)

    def _log_tail(self, a: Tensor) -> Tensor:
        return -math.log(2) - torch.log1p(a)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return 0.5 / m - 1

    def _density(self, a: Tensor) -> Tensor:
        return 0.5 * (1 / (1 + a)).square()

    def _decay(self, a: Tensor) -> Tensor:
        return 2 * torch.sign(a) / (1 + a)
