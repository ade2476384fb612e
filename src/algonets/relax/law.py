"""Soft comparisons: the CDF of a law where the step function was."""

import copy
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import as_scale
from algonets.distributions import Distribution, Logistic

__all__ = ["Law"]


class Law:
    """The comparisons of a distribution, ``x > y`` becomes ``F(x - y)``.

    ``x == y`` becomes ``4 F(m + d) F(m - d)`` with ``d = x - y`` and the median ``m``: 1 at ``d = 0`` for every law,
    and ``sech^2(d / (2 scale))`` for the logistic one.
    """

    def __init__(self, distribution: Distribution, like: Tensor):
        self.distribution = distribution
        self._like = like
        scale = distribution.scale
        # As a tensor without dimensions: a plain number costs torch a conversion in every product and its backward.
        inverse = 1.0 / scale
        self.steepness = inverse if isinstance(inverse, Tensor) else like.new_full((), inverse)
        # The public method adds checks, limits and a location to what is a sigmoid.
        self._fast = isinstance(distribution, Logistic) and not isinstance(scale, Tensor) and scale > 1e-30
        self._mild = self._fast and 1.0 / distribution.scale < 40.0
        self._shift: Any = None

    def rescaled(self, scale: Any) -> "Law":
        """The same family with another scale."""
        twin = copy.copy(self.distribution)
        twin.scale = as_scale("relax.scale(scale)", scale)
        return Law(twin, self._like)

    def above(self, difference: Tensor) -> Tensor:
        """The probability that a number that exceeds another by ``difference`` is the larger one."""
        if self._fast:
            return torch.sigmoid(difference * self.steepness)
        return self.distribution.cdf(difference)

    def near(self, difference: Tensor) -> Tensor:
        """The degree to which two numbers are equal."""
        if self.distribution.symmetric:
            if self._fast:
                z = difference * self.steepness
                return self._like.new_full((), 4.0) * torch.sigmoid(z) * torch.sigmoid(-z)
            return 4 * self.distribution.cdf(difference) * self.distribution.survival(difference)
        shift = self._median(difference)
        return 4 * self.distribution.cdf(shift + difference) * self.distribution.cdf(shift - difference)

    def alike(self, distance: Tensor) -> Tensor:
        """The degree to which vectors at a distance ``>= 0`` are equal: ``sqrt(near(2 distance))``, by logarithms."""
        if self._fast:  # sech
            z = distance * self.steepness
            if self._mild:
                return torch.cosh(z).reciprocal()
            small = torch.exp(-z.clamp_min(0.0))  # no overflow, where cosh has one
            return 2 * small / (1 + small * small)
        twice = 2 * distance
        shift = 0.0 if self.distribution.symmetric else self._median(distance)
        logs = self.distribution.log_cdf(shift + twice) + self.distribution.log_cdf(shift - twice)
        return 2 * torch.exp(0.5 * logs)

    def _median(self, like: Tensor) -> Tensor:
        if self._shift is None:
            self._shift = self.distribution.quantile(like.new_full((1,), 0.5))
        return self._shift
