"""The 0/1 knapsack."""

from typing import Any, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.checks import check_at_least, check_finite
from algonets._core.errors import reject_type, require
from algonets._core.operator import view
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver

__all__ = ["Knapsack"]


@final
class Knapsack(GraphSolver):
    r"""Most valuable items that fit: 0/1 knapsack with whole weights, by dynamic programming.

    .. math:: y = \arg\max_{y \in \{0, 1\}^n} \langle v, y \rangle \quad \text{so that} \quad \langle w, y \rangle \le W

    Items that are worth nothing, or less, stay out.

    Args:
        weights: whole numbers ``(n,)``, at least 0.
        capacity: W, a whole number, at least 0.

    Call: ``solver(values)`` with values ``(*batch, n)`` returns 0/1 of that shape and dtype. Always feasible.

    Raises:
        TypeError: weights or a capacity that are no integers (scale decimals up); values that are no floating tensor.
        ValueError: negative weights or capacity; values that are not finite, or a wrong number of them.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(values).value`` is
        piecewise linear.
    Cost: O(n W) time an example, O(n W) bytes. Computed in float64.
    References: Bellman 1957, Dynamic Programming; Kellerer, Pferschy, Pisinger 2004, Knapsack Problems, chapter 2.

    Example:
        >>> Knapsack([2, 3, 4], capacity=5)(torch.tensor([3.0, 4.0, 6.5]))
        tensor([1., 1., 0.])
    """

    sense = "max"
    event_dims = 1
    _argument = "values"
    weights: Tensor

    def __init__(self, weights: Any, capacity: int):
        super().__init__()
        weights = torch.as_tensor(weights)
        if weights.dtype.is_floating_point or weights.dtype.is_complex or weights.dtype == torch.bool:
            reject_type("Knapsack(weights)", "must hold integers", weights, "Scale decimals up, capacity too.")
        require(weights.ndim == 1, "Knapsack(weights)", "must have shape (n,)", weights)
        require(not bool((weights < 0).any()), "Knapsack(weights)", "must not be negative", weights.tolist())
        self.capacity = check_at_least("Knapsack(capacity)", capacity, 0)
        self.register_buffer("weights", weights.to(torch.int64).contiguous(), persistent=False)

    def extra_repr(self) -> str:
        """Show the arguments."""
        few = self.weights.tolist() if len(self.weights) <= 10 else f"{len(self.weights)} items"
        return f"{few}, capacity={self.capacity}"

    def _check(self, call: str, theta: Tensor) -> None:
        n = len(self.weights)
        require(theta.shape[-1] == n, call, f"must have shape (*batch, {n})", theta)
        check_finite(call, theta)

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return _operator(theta, self.weights, self.capacity)


def _knapsack(values: Tensor, weights: Tensor, capacity: int) -> tuple[Tensor, Tensor]:
    """Choices for values ``(B, n)``."""
    feasible = torch.ones(len(values), dtype=torch.bool, device=values.device)
    # More room than all weights together is not needed.
    capacity = min(capacity, int(weights.sum()))
    if use_native("Knapsack(values)", values):
        values = values.contiguous()
        solution = torch.zeros_like(values)
        native().graph_knapsack(view(values), view(weights), capacity, view(solution), get_num_threads())
        return solution, feasible
    best = values.new_zeros(len(values), capacity + 1, dtype=torch.float64)
    taken = []
    for value, weight in zip(values.double().unbind(1), weights.tolist(), strict=True):
        take = torch.zeros_like(best, dtype=torch.bool)
        if weight <= capacity:
            old = best[:, weight:]
            with_it = best[:, : capacity + 1 - weight] + value[:, None]
            take[:, weight:] = (with_it > old) & (value[:, None] > 0)
            best = torch.cat([best[:, :weight], torch.where(take[:, weight:], with_it, old)], 1)
        taken.append(take)
    left = torch.full((len(values), 1), capacity, device=values.device)
    chosen = []
    for take, weight in zip(reversed(taken), reversed(weights.tolist()), strict=True):
        now = take.gather(1, left)
        left = left - weight * now
        chosen.append(now)
    solution = torch.cat(chosen[::-1], 1) if chosen else torch.zeros_like(values, dtype=torch.bool)
    return solution.to(values.dtype), feasible


_operator = SolverOperator("knapsack", _knapsack)
