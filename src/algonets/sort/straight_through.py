"""What the operations share: the exact result with the gradient of the soft one, and sorted values with weights."""

from typing import Any

from torch import Tensor

from algonets.sort.hard import Hard
from algonets.sort.layout import Rows
from algonets.sort.method import SortMethod
from algonets.sort.weighted import equal_shares

__all__ = ["sorted_values", "straight_through"]

_EXACT = Hard()


def straight_through(hard: bool, method: SortMethod, operation: Any) -> Tensor:
    """``operation(method)``; if ``hard``, the value of the exact method with that gradient."""
    soft = operation(method)
    if not hard:
        return soft
    return operation(method._exact or _EXACT).detach() + (soft - soft.detach())


def sorted_values(method: SortMethod, rows: Rows, descending: bool) -> Tensor:
    """Sorted values ``(B, n)``, by equal shares of the weights if there are some."""
    if rows.weights is None:
        return method.sort(rows.x, descending)
    values, weights = method.apply(rows.x, rows.weights.unsqueeze(-1), descending)
    return equal_shares(values, weights.squeeze(-1))
