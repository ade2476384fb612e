"""The Levy law and its mirror image: the heaviest tail of the collection."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.base import Distribution, check_shift
from algonets.distributions.gaussian import log_upper_tail
from algonets.distributions.mirrored import AbstractMirrored

__all__ = ["Levy", "LevyReversed"]


@final
class Levy(Distribution):
    """Levy law, ``F(x) = erfc(sqrt(1 / (2 u)))`` for ``u = x / scale + shift > 0``, else 0.

    Its mean is infinite.

    Args:
        scale: positive float or tensor.
        shift: finite float or tensor, in units of ``scale``; the law starts at ``-scale * shift``.

    Differentiability: infinitely often.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> Levy().cdf(torch.tensor([-1.0, 1.0, 100.0]))
        tensor([0.0000, 0.3173, 0.9203])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shift",)
    _support: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def __init__(self, scale: float | Tensor = 1.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shift = check_shift("Levy(shift=...)", shift)

    @property
    def _location(self) -> float | Tensor:
        return -self.shift

    @property
    def _mean(self) -> float:
        return math.inf

    def _cdf(self, u: Tensor) -> Tensor:
        return torch.erfc(_root(u) / math.sqrt(2))

    def _survival(self, u: Tensor) -> Tensor:
        return torch.erf(_root(u) / math.sqrt(2))

    def _pdf(self, u: Tensor) -> Tensor:
        r = _root(u)
        return r.pow(3) * torch.exp(-0.5 * r.square()) / math.sqrt(2 * math.pi)

    def _log_cdf(self, u: Tensor) -> Tensor:
        inside = u > 0
        low = u < 1
        r = u.where(inside & low, 1.0).rsqrt()
        high = torch.log1p(-self._survival(u.clamp_min(1.0)))
        return torch.where(low, torch.where(inside, math.log(2) + log_upper_tail(r), -math.inf), high)

    def _score(self, u: Tensor) -> Tensor:
        inside = u > 0
        r = 1 / u.where(inside, 1.0)
        return torch.where(inside, 0.5 * r * (r - 3), 0.0)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        low = q < p
        z = -torch.special.ndtri(0.5 * q.where(low, 0.5))
        y = torch.special.erfinv(p.masked_fill(low, 0.5))
        return torch.where(low, 1 / z.square(), 0.5 / y.square())

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        z = torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
        return 1 / z.square().clamp_min(torch.finfo(like.dtype).tiny)


@final
class LevyReversed(AbstractMirrored):
    """Mirrored Levy law, ``F(x) = erf(sqrt(1 / (2 u)))`` for ``u = shift - x / scale > 0``, else 1.

    Its mean is -inf.

    Args:
        scale: positive float or tensor.
        shift: finite float or tensor, in units of ``scale``; the law ends at ``scale * shift``.

    Differentiability: infinitely often.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> LevyReversed().cdf(torch.tensor([-100.0, -1.0, 1.0]))
        tensor([0.0797, 0.6827, 1.0000])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shift",)
    _support: ClassVar[tuple[float, float]] = (-math.inf, 0.0)

    def __init__(self, scale: float | Tensor = 1.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shift = check_shift("LevyReversed(shift=...)", shift)
        self._original = Levy(1.0, shift)


def _root(u: Tensor) -> Tensor:
    # 1 / sqrt(u); below the clamp exp(-1 / (2 u)) is 0 even in float64, and so is the CDF.
    return u.clamp_min(5e-4).rsqrt()
