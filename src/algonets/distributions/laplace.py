"""The Laplace (double exponential) law."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Laplace"]


@final
class Laplace(AbstractSymmetric):
    """Laplace law, ``F(x) = exp(u) / 2`` for ``u = x / scale <= 0``, else ``1 - exp(-u) / 2``.

    Args:
        scale: positive float or tensor.

    Differentiability: once; the second derivative jumps at 0 (its right-hand value is returned).
    References: Struski, Bednarczyk, Podolak, Tabor 2025, LapSum (soft top-k from this CDF).

    Example:
        >>> Laplace().cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.1839, 0.5000, 0.8161])
    """

    _score_limits: ClassVar[tuple[float, float]] = (1.0, -1.0)

    def _tail(self, a: Tensor) -> Tensor:
        return 0.5 * torch.exp(-a)

    def _log_tail(self, a: Tensor) -> Tensor:
        return -math.log(2) - a

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return -torch.log(2 * m)

    def _density(self, a: Tensor) -> Tensor:
        return 0.5 * torch.exp(-a)

    def _decay(self, a: Tensor) -> Tensor:
        return torch.sign(a)
