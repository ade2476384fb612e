"""The triangular law: the sum of two uniform ones."""

from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Triangular"]


@final
class Triangular(AbstractSymmetric):
    """Triangular law on ``[-scale, scale]``, density ``(1 - |x| / scale) / scale``.

    Its score grows without bound towards the ends, so that estimators by scores have no finite variance; differences
    do not mind.

    Args:
        scale: positive float or tensor, half the width.

    Differentiability: once everywhere; the second derivative jumps at 0 and at ``+-scale``.
    References: Petersen, Borgelt, Mishra, Ermon 2024, Generalizing Stochastic Smoothing for Differentiation and
        Gradient Estimation.

    Example:
        >>> Triangular().cdf(torch.tensor([-1.0, 0.0, 0.5]))
        tensor([0.0000, 0.5000, 0.8750])
    """

    _support: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def _tail(self, a: Tensor) -> Tensor:
        return 0.5 * (1 - a).clamp_min(0.0).square()

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return 1 - (2 * m).sqrt()

    def _density(self, a: Tensor) -> Tensor:
        return (1 - a).clamp_min(0.0)

    def _decay(self, a: Tensor) -> Tensor:
        inside = (a > 0) & (a < 1)  # the density has a corner at 0
        return torch.where(inside, 1 / (1 - a.masked_fill(~inside, 0.0)), 0 * a)
