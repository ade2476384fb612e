"""Mirrored laws: the law of -X, from the family of X."""

import torch
from torch import Tensor

from algonets.distributions.base import Distribution

__all__ = ["AbstractMirrored"]


class AbstractMirrored(Distribution):
    """The law of ``-X`` for another family's ``X``: ``F(x) = 1 - F_original(-x)``."""

    _original: Distribution
    """The mirrored family's law, used in its standard form."""

    @property
    def _location(self) -> float | Tensor:
        return -self._original._location

    @property
    def _mean(self) -> float:
        return -self._original._mean

    def _cdf(self, u: Tensor) -> Tensor:
        return self._original._survival(-u)

    def _survival(self, u: Tensor) -> Tensor:
        return self._original._cdf(-u)

    def _log_cdf(self, u: Tensor) -> Tensor:
        return self._original._log_survival(-u)

    def _log_survival(self, u: Tensor) -> Tensor:
        return self._original._log_cdf(-u)

    def _pdf(self, u: Tensor) -> Tensor:
        return self._original._pdf(-u)

    def _score(self, u: Tensor) -> Tensor:
        return -self._original._score(-u)

    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        return -self._original._quantile(p, q)

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        return -self._original._draw(shape, generator, like)
