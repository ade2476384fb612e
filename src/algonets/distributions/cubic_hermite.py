"""The cubic Hermite law: the smoothstep of computer graphics."""

from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["CubicHermite"]


@final
class CubicHermite(AbstractSymmetric):
    """Cubic Hermite law on ``[-scale, scale]``, ``F(x) = 3 y^2 - 2 y^3`` with ``y = (1 + x / scale) / 2``.

    Args:
        scale: positive float or tensor, half the width.

    Differentiability: once everywhere; twice between ``+-scale``, where the second derivative jumps to 0.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> CubicHermite().cdf(torch.tensor([-1.0, 0.0, 0.5]))
        tensor([0.0000, 0.5000, 0.8438])
    """

    _support: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def _tail(self, a: Tensor) -> Tensor:
        y = 0.5 * (1 - a).clamp_min(0.0)
        return y.square() * (3 - 2 * y)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return 2 * torch.sin(torch.pi / 6 - 2 / 3 * torch.asin(m.sqrt()))

    def _density(self, a: Tensor) -> Tensor:
        b = a.clamp_max(1.0)
        return 0.75 * (1 - b) * (1 + b)

    def _decay(self, a: Tensor) -> Tensor:
        inside = a < 1
        b = a.masked_fill(~inside, 0.0)
        return torch.where(inside, 2 * b / ((1 - b) * (1 + b)), 0 * a)
