"""The Gumbel laws of the largest and the smallest of many draws."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.base import Distribution, draw_exponential
from algonets.distributions.mirrored import AbstractMirrored

__all__ = ["GumbelMax", "GumbelMin"]

_EULER = 0.5772156649015329


@final
class GumbelMax(Distribution):
    """Gumbel law of maxima, ``F(x) = exp(-exp(-x / scale))``; not centred, its mean is ``0.5772 scale``.

    Args:
        scale: positive float or tensor.

    Differentiability: infinitely often.
    References: Gumbel 1954, Statistical Theory of Extreme Values; Jang, Gu, Poole 2017, Categorical
        Reparameterization with Gumbel-Softmax (its samples as perturbations).

    Example:
        >>> GumbelMax().cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.0660, 0.3679, 0.6922])
    """

    _score_limits: ClassVar[tuple[float, float]] = (math.inf, -1.0)

    @property
    def _mean(self) -> float:
        return _EULER

    def _cdf(self, u: Tensor) -> Tensor:
        return torch.exp(-_exp_minus(u))

    def _survival(self, u: Tensor) -> Tensor:
        return -torch.expm1(-_exp_minus(u))

    def _pdf(self, u: Tensor) -> Tensor:
        e = _exp_minus(u)
        return e * torch.exp(-e)

    def _log_cdf(self, u: Tensor) -> Tensor:
        return -torch.exp(-u)

    def _log_survival(self, u: Tensor) -> Tensor:
        # At u >= 0: -u + log((1 - exp(-e)) / e) with e = exp(-u), kept away from underflow by the clamp.
        e = torch.exp(-u.clamp(0.0, 40.0))
        upper = torch.log(-torch.expm1(-e) / e) - u
        return torch.where(u >= 0, upper, torch.log1p(-self._cdf(u.clamp_max(0.0))))

    def _score(self, u: Tensor) -> Tensor:
        return torch.expm1(-u)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        low = q < p
        log_q = torch.where(low, q.where(low, 0.5).log(), torch.log1p(-p.masked_fill(low, 0.5)))
        return -torch.log(-log_q)

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        return -draw_exponential(shape, generator, like).log()


@final
class GumbelMin(AbstractMirrored):
    """Gumbel law of minima, ``F(x) = 1 - exp(-exp(x / scale))``: :class:`GumbelMax` mirrored.

    Args:
        scale: positive float or tensor.

    Differentiability: infinitely often.

    Example:
        >>> GumbelMin().cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.3078, 0.6321, 0.9340])
    """

    _score_limits: ClassVar[tuple[float, float]] = (1.0, -math.inf)
    _original = GumbelMax()


def _exp_minus(u: Tensor) -> Tensor:
    # exp(-exp(7)) is 0 even in float64: what lies below need not overflow.
    return torch.exp(-u.clamp_min(-7.0))
