"""The uniform law: a linear ramp."""

from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Uniform"]


@final
class Uniform(AbstractSymmetric):
    """Uniform law on ``[-scale, scale]``, ``F(x) = clamp(1/2 + x / (2 scale), 0, 1)``.

    Args:
        scale: positive float or tensor, half the width.

    Differentiability: once between the kinks at ``+-scale``, where the inner slope is returned.

    Example:
        >>> Uniform(scale=2.0).cdf(torch.tensor([-1.0, 0.0, 3.0]))
        tensor([0.2500, 0.5000, 1.0000])
    """

    _support: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def _tail(self, a: Tensor) -> Tensor:
        return 0.5 * (1 - a).clamp_min(0.0)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return 1 - 2 * m

    def _density(self, a: Tensor) -> Tensor:
        return torch.where(a <= 1, 0.5 + 0 * a, 0 * a)

    def _decay(self, a: Tensor) -> Tensor:
        return 0 * a
