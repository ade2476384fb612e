"""The Wigner semicircle law."""

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["WignerSemicircle"]


@final
class WignerSemicircle(AbstractSymmetric):
    """Semicircle law on ``[-scale, scale]``: the density is half an ellipse.

    ``F(x) = 1/2 + (u sqrt(1 - u^2) + arcsin u) / pi`` with ``u = x / scale``.

    Args:
        scale: positive float or tensor, the radius.

    Differentiability: once everywhere; twice between ``+-scale``, where the second derivative is unbounded.
    Cost: the quantile takes five Newton iterations.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer.

    Example:
        >>> WignerSemicircle().cdf(torch.tensor([-1.0, 0.0, 0.5]))
        tensor([0.0000, 0.5000, 0.8045])
    """

    _support: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def _tail(self, a: Tensor) -> Tensor:
        # Near the edge the closed form and its derivative cancel: there the series in h = 1 - a.
        near = a < 0.875
        b = a.where(near, 0.0)
        middle = 0.5 - (b * ((1 - b) * (1 + b)).sqrt() + torch.asin(b)) / math.pi
        inside = a < 1
        h = (1 - a).where(inside & ~near, 0.125)
        series = torch.zeros_like(h)
        for coefficient in reversed(_EDGE_SERIES):
            series = series * h + coefficient
        edge = torch.where(inside, h * h.sqrt() * series, 0.0)
        return torch.where(near, middle, edge)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        # With a = cos(e / 2) the tail is (e - sin e) / (2 pi): Kepler's equation. Near the edge e - sin e
        # cancels, and the reversed power series takes over.
        target = 2 * math.pi * m.detach()
        s = (6 * target).pow(1 / 3)
        r = s.square()
        e = s * (1 + r * (1 / 60 + r * (1 / 1400 + r * (1 / 25200 + r * 43 / 17248000))))
        near = s < 0.3
        for _ in range(5):
            newton = e - (e - torch.sin(e) - target) / (1 - torch.cos(e.masked_fill(near, 1.0)))
            e = torch.where(near, e, newton)
        a = 1 - 2 * torch.sin(e / 4).square()
        # The root, with the first and second derivative of the inverse function attached. With a = cos(e / 2) the
        # density is 2/pi sin(e / 2), which stays exact where a rounds to 1.
        sine = torch.sin(e / 2)
        sine = sine.where(sine > 0, math.inf)
        step = (m.detach() - m) * (math.pi / 2) / sine
        return a + step + 0.5 * a * (step / sine).square()

    def _density(self, a: Tensor) -> Tensor:
        inside = a < 1
        b = a.where(inside, 0.0)
        return torch.where(inside, 2 / math.pi * ((1 - b) * (1 + b)).sqrt(), 0 * a)

    def _decay(self, a: Tensor) -> Tensor:
        inside = a < 1
        b = a.where(inside, 0.0)
        return torch.where(inside, b / ((1 - b) * (1 + b)), 0 * a)

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        # The projection onto an axis of a point drawn uniformly from the unit disc.
        radius, angle = torch.rand((2, *shape), generator=generator, dtype=like.dtype, device=like.device)
        return radius.sqrt() * torch.cos(2 * math.pi * angle)


def _edge_series(terms: int) -> tuple[float, ...]:
    """Coefficients of ``tail(1 - h) / h^(3/2)``, from ``2/pi`` times the integral of ``sqrt(2 t - t^2)``."""
    coefficients, binomial = [], 1.0
    for k in range(terms):
        coefficients.append(2 * math.sqrt(2) / math.pi * binomial / (k + 1.5))
        binomial *= -0.5 * (0.5 - k) / (k + 1)
    return tuple(coefficients)


_EDGE_SERIES = _edge_series(13)
