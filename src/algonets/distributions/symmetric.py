"""Symmetric laws: written once, by their tail."""

import abc

import torch
from torch import Tensor

from algonets.distributions.base import Distribution, log_or_minus_inf

__all__ = ["AbstractSymmetric"]


class AbstractSymmetric(Distribution):
    """A law with ``F(-u) = 1 - F(u)``, written by its upper tail at ``a = |u|``: both tails are accurate."""

    symmetric = True

    @abc.abstractmethod
    def _tail(self, a: Tensor) -> Tensor:
        """``P(U > a)`` for ``a >= 0``; exactly 1/2 at 0."""

    @abc.abstractmethod
    def _tail_quantile(self, m: Tensor) -> Tensor:
        """The ``a`` with ``tail(a) = m``, for ``m`` in (0, 1/2]."""

    @abc.abstractmethod
    def _density(self, a: Tensor) -> Tensor:
        """Density at ``a >= 0``."""

    @abc.abstractmethod
    def _decay(self, a: Tensor) -> Tensor:
        """``-d/da log density``, 0 outside the support and at a corner at 0."""

    def _log_tail(self, a: Tensor) -> Tensor:
        return log_or_minus_inf(self._tail(a))

    @property
    def _mean(self) -> float:
        return 0.0

    def _cdf(self, u: Tensor) -> Tensor:
        tail = self._tail(_fold(u))
        return torch.where(u < 0, tail, 1 - tail)

    def _survival(self, u: Tensor) -> Tensor:
        tail = self._tail(_fold(u))
        return torch.where(u < 0, 1 - tail, tail)

    def _log_survival(self, u: Tensor) -> Tensor:
        a = _fold(u)
        return torch.where(u < 0, torch.log1p(-self._tail(a)), self._log_tail(a))

    def _log_cdf(self, u: Tensor) -> Tensor:
        a = _fold(u)
        return torch.where(u < 0, self._log_tail(a), torch.log1p(-self._tail(a)))

    def _pdf(self, u: Tensor) -> Tensor:
        return self._density(_fold(u))

    def _score(self, u: Tensor) -> Tensor:
        decay = self._decay(_fold(u))
        return torch.where(u < 0, decay, -decay)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        a = self._tail_quantile(torch.where(q < p, q, p))
        return torch.where(q < p, -a, a)


def _fold(u: Tensor) -> Tensor:
    # abs() with the right-hand slope at 0: the slope 0 that torch gives there would kill the gradient of the
    # CDF exactly where two compared values tie.
    return torch.where(u < 0, -u, u)
