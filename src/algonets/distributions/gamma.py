"""The gamma law and its mirror image: between exponential (shape 1) and Gaussian (large shape)."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type
from algonets.distributions.base import Distribution, check_shift
from algonets.distributions.mirrored import AbstractMirrored

__all__ = ["Gamma", "GammaReversed"]


@final
class Gamma(Distribution):
    """Gamma law, ``F(x) = P(shape, u)`` for ``u = x / scale + shift > 0``, else 0.

    P is the regularised lower incomplete gamma function.

    Args:
        scale: positive float or tensor.
        shape: positive float, the shape parameter (often written p, k or alpha); no gradient flows to it.
        shift: finite float or tensor, in units of ``scale``; the law starts at ``-scale * shift``.

    Differentiability: infinitely often for ``u != 0``, in reverse mode only (torch has no forward mode for the
        incomplete gamma function). At ``u = 0`` the code returns derivatives 0; the slope
        there is 1 on the right for shape 1 and infinite for a shape below 1.
    Cost: dear against the other families: the incomplete gamma function; 16 of them for a quantile, 40 more
        operations for ``log_survival`` and ``log_cdf``.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> Gamma(shape=2.0).cdf(torch.tensor([-1.0, 1.0, 4.0]))
        tensor([0.0000, 0.2642, 0.9084])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shape", "shift")
    _support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    _score_limits: ClassVar[tuple[float, float]] = (0.0, -1.0)

    def __init__(self, scale: float | Tensor = 1.0, shape: float = 2.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shape = _check_shape("Gamma(shape=...)", shape)
        self.shift = check_shift("Gamma(shift=...)", shift)

    @property
    def _location(self) -> float | Tensor:
        return -self.shift

    @property
    def _mean(self) -> float:
        return self.shape

    def _cdf(self, u: Tensor) -> Tensor:
        v = u.where(u > 0, 1.0)
        return torch.where(u > 0, torch.special.gammainc(v.new_full((), self.shape), v), 0.0)

    def _survival(self, u: Tensor) -> Tensor:
        v = u.where(u > 0, 1.0)
        return torch.where(u > 0, torch.special.gammaincc(v.new_full((), self.shape), v), 1.0)

    def _pdf(self, u: Tensor) -> Tensor:
        v = u.where(u > 0, 1.0)
        return torch.where(u > 0, torch.exp(self._log_density(v)), 0.0)

    def _log_density(self, u: Tensor) -> Tensor:
        return (self.shape - 1) * torch.log(u) - u - math.lgamma(self.shape)

    def _log_survival(self, u: Tensor) -> Tensor:
        plain = super()._log_survival(u)
        far = (self._survival(u) < _UNDERFLOW) & (u > self.shape)
        v = u.where(far, self.shape + 100.0)
        # Legendre's continued fraction of Mills' ratio, from its tail backwards.
        fraction = v + (2 * _TERMS + 1 - self.shape)
        for k in range(_TERMS, 0, -1):
            fraction = v + (2 * k - 1 - self.shape) - k * (k - self.shape) / fraction
        return torch.where(far, self._log_density(v) + torch.log(v) - torch.log(fraction), plain)

    def _log_cdf(self, u: Tensor) -> Tensor:
        plain = super()._log_cdf(u)
        far = (self._cdf(u) < _UNDERFLOW) & (u > 0)
        v = u.where(far, 0.5 * self.shape)
        series = torch.ones_like(v)
        for k in range(_TERMS, 0, -1):
            series = 1 + series * v / (self.shape + k)
        lower = self._log_density(v) + torch.log(v) - math.log(self.shape) + torch.log(series)
        return torch.where(far, lower, plain)

    def _score(self, u: Tensor) -> Tensor:
        inside = u > 0
        return torch.where(inside, (self.shape - 1) / u.where(inside, 1.0) - 1, 0.0)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        u = self._solve(q.detach(), p.detach())
        # The root, with the first and second derivative of the inverse function attached.
        step = (q - q.detach()) / self._pdf(u).clamp_min(torch.finfo(u.dtype).tiny)
        return u + step - 0.5 * self._score(u) * step.square()

    def _solve(self, q: Tensor, p: Tensor) -> Tensor:
        """Newton's method on the log of the smaller tail over ``log u``: both are concave, so it is monotone."""
        a = self.shape
        low = q < p
        z = torch.where(low, torch.special.ndtri(q), -torch.special.ndtri(p))
        wilson_hilferty = a * (1 - 1 / (9 * a) + z / (3 * math.sqrt(a))).clamp_min(0.0).pow(3)
        power_law = torch.exp((torch.log(q) + math.lgamma(a + 1)) / a)
        u = torch.maximum(wilson_hilferty, power_law.clamp_max(a)).clamp_min(torch.finfo(q.dtype).tiny)
        for _ in range(_ITERATIONS):
            log_tail = torch.where(low, self._log_cdf(u), self._log_survival(u))
            slope = torch.exp(self._log_density(u) + torch.log(u) - log_tail)
            excess = log_tail - torch.where(low, torch.log(q), torch.log(p))
            u = u * torch.exp(torch.where(low, -excess, excess) / slope)
        return u

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        return torch.ops.aten._standard_gamma(like.new_full(shape, self.shape), generator)


@final
class GammaReversed(AbstractMirrored):
    """Mirrored gamma law, ``F(x) = 1 - P(shape, u)`` with ``u = shift - x / scale > 0``, else 1.

    Args:
        scale: positive float or tensor.
        shape: positive float, the shape parameter; no gradient flows to it.
        shift: finite float or tensor, in units of ``scale``; the law ends at ``scale * shift``.

    Differentiability, cost and references: as :class:`Gamma`.

    Example:
        >>> GammaReversed(shape=2.0).cdf(torch.tensor([-4.0, -1.0, 1.0]))
        tensor([0.0916, 0.7358, 1.0000])
    """

    _extra: ClassVar[tuple[str, ...]] = ("shape", "shift")
    _support: ClassVar[tuple[float, float]] = (-math.inf, 0.0)
    _score_limits: ClassVar[tuple[float, float]] = (1.0, 0.0)

    def __init__(self, scale: float | Tensor = 1.0, shape: float = 2.0, shift: float | Tensor = 0.0):
        super().__init__(scale)
        self.shape = _check_shape("GammaReversed(shape=...)", shape)
        self.shift = check_shift("GammaReversed(shift=...)", shift)
        self._original = Gamma(1.0, shape, shift)


_UNDERFLOW = 1e-30
_TERMS = 40
_ITERATIONS = 16


def _check_shape(call: str, shape: float) -> float:
    if isinstance(shape, Tensor):
        reject_type(call, "must be a number", shape, "No gradient flows to it; use .item().")
    check_positive(call, shape)
    return float(shape)
