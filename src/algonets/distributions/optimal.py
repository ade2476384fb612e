"""The law of the error-optimal monotone sorting network."""

import math
from typing import final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Optimal"]


@final
class Optimal(AbstractSymmetric):
    """Optimal law: linear in the middle, reciprocal tails. It has no mean.

    ``F(x) = 1/2 + v`` for ``|v| <= 1/4`` and ``1 - 1/(16 v)`` for ``v > 1/4``, where ``v = x / scale``: of the
    CDFs for which a soft comparator is monotone, the one with the smallest worst-case error.

    Args:
        scale: positive float or tensor.

    Differentiability: once; the second derivative jumps at ``|x| = scale / 4``.
    References: Petersen, Borgelt, Kuehne, Deussen 2022, Monotonic Differentiable Sorting Networks.

    Example:
        >>> Optimal().cdf(torch.tensor([-0.25, 0.0, 1.0]))
        tensor([0.2500, 0.5000, 0.9375])
    """

    @property
    def _mean(self) -> float:
        return math.nan

    def _cdf(self, u: Tensor) -> Tensor:
        return torch.where(u.abs() <= 0.25, 0.5 + u, super()._cdf(u))

    def _survival(self, u: Tensor) -> Tensor:
        return self._cdf(-u)

    def _tail(self, a: Tensor) -> Tensor:
        return torch.where(a <= 0.25, 0.5 - a, 0.0625 / a.clamp_min(0.25))

    def _log_tail(self, a: Tensor) -> Tensor:
        inner = torch.log(0.5 - a.clamp_max(0.25))
        return torch.where(a <= 0.25, inner, -math.log(16) - torch.log(a.clamp_min(0.25)))

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return torch.where(m >= 0.25, 0.5 - m, 0.0625 / m.clamp_max(0.25))

    def _density(self, a: Tensor) -> Tensor:
        return torch.where(a <= 0.25, 1 + 0 * a, (0.25 / a.clamp_min(0.25)).square())

    def _decay(self, a: Tensor) -> Tensor:
        return torch.where(a <= 0.25, 0 * a, 2 / a.clamp_min(0.25))
