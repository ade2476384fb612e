"""Families whose generator is a power of a coordinate: p-norms in disguise."""

import abc

import torch
from torch import Tensor

from algonets.tconorms.base import ArchimedeanTConorm, check_power

__all__ = ["AbstractPower", "power_norm"]


class AbstractPower(ArchimedeanTConorm):
    """``g(F) = c(F)^p``, hence ``c(S)`` is the p-norm of the ``c(F_i)``, for an increasing ``c`` with ``c(0) = 0``.

    For ``p`` to infinity it is :class:`Max`.

    Differentiability: infinitely often inside (0, 1). At a value of 0 beside others that are not 0, the slope
    is 0 for ``p > 1``, and infinite for ``p < 1``, where the code returns 0. Where all values are 0, each
    slope is 1.
    """

    def __init__(self, p: float):
        self.p = check_power(f"{type(self).__name__}(p=...)", p)

    @abc.abstractmethod
    def _coordinate(self, values: Tensor) -> Tensor:
        """``c(F)``."""

    @abc.abstractmethod
    def _coordinate_derivative(self, values: Tensor) -> Tensor:
        """``c'(F)``."""

    @abc.abstractmethod
    def _coordinate_inverse(self, coordinate: Tensor) -> Tensor:
        """``c^-1``."""

    @abc.abstractmethod
    def _slope_beside(self, norm: Tensor) -> Tensor:
        """``dS/dF`` at ``F = 1`` beside values whose coordinates have that p-norm."""

    def generator(self, values: Tensor) -> Tensor:
        """``c(F)^p``."""
        return self._coordinate(values).pow(self.p)

    def generator_derivative(self, values: Tensor) -> Tensor:
        """``p c(F)^(p-1) c'(F)``."""
        return self.p * self._coordinate(values).pow(self.p - 1) * self._coordinate_derivative(values)

    def generator_inverse(self, total: Tensor) -> Tensor:
        """``c^-1(t^(1/p))``."""
        return self._coordinate_inverse(total.pow(1 / self.p))

    def _join(self, values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        norm = power_norm(self._coordinate(values), self.p, dim)
        return self._coordinate_inverse(norm), self._slope_beside(norm)


def power_norm(x: Tensor, p: float, dim: int) -> Tensor:
    """``(sum x^p)^(1/p)`` of non-negative ``x``, free of under- and overflow, below ``exp(80)``.

    Entries that are 0, or negligible to rounding, get slope 0 unless ``p`` is 1; if all are 0, slope 1.
    """
    largest = x.detach().amax(dim, keepdim=True)
    dead = largest == 0
    # The norm is homogeneous: its derivative may take the divisor for a constant.
    largest = largest.masked_fill(dead, 1.0)
    ratio = x / largest
    if p == 1:
        return (largest * ratio.sum(dim, keepdim=True)).squeeze(dim)
    present = ratio >= torch.finfo(x.dtype).tiny
    total = ratio.where(present, 1.0).pow(p).where(present, 0.0).sum(dim, keepdim=True).masked_fill(dead, 1.0)
    # Squared halves, because exp of the whole exponent may overflow where the product does not.
    half = torch.exp(0.5 * torch.minimum(torch.log(total) / p, 80 - torch.log(largest)))
    norm = torch.where(dead, x.sum(dim, keepdim=True), largest * half * half)
    return norm.squeeze(dim)
