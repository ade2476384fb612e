"""Every method of ``algonets.sort`` as the shared contract tests see it; a new method adds one line."""

from collections.abc import Callable
from dataclasses import dataclass

from algonets import sort
from algonets.distributions import Cauchy, Logistic
from algonets.sort import SortMethod

__all__ = ["CASES", "MethodCase", "having"]


@dataclass(frozen=True)
class MethodCase:
    """A method at any scale.

    Attributes:
        name: Shown by pytest.
        make: Build it from a scale, temperature or strength: the smaller, the harder.
        sharp: A scale at which items that differ by 1/4 or more are sorted exactly in float64.
        limit: Absolute error that remains at ``sharp``.
        gradients: Whether gradcheck holds at generic points: ``"twice"``, ``"once"``, or ``"straight-through"`` for
            methods whose derivative is that of another function on purpose.
        flat_ties: Whether equal items share ranks evenly in the limit.
        ordered: Whether monotone values come in order at any scale. In a soft network the smallest of three items can
            come out above the next by part of the softening: no comparator looks at both at the end.
    """

    name: str
    make: Callable[[float], SortMethod]
    sharp: float = 1e-3
    limit: float = 1e-9
    gradients: str = "twice"
    flat_ties: bool = True
    ordered: bool = True


def own_network(scale: float) -> SortMethod:
    """Insertion sort of up to 11 items, as a network of one's own."""
    pairs = [(low, low + 1) for last in range(1, 11) for low in reversed(range(last))]
    return sort.Comparators(pairs, Cauchy(scale))


def error_free(scale: float) -> SortMethod:
    return sort.ErrorFree(sort.OddEven(Cauchy(scale)))


CASES: tuple[MethodCase, ...] = (
    # Tied items meet a tree of even swaps, whose product is not uniform; Cauchy's tail leaves an error of scale / pi.
    MethodCase("OddEven", lambda s: sort.OddEven(Cauchy(s)), 1e-12, flat_ties=False, ordered=False),
    MethodCase("Bitonic", lambda s: sort.Bitonic(Cauchy(s)), 1e-12, flat_ties=False, ordered=False),
    MethodCase("Batcher", lambda s: sort.Batcher(Cauchy(s)), 1e-12, flat_ties=False, ordered=False),
    MethodCase("Batcher, logistic", lambda s: sort.Batcher(Logistic(s)), flat_ties=False, ordered=False),
    MethodCase("Comparators", own_network, 1e-12, flat_ties=False, ordered=False),
    MethodCase("ErrorFree", error_free, gradients="straight-through", flat_ties=False),
    MethodCase("NeuralSort", sort.NeuralSort),
    MethodCase("SoftSort", sort.SoftSort),
    MethodCase("SoftSort, p = 2", lambda s: sort.SoftSort(s, 2)),
    MethodCase("Projection, l2", lambda s: sort.Projection("l2", s)),
    MethodCase("Projection, kl", lambda s: sort.Projection("kl", s)),
    MethodCase("Projection, p = 4/3", lambda s: sort.Projection(4 / 3, s)),
    MethodCase("LapSum", sort.LapSum),
    MethodCase("Sinkhorn", sort.Sinkhorn, sharp=1e-5),
    MethodCase("DFTopK", sort.DFTopK),
    MethodCase("SparseTopK", sort.SparseTopK),
    MethodCase("SparseTopK, p = 4/3", lambda s: sort.SparseTopK(s, 4 / 3)),
)


def having(ability: str) -> list[MethodCase]:
    """The cases whose method has an ability."""
    return [case for case in CASES if ability in case.make(1.0).abilities]
