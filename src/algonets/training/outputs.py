"""What a network's outputs mean: the distribution whose Fisher information natural gradients use."""

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating, check_positive
from algonets._core.errors import reject

__all__ = ["BernoulliOutput", "CategoricalOutput", "GaussianOutput", "OutputDistribution"]


class OutputDistribution(abc.ABC):
    """The law of the targets given outputs ``z (*batch, C)``; the loss that goes with it is ``-log p(y | z)``.

    Its Fisher information in the outputs is ``F_z = E_y[d d^T]`` with ``d = -d log p / dz``, block after block of the
    last dimension, and equals the Hessian of the loss in the outputs (the Gauss-Newton matrix).
    """

    @abc.abstractmethod
    def fisher(self, outputs: Tensor, v: Tensor) -> Tensor:
        """``F_z v`` for every example.

        Args:
            outputs: ``(*batch, C)`` floating.
            v: the same shape.

        Returns:
            ``(*batch, C)``.

        Raises:
            TypeError: if ``outputs`` is not a floating tensor.
            ValueError: if the shapes differ.

        Differentiability: any order.
        Cost: O(size of the outputs).
        References: Martens 2020, New Insights and Perspectives on the Natural Gradient Method.
        """

    @abc.abstractmethod
    def factors(self, outputs: Tensor) -> Iterator[Tensor]:
        """Tensors ``b_k (*batch, C)`` with ``F_z = sum_k b_k b_k^T``, C of them."""

    @abc.abstractmethod
    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One random ``d`` an example, ``E[d d^T] = F_z``: the gradient for a target drawn from the network itself."""

    def _check(self, outputs: Tensor, v: Tensor | None = None) -> None:
        call = type(self).__name__
        check_floating(f"{call}(outputs)", outputs)
        if outputs.ndim == 0:
            reject(f"{call}(outputs)", "must be (*batch, C)", outputs)
        if v is not None and check_floating(f"{call}.fisher(v)", v).shape != outputs.shape:
            reject(f"{call}.fisher(v)", f"must have the shape {tuple(outputs.shape)} of the outputs", v)


@final
@dataclass(frozen=True)
class CategoricalOutput(OutputDistribution):
    """Outputs are logits of a softmax; the loss is ``cross_entropy``.

    ``F_z = diag(p) - p p^T``.

    Example:
        >>> CategoricalOutput().fisher(torch.zeros(2), torch.tensor([1.0, 0.0]))
        tensor([ 0.2500, -0.2500])
    """

    def fisher(self, outputs: Tensor, v: Tensor) -> Tensor:
        """``p * v - p <p, v>``."""
        self._check(outputs, v)
        p = outputs.softmax(-1)
        return p * (v - (p * v).sum(-1, keepdim=True))

    def factors(self, outputs: Tensor) -> Iterator[Tensor]:
        """``sqrt(p_k) (e_k - p)``."""
        self._check(outputs)
        p = outputs.softmax(-1)
        for k in range(p.shape[-1]):
            unit = torch.zeros_like(p)
            unit[..., k] = 1
            yield p[..., k : k + 1].sqrt() * (unit - p)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``p - e_y``."""
        self._check(outputs)
        p = outputs.softmax(-1)
        drawn = torch.multinomial(p.reshape(-1, p.shape[-1]), 1, generator=generator).reshape(*p.shape[:-1], 1)
        return p - torch.zeros_like(p).scatter(-1, drawn, 1)


@final
@dataclass(frozen=True)
class BernoulliOutput(OutputDistribution):
    """Outputs are independent logits; the loss is ``binary_cross_entropy_with_logits`` summed over them.

    ``F_z = diag(p (1 - p))``.

    Example:
        >>> BernoulliOutput().fisher(torch.zeros(2), torch.tensor([1.0, 0.0]))
        tensor([0.2500, 0.0000])
    """

    def fisher(self, outputs: Tensor, v: Tensor) -> Tensor:
        """``p (1 - p) v``."""
        self._check(outputs, v)
        return outputs.sigmoid() * (-outputs).sigmoid() * v

    def factors(self, outputs: Tensor) -> Iterator[Tensor]:
        """``sqrt(p_k (1 - p_k)) e_k``."""
        self._check(outputs)
        yield from _diagonal((outputs.sigmoid() * (-outputs).sigmoid()).sqrt())

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``p - y``."""
        self._check(outputs)
        p = outputs.sigmoid()
        return p - torch.bernoulli(p, generator=generator)


@final
@dataclass(frozen=True)
class GaussianOutput(OutputDistribution):
    """Outputs are means of Gaussians; the loss is ``|y - z|^2 / (2 variance)`` summed over them.

    ``F_z = I / variance``.

    Args:
        variance: Positive.

    Example:
        >>> GaussianOutput(0.5).fisher(torch.zeros(2), torch.tensor([1.0, 0.0]))
        tensor([2., 0.])
    """

    variance: float = 1.0

    def __post_init__(self) -> None:
        check_positive("GaussianOutput(variance)", self.variance)

    def fisher(self, outputs: Tensor, v: Tensor) -> Tensor:
        """``v / variance``."""
        self._check(outputs, v)
        return v / self.variance + 0 * outputs

    def factors(self, outputs: Tensor) -> Iterator[Tensor]:
        """``e_k / sqrt(variance)``."""
        self._check(outputs)
        yield from _diagonal(torch.full_like(outputs, self.variance**-0.5))

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Gaussian noise over the variance."""
        self._check(outputs)
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device)
        return noise * self.variance**-0.5


def _diagonal(roots: Tensor) -> Iterator[Tensor]:
    for k in range(roots.shape[-1]):
        column = torch.zeros_like(roots)
        column[..., k] = roots[..., k]
        yield column
