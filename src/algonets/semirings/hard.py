"""Semirings of exact answers: best, worst, k best, how many, whether any."""

import math
from typing import final

import torch

from algonets._core.checks import check_at_least
from algonets.semirings.base import Semiring

__all__ = ["Boolean", "Counting", "KMax", "MaxPlus", "MinPlus"]


@final
class MaxPlus(Semiring):
    r"""Maximum and plus: the best score.

    .. math:: a \oplus b = \max(a, b), \qquad a \otimes b = a + b

    Differentiability: piecewise linear; the gradient goes to the first of several maxima, never split, so that
    back-propagation marks one structure.

    References:
        A. Viterbi, *Error Bounds for Convolutional Codes*, IEEE Transactions on Information Theory 13(2), 1967.

    Example:
        >>> MaxPlus().plus(torch.tensor([1.0, 3.0]), 0)
        tensor(3.)
    """

    zero = -math.inf
    one = 0.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Maximum over ``dim``; no gradient where all are -inf."""
        best = x.max(dim).values
        return torch.where(best == -math.inf, torch.full_like(best, -math.inf), best)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the scores."""
        return a + b


@final
class MinPlus(Semiring):
    r"""Minimum and plus: the least cost.

    .. math:: a \oplus b = \min(a, b), \qquad a \otimes b = a + b

    Differentiability: piecewise linear; the gradient goes to the first of several minima.

    Example:
        >>> MinPlus().plus(torch.tensor([1.0, 3.0]), 0)
        tensor(1.)
    """

    zero = math.inf
    one = 0.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Minimum over ``dim``; no gradient where all are inf."""
        best = x.min(dim).values
        return torch.where(best == math.inf, torch.full_like(best, math.inf), best)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the costs."""
        return a + b

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Forbidden (-inf) becomes an infinite cost."""
        return torch.where(scores == -math.inf, torch.full_like(scores, math.inf), scores)


@final
class KMax(Semiring):
    """The k best scores, in descending order; -inf where there are fewer structures.

    Args:
        k: How many, at least 1.

    Raises:
        TypeError, ValueError: unless k is a positive integer.

    Differentiability: piecewise linear, as ``torch.topk``.

    Cost: ``times`` k^2 sums an element, ``plus`` a top-k over k times the alternatives.

    Example:
        >>> s = KMax(2)
        >>> s.plus(s.lift(torch.tensor([1.0, 5.0, 3.0])), 0)
        tensor([5., 3.])
    """

    event_dims = 1

    def __init__(self, k: int):
        self.k = check_at_least("KMax(k)", k, 1)

    @property
    def zero(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """No structure at all."""
        return (-math.inf,) * self.k

    @property
    def one(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The empty structure, once."""
        return (0.0,) + (-math.inf,) * (self.k - 1)

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Keep the k best of all alternatives over ``dim``."""
        dim = dim if dim >= 0 else dim + x.ndim - 1
        best = x.movedim(dim, -2).flatten(-2).topk(self.k, -1).values
        return torch.where(best == -math.inf, torch.full_like(best, -math.inf), best)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Keep the k best of all sums."""
        return (a.unsqueeze(-1) + b.unsqueeze(-2)).flatten(-2).topk(self.k, -1).values

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Each score is the best and only one."""
        rest = torch.full((*scores.shape, self.k - 1), -math.inf, dtype=scores.dtype, device=scores.device)
        return torch.cat([scores.unsqueeze(-1), rest], -1)


@final
class Counting(Semiring):
    r"""How many structures are allowed: sum and product in float64.

    Exact up to :math:`2^{53}`, rounded beyond, and inf above :math:`1.8 \cdot 10^{308}`.

    Differentiability: none, the result is a count.

    Example:
        >>> s = Counting()
        >>> s.plus(s.lift(torch.tensor([1.0, -math.inf, 0.0])), 0)
        tensor(2., dtype=torch.float64)
    """

    zero = 0.0
    one = 1.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Sum over ``dim``."""
        return x.sum(dim)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Product; nothing times an overflowing count is nothing."""
        return torch.where((a == 0) | (b == 0), torch.zeros_like(a * b), a * b)

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """1 where the score is allowed, 0 where it is -inf."""
        return (scores.detach() > -math.inf).to(torch.float64)


@final
class Boolean(Semiring):
    """Whether any structure is allowed: or, and.

    Differentiability: none.

    Example:
        >>> s = Boolean()
        >>> s.plus(s.lift(torch.tensor([-math.inf, 2.0])), 0)
        tensor(True)
    """

    zero = 0.0
    one = 1.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Whether any is true over ``dim``."""
        return x.any(dim)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Whether both are true."""
        return a & b

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Whether the score is allowed."""
        return scores.detach() > -math.inf

    def full(self, element: float | tuple[float, ...], shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Return a Boolean tensor of ``shape``."""
        return torch.full(shape, bool(element), dtype=torch.bool, device=like.device)
