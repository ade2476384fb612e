"""The methods that are compared, by name, with the steepness that each is used at."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from algonets import distributions, sort
from algonets.sort import SortMethod

__all__ = ["METHODS", "Baseline", "Entry", "MethodName", "build_method"]

Baseline = Literal["pairwise", "regression"]
MethodName = Literal[
    "pairwise",
    "regression",
    "neural-sort",
    "soft-sort",
    "sinkhorn",
    "fast-sort",
    "logistic",
    "logistic-art",
    "cauchy",
    "reciprocal",
    "optimal",
    "lap-sum",
]


class Entry(NamedTuple):
    """How to build a method from its scale, the default of the scale, and its name in tables and pictures."""

    build: Callable[[float], SortMethod | Baseline]
    scale: float
    title: str


# The scales were chosen on validation images of the embedded digits, with n = 5 and 1,000 steps; see
# docs/results/sort_digits.md.
METHODS: dict[MethodName, Entry] = {
    "pairwise": Entry(lambda _: "pairwise", 1.0, "no sorting: pairs"),
    "regression": Entry(lambda _: "regression", 1.0, "no sorting: ranks as targets"),
    "neural-sort": Entry(sort.NeuralSort, 0.3, "NeuralSort"),
    "soft-sort": Entry(sort.SoftSort, 0.1, "SoftSort"),
    "sinkhorn": Entry(sort.Sinkhorn, 0.1, "Sinkhorn"),
    "fast-sort": Entry(lambda s: sort.Projection(strength=s), 0.1, "FastSort (ranks)"),
    "logistic": Entry(lambda s: sort.OddEven(distributions.Logistic(s)), 0.3, "network, logistic"),
    "logistic-art": Entry(lambda s: sort.OddEven(sort.LogisticART(s)), 0.1, "network, logistic ART"),
    "cauchy": Entry(lambda s: sort.OddEven(distributions.Cauchy(s)), 0.1, "network, Cauchy"),
    "reciprocal": Entry(lambda s: sort.OddEven(distributions.Reciprocal(s)), 0.3, "network, reciprocal"),
    "optimal": Entry(lambda s: sort.OddEven(distributions.Optimal(s)), 0.3, "network, optimal"),
    "lap-sum": Entry(sort.LapSum, 0.1, "LapSum"),
}
"""Name -> entry, in the order of the tables. Networks are odd-even networks; ``scale`` is the inverse steepness."""


def build_method(name: MethodName, scale: float | None = None) -> SortMethod | Baseline:
    """Build a method of the table, at its own scale unless another is given."""
    entry = METHODS[name]
    return entry.build(entry.scale if scale is None else scale)


if set(METHODS) != set(get_args(MethodName)):
    raise RuntimeError("METHODS must have exactly the names of MethodName.")
