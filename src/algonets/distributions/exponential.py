"""The exponential law and its mirror image: all of the soft step on one side."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.base import Distribution, check_shift, draw_exponential, log_or_minus_inf
from algonets.distributions.mirrored import AbstractMirrored

__all__ = ["Exponential", "ExponentialReversed"]


@final
class Exponential(Distribution):
    """Exponential law, ``F(x) = 1 - exp(-u)`` for ``u = x / scale + shift >= 0``, else 0.

    Args:
        scale: positive float or tensor, the standard deviation.
        shift: finite float or tensor, in units of ``scale``; the law starts at ``-scale * shift``.

    Differentiability: infinitely often except at the kink ``u = 0``, where the right-hand slope is returned.

    Example:
        >>> Exponential(shift=1.0).cdf(torch.tensor([-2.0, 0.0, 1.0]))
        tensor([0.0000, 0.6321, 0.8647])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shift",)
    _support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    _score_limits: ClassVar[tuple[float, float]] = (0.0, -1.0)

    def __init__(self, scale: float | Tensor = 1.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shift = check_shift("Exponential(shift=...)", shift)

    @property
    def _location(self) -> float | Tensor:
        return -self.shift

    @property
    def _mean(self) -> float:
        return 1.0

    def _cdf(self, u: Tensor) -> Tensor:
        return -torch.expm1(-u.clamp_min(0.0))

    def _survival(self, u: Tensor) -> Tensor:
        return torch.exp(-u.clamp_min(0.0))

    def _pdf(self, u: Tensor) -> Tensor:
        return torch.where(u >= 0, torch.exp(-u.clamp_min(0.0)), 0.0)

    def _log_survival(self, u: Tensor) -> Tensor:
        return -u.clamp_min(0.0)

    def _log_cdf(self, u: Tensor) -> Tensor:
        high = u > 1
        near = log_or_minus_inf(-torch.expm1(-u.clamp(0.0, 1.0)))
        return torch.where(high, torch.log1p(-torch.exp(-u.clamp_min(1.0))), near)

    def _score(self, u: Tensor) -> Tensor:
        return torch.where(u >= 0, 0 * u - 1, 0 * u)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        low = q < p
        return torch.where(low, -torch.log1p(-q.where(low, 0.5)), -torch.log(p.masked_fill(low, 0.5)))

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        return draw_exponential(shape, generator, like)


@final
class ExponentialReversed(AbstractMirrored):
    """Mirrored exponential law, ``F(x) = exp(u)`` for ``u = x / scale - shift <= 0``, else 1.

    Args:
        scale: positive float or tensor, the standard deviation.
        shift: finite float or tensor, in units of ``scale``; the law ends at ``scale * shift``.

    Differentiability: infinitely often except at the kink ``u = 0``, where the left-hand slope is returned.

    Example:
        >>> ExponentialReversed().cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.3679, 1.0000, 1.0000])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shift",)
    _support: ClassVar[tuple[float, float]] = (-math.inf, 0.0)
    _score_limits: ClassVar[tuple[float, float]] = (1.0, 0.0)

    def __init__(self, scale: float | Tensor = 1.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shift = check_shift("ExponentialReversed(shift=...)", shift)
        self._original = Exponential(1.0, shift)
