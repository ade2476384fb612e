"""The Gaussian law."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Gaussian", "log_upper_tail"]


@final
class Gaussian(AbstractSymmetric):
    """Gaussian law with mean 0, ``F(x) = Phi(x / scale)``; ``scale`` is the standard deviation.

    Args:
        scale: positive float or tensor.

    Differentiability: infinitely often.
    References: Berthet, Blondel, Teboul, Cuturi, Vert, Bach 2020, Learning with Differentiable Perturbed
        Optimizers (its samples and score as perturbations).

    Example:
        >>> Gaussian().log_survival(torch.tensor([0.0, 10.0]))
        tensor([ -0.6931, -53.2313])
    """

    _score_limits: ClassVar[tuple[float, float]] = (math.inf, -math.inf)

    def _cdf(self, u: Tensor) -> Tensor:
        return self._tail(-u)

    def _survival(self, u: Tensor) -> Tensor:
        return self._tail(u)

    def _tail(self, a: Tensor) -> Tensor:
        # Beyond +-40 the value is 0 or 1 even in float64; the clamp keeps squares in backward from overflow.
        return 0.5 * torch.erfc(a.clamp(-40.0, 40.0) / math.sqrt(2))

    def _log_tail(self, a: Tensor) -> Tensor:
        return log_upper_tail(a)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return -torch.special.ndtri(m)

    def _density(self, a: Tensor) -> Tensor:
        return torch.exp(-0.5 * a.clamp_max(40.0).square()) / math.sqrt(2 * math.pi)

    def _decay(self, a: Tensor) -> Tensor:
        return a

    def score(self, x: Tensor) -> Tensor:
        """``-x / scale^2``; as of any law, in one operation where the scale is a number."""
        if isinstance(self.scale, Tensor):
            return super().score(x)
        wide = self._widen("score", "x", x)
        return (wide / -(self._scale_like(wide) ** 2)).to(x.dtype)

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def log_upper_tail(a: Tensor) -> Tensor:
    """``log P(Z > a)`` of a standard Gaussian for ``a >= 0``; its derivatives stay right up to overflow."""
    far = a > 50
    near = torch.special.log_ndtr(-a.masked_fill(far, 0.0))
    # Asymptotic series of Mills' ratio; at a > 50 its first omitted term is below 1e-14.
    big = a.where(far, 50.0)
    r = (1 / big).square()
    series = -0.5 * big * big - torch.log(big) - 0.5 * math.log(2 * math.pi)
    return torch.where(far, series + torch.log1p(r * (-1 + r * (3 + r * (-15 + 105 * r)))), near)
