"""Every method by name, and the check that a method has what an operation needs."""

from typing import Any

from algonets._core.errors import reject_type
from algonets.sort.batcher import Batcher
from algonets.sort.bitonic import Bitonic
from algonets.sort.comparators import Comparators
from algonets.sort.df_topk import DFTopK
from algonets.sort.error_free import ErrorFree
from algonets.sort.hard import Hard
from algonets.sort.lap_sum import LapSum
from algonets.sort.method import OPERATIONS, SortMethod
from algonets.sort.neural_sort import NeuralSort
from algonets.sort.odd_even import OddEven
from algonets.sort.projection import Projection
from algonets.sort.softsort import SoftSort
from algonets.sort.sparse_topk import SparseTopK
from algonets.sort.transport import Sinkhorn

__all__ = ["METHODS", "check_method"]

METHODS: tuple[type[SortMethod], ...] = (
    Hard,
    OddEven,
    Bitonic,
    Batcher,
    Comparators,
    ErrorFree,
    NeuralSort,
    SoftSort,
    Projection,
    LapSum,
    Sinkhorn,
    DFTopK,
    SparseTopK,
)
"""All methods, in the order of the docs table."""


def check_method(operation: str, method: Any) -> None:
    """Require a method that has the operation; else say which have."""
    if isinstance(method, SortMethod) and OPERATIONS[operation] in method.abilities:
        return
    having = [m.__name__ for m in METHODS if OPERATIONS[operation] in m.abilities]
    if isinstance(method, type) and issubclass(method, SortMethod):
        name = method.__name__
        raise TypeError(f"{operation}(method) must be a method, got the class {name}. Pass an instance, e.g. {name}().")
    if not isinstance(method, SortMethod):
        remedy = f"For example {', '.join(f'{name}()' for name in having[1:4])}."
        reject_type(f"{operation}(method)", "must be a SortMethod", method, remedy)
    method.require(operation, f"These have it: {', '.join(having)}.")
