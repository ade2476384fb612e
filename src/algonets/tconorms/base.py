"""The abstract t-conorm, and the Archimedean ones that are a sum in disguise."""

import abc
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_floating, check_positive, check_same_kind

__all__ = ["ArchimedeanTConorm", "TConorm", "check_power", "compute_dtype"]


class TConorm(abc.ABC):
    """A soft "or" on [0, 1]: commutative, associative, monotone, with 0 neutral and 1 absorbing.

    Its dual t-norm ``T(a, b) = 1 - S(1 - a, 1 - b)`` is the soft "and". Values are expected in [0, 1] (this is
    not checked); what is at least 1 counts as 1. Half types are computed in float32.

    Differentiability: as each family states; no gradient is ever NaN. At the edges the partial derivative is
    returned: for the only value that is 1, the limit from below; 0 when there are several.
    Cost: time and memory O(size of the input).
    """

    p: float
    """The parameter, in the families that have one."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """``S(a, b)``, element by element.

        Args:
            a: floating tensor in [0, 1], any shape.
            b: the same dtype and device, broadcast against ``a``.

        Returns:
            Tensor of the broadcast shape.

        Raises:
            TypeError: if ``a`` or ``b`` is not a floating tensor, or their dtypes differ.
            ValueError: if their devices differ.

        Example:
            >>> from algonets.tconorms import Probabilistic
            >>> Probabilistic()(torch.tensor(0.5), torch.tensor(0.5))
            tensor(0.7500)
        """
        return self.reduce(torch.stack(self._pair(a, b), -1), -1)

    def reduce(self, values: Tensor, dim: int = -1) -> Tensor:
        """``S(F_1, ..., F_n)`` over one dimension; 0 for n = 0.

        Args:
            values: floating tensor in [0, 1], any shape.
            dim: the dimension to reduce.

        Returns:
            Tensor without ``dim``, in [0, 1].

        Raises:
            TypeError: if ``values`` is not a floating tensor.
            IndexError: if ``dim`` is out of range.

        Example:
            >>> from algonets.tconorms import Probabilistic
            >>> Probabilistic().reduce(torch.tensor([[0.5, 0.5, 0.0], [0.1, 1.0, 0.3]]))
            tensor([0.7500, 1.0000])
        """
        values = check_floating(f"{type(self).__name__}.reduce(values)", values)
        if values.shape[dim] == 0:
            return values.sum(dim)
        return self._reduce(values.to(compute_dtype(values)), dim).to(values.dtype)

    def tnorm(self, a: Tensor, b: Tensor) -> Tensor:
        """The dual t-norm ``1 - S(1 - a, 1 - b)``, a soft "and"; arguments as :meth:`__call__`."""
        a, b = self._pair(a, b)
        return (1 - self(1 - a.to(compute_dtype(a)), 1 - b.to(compute_dtype(b)))).to(a.dtype)

    def reduce_tnorm(self, values: Tensor, dim: int = -1) -> Tensor:
        """The dual t-norm over one dimension; 1 for none. Arguments as :meth:`reduce`."""
        check_floating(f"{type(self).__name__}.reduce_tnorm(values)", values)
        return (1 - self.reduce(1 - values.to(compute_dtype(values)), dim)).to(values.dtype)

    @abc.abstractmethod
    def _reduce(self, values: Tensor, dim: int) -> Tensor:
        """Reduce a dimension that is not empty."""

    def _pair(self, a: Any, b: Any) -> tuple[Tensor, Tensor]:
        name = type(self).__name__
        a, b = check_floating(f"{name}(a, b): a", a), check_floating(f"{name}(a, b): b", b)
        check_same_kind(f"{name}(a, b): b", b, a, "a")
        a, b = torch.broadcast_tensors(a, b)
        return a, b

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))


class ArchimedeanTConorm(TConorm):
    """A t-conorm with an additive generator: ``S(F_1, ..., F_n) = g^-1(g(F_1) + ... + g(F_n))``.

    ``g`` increases from ``g(0) = 0``. A renderer adds up ``g`` of every fragment, and needs no other kernel.
    The gradient is ``dS/dF_j = g'(F_j) / g'(S)``. ``reduce`` is the same sum, made stable at 0 and 1: a single
    non-zero value comes back bit for bit, a value of 1 gives exactly 1, and both keep their derivative.
    """

    @abc.abstractmethod
    def generator(self, values: Tensor) -> Tensor:
        """``g(F)``, element by element; +inf at 1 unless stated."""

    @abc.abstractmethod
    def generator_derivative(self, values: Tensor) -> Tensor:
        """``g'(F)``, element by element."""

    @abc.abstractmethod
    def generator_inverse(self, total: Tensor) -> Tensor:
        """``g^-1(t)`` for ``t >= 0``."""

    def _join(self, values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """Reduce values below 1; also return ``dS/dF`` at ``F = 1`` for one more value F."""
        total = self.generator(values).sum(dim)
        return self.generator_inverse(total), self._slope_at_one(total)

    def _slope_at_one(self, total: Tensor) -> Tensor:
        # The limit of g'(F) / g'(S) as F -> 1, when g(F) = -log(1 - F) + constant + o(1).
        return torch.exp(-total)

    def _reduce(self, values: Tensor, dim: int) -> Tensor:
        one = values >= 1
        ones = one.sum(dim)
        below = values.masked_fill(one, 0.0)
        joined, slope = self._join(below, dim)
        # 0 is neutral to the last bit: undo the rounding of g^-1(g(F)), keep its gradient.
        lone = (below != 0).sum(dim) <= 1
        joined = joined + (below.sum(dim) - joined).where(lone, 0.0).detach()
        # The value is 1 and the slope that of the only 1; two of them hold each other up.
        excess = (values - 1).where(one, 0.0).sum(dim)
        edge = 1 + slope * excess.where(ones == 1, 0.0)
        return torch.where(ones == 0, joined, edge.clamp_max(1.0))


def compute_dtype(values: Tensor) -> torch.dtype:
    """float64 stays, all else is computed in float32."""
    return torch.float64 if values.dtype == torch.float64 else torch.float32


def check_power(call: str, p: float) -> float:
    """Require a positive finite number; the limit p -> inf of every power family is the maximum."""
    check_positive(call, p, "The limit of large p is Max().")
    return float(p)
