"""The hyperbolic secant law; its CDF is the Gudermannian function, rescaled."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Gudermannian"]


@final
class Gudermannian(AbstractSymmetric):
    """Hyperbolic secant law, ``F(x) = 2/pi arctan(exp(x / scale)) = 1/2 + gd(x / scale) / pi``.

    Args:
        scale: positive float or tensor. The standard deviation is ``pi/2 scale``.

    Differentiability: twice (infinitely often in the mathematics; derivatives beyond the second are
        one-sided at 0 in the code).
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> Gudermannian().cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.2244, 0.5000, 0.7756])
    """

    _score_limits: ClassVar[tuple[float, float]] = (1.0, -1.0)

    def _tail(self, a: Tensor) -> Tensor:
        return torch.atan(torch.exp(-a)) / (math.pi / 2)

    def _log_tail(self, a: Tensor) -> Tensor:
        # Beyond the clamp atan(e) / e is 1 to rounding and exp(-a) would underflow.
        e = torch.exp(-a.clamp_max(40.0))
        return torch.log(torch.atan(e) / e) - math.log(math.pi / 2) - a

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return -torch.log(torch.tan(math.pi / 2 * m))

    def _density(self, a: Tensor) -> Tensor:
        e = torch.exp(-a)
        return 2 * e / (math.pi * (1 + e.square()))

    def _decay(self, a: Tensor) -> Tensor:
        return torch.tanh(a)
