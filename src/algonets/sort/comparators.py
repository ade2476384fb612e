"""What all sorting networks share, and the method for a network of one's own."""

import abc
import math
from typing import Any, final

from torch import Tensor

from algonets._core.errors import reject, reject_type, require
from algonets.distributions import Cauchy, Distribution, Levy, LevyReversed, Optimal, Reciprocal
from algonets.sort import _network_ops
from algonets.sort.method import Properties, SortMethod
from algonets.sort.networks import Network, SwapLaw, first_wires, from_pairs

__all__ = ["ComparatorMethod", "Comparators", "check_law"]


def _is_monotone(law: SwapLaw) -> bool:
    """Whether no output of a comparator falls when an input grows.

    With ``d = b - a`` that is ``S(d) >= d f(d)`` right of 0 (``S`` the survival, ``f`` the density) and
    ``F(d) >= -d f(d)`` left of it: the tail may not fall faster than ``1 / d``. Tests check it for every family.
    """
    if isinstance(law, Levy | LevyReversed):
        return not isinstance(law.shift, Tensor) and law.shift == 0
    return isinstance(law, Cauchy | Reciprocal | Optimal)


class _ByLaw:
    """``properties`` of a method, which depend on its law; of the class: those with the default law."""

    def __get__(self, method: "ComparatorMethod | None", owner: type["ComparatorMethod"]) -> Properties:
        law = Cauchy(0.1) if method is None else method.distribution
        bounded = isinstance(law, Distribution) and not any(map(math.isinf, law.support))
        return Properties(
            rows=True,
            columns=True,
            sum_preserving=True,
            monotone=_is_monotone(law),
            sparse=bounded,
            differentiability="as the CDF of the law",
            cost=owner._cost,
        )


class ComparatorMethod(SortMethod):
    """A sorting network with soft comparators.

    Each comparator of items ``a`` and ``b`` has ``alpha = F(b - a)``, ``F`` the CDF of the law, and gives
    ``min = alpha a + (1 - alpha) b``, ``max = alpha b + (1 - alpha) a``. ``P`` is the product of these mixings: doubly
    stochastic. Values cost O(C) an item row with C comparators, a payload of ``d`` numbers an item O(C d), ranks, masks
    and ``k`` rows of ``P`` O(C), O(C) and O(C k), by the network in reverse; only the matrix itself costs O(C n).
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = _ByLaw()  # pyright: ignore[reportAssignmentType]

    _cost = "O(C) with C comparators"

    distribution: SwapLaw

    @abc.abstractmethod
    def network(self, n: int) -> Network:
        """The wiring for ``n`` items."""

    def _sort(self, x: Tensor) -> Tensor:
        return _network_ops.values(x, self.network(x.shape[1]), self.distribution)

    def _matrix(self, x: Tensor) -> Tensor:
        return _network_ops.matrix(x, self.network(x.shape[1]), self.distribution)

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        return _network_ops.apply(x, payload, self.network(x.shape[1]), self.distribution)

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        return _network_ops.collect(x, by_rank, self.network(x.shape[1]), self.distribution)


def check_law(call: str, law: Any) -> SwapLaw:
    """Require a law for comparators: it has a CDF, and its scale and shape are single values."""
    if isinstance(law, type) or not callable(getattr(law, "cdf", None)):
        remedy = "For example Cauchy(0.1) from algonets.distributions."
        reject_type(call, "must be a distribution (an object with a cdf method)", law, remedy)
    for name, value in vars(law).items():
        if isinstance(value, Tensor):
            one = value.numel() == 1 and value.ndim <= 1
            require(one, f"{call}.{name}", "must have one element: all comparators share it", value)
    return law


@final
class Comparators(ComparatorMethod):
    """A comparator network of one's own.

    Args:
        pairs: ``(low, high)`` wires in execution order; the minimum goes to ``low``. Wires are numbered from 0, and the
            largest sets the number of items.
        distribution: the law whose CDF is the soft comparator; ``scale`` (the inverse steepness of the papers) in the
            units of ``x``, positive, a tensor of one element if it is to be learnt. Default ``Cauchy(0.1)``: see
            :class:`OddEven`.
        check: try at construction whether the network sorts, for up to 16 wires; False allows partial networks, whose
            result is that of the network.

    Where every comparator puts the minimum on the lower wire, fewer items (a mask, for example) are sorted as well:
    the missing ones count as infinitely large.

    Raises:
        TypeError: if ``pairs`` does not hold pairs of integers, or ``distribution`` is no law.
        ValueError: if a wire is compared with itself, or the network was checked and does not
            sort; later, if the number of items does not fit.

    Differentiability: as that of the CDF.
    Cost: O(C) time for values with C comparators; for the rest see :class:`ComparatorMethod`.
    References: Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable Sorting and
    Ranking Supervision.

    Example:
        >>> import torch
        >>> from algonets.sort import soft_sort
        >>> method = Comparators([(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)], Cauchy(1e-5))
        >>> soft_sort(torch.tensor([3.0, 1.0, 4.0, 2.0]), method)
        tensor([1.0000, 2.0000, 3.0000, 4.0000])
    """

    _cost = "O(C), its comparators"

    def __init__(self, pairs: Any, distribution: SwapLaw | None = None, *, check: bool = True):
        self._network = from_pairs(None, pairs)
        self.pairs = self._network.pairs()
        self.distribution = check_law("Comparators(distribution)", distribution or Cauchy(0.1))
        if check and self._network.sorts() is False:
            remedy = "Add comparators, or pass check=False for a partial network."
            reject("Comparators(pairs)", "must be a network that sorts every input", self._network, remedy)

    def network(self, n: int) -> Network:
        """The network, or what is left of it for fewer items."""
        whole = self._network
        require(n <= whole.n, "Comparators(pairs)", f"must have a wire for each of the {n} items", whole)
        if n == whole.n:
            return whole
        remedy = f"Give {whole.n} items, and no mask."
        rule = "must put every minimum on the lower wire, for fewer items than wires"
        require(whole.standard, "Comparators(pairs)", rule, whole, remedy)
        return first_wires(whole, n)
