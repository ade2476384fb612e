"""The shortest round trip."""

from typing import Literal, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.checks import check_at_least, check_finite
from algonets._core.errors import require
from algonets._core.operator import view
from algonets.graph._operator import SolverOperator
from algonets.graph._tours import held_karp, local_search
from algonets.graph.solver import GraphSolver

__all__ = ["TravellingSalesman"]

_EXACT = 13  # nodes: 2^12 sets
_MOST = 20


@final
class TravellingSalesman(GraphSolver):
    r"""Cheapest round trip through all nodes.

    .. math:: y = \arg\min_{y \in \text{tours}} \langle c, y \rangle

    Exactly by the dynamic program of Held and Karp where there are few nodes. Beyond, by local search from eight tours
    of nearest neighbours: 2-opt (where costs are symmetric) and Or-opt until nothing helps; good tours, no proof.

    Args:
        nodes: how many, at least 3.
        layout: ``"edges"``: costs of the pairs (0, 1), (0, 2), ..., (1, 2), ..., ``(*batch, nodes (nodes - 1) / 2)``,
            the same in both directions. ``"matrix"``: costs from row to column, ``(*batch, nodes, nodes)``; the
            diagonal does not matter, and the solution is the tour in one direction.
        exact: whether to use Held and Karp, for up to 20 nodes; by default up to 13.

    Call: ``solver(costs)`` returns 0/1 in the shape and dtype of the costs. Always feasible.

    Raises:
        TypeError: a number of nodes that is no integer; costs that are no floating tensor.
        ValueError: fewer than 3 nodes; more than 20 with ``exact``; an unknown layout; costs that are not finite, or of
            a wrong shape.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(costs).value`` is
        piecewise linear where the search is exact.
    Cost: O(2^n n^2) time and O(2^n n) memory exactly; some O(n^3) by local search. In plain torch local search runs one
        example after the other, in Python.
    References: Held, Karp 1962, A Dynamic Programming Approach to Sequencing Problems; Croes 1958; Or 1976.

    Example:
        >>> TravellingSalesman(4)(torch.tensor([1.0, 9.0, 1.0, 1.0, 9.0, 1.0]))
        tensor([1., 0., 1., 1., 0., 1.])
    """

    sense = "min"
    event_dims: int  # pyright: ignore[reportIncompatibleVariableOverride]
    _argument = "costs"
    pairs: Tensor

    def __init__(self, nodes: int, *, layout: Literal["edges", "matrix"] = "edges", exact: bool | None = None):
        super().__init__()
        self.nodes = check_at_least("TravellingSalesman(nodes)", nodes, 3)
        known = ("edges", "matrix")
        require(layout in known, "TravellingSalesman(layout)", "must be 'edges' or 'matrix'", layout)
        self.layout, self.exact = layout, nodes <= _EXACT if exact is None else bool(exact)
        possible = not self.exact or nodes <= _MOST
        require(possible, "TravellingSalesman(exact)", f"must be False beyond {_MOST} nodes", exact)
        self.event_dims = 1 if layout == "edges" else 2
        self.register_buffer("pairs", torch.triu_indices(nodes, nodes, 1), persistent=False)

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"{self.nodes}, layout={self.layout!r}, exact={self.exact}"

    def _check(self, call: str, theta: Tensor) -> None:
        n = self.nodes
        shape = (n * (n - 1) // 2,) if self.layout == "edges" else (n, n)
        good = tuple(theta.shape[theta.ndim - len(shape) :]) == shape
        require(good, call, f"must have shape (*batch, {', '.join(map(str, shape))})", theta)
        check_finite(call, theta)

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        if self.layout == "matrix":
            return _operator(theta, self.exact)
        i, j = self.pairs
        matrix = theta.new_zeros(len(theta), self.nodes, self.nodes)
        matrix = matrix.index_put((torch.arange(len(theta), device=theta.device)[:, None], i, j), theta)
        tour, feasible = _operator(matrix + matrix.mT, self.exact)
        return (tour + tour.mT)[:, i, j], feasible


def _tour(costs: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
    """Tours for ``(B, n, n)``."""
    feasible = torch.ones(len(costs), dtype=torch.bool, device=costs.device)
    nodes = costs.shape[1]
    off = ~torch.eye(nodes, dtype=torch.bool, device=costs.device)
    costs = torch.where(off, costs, 0.0)
    symmetric = bool((costs == costs.mT).all())
    if use_native("TravellingSalesman(costs)", costs):
        costs = costs.contiguous()
        solution = torch.zeros_like(costs)
        native().graph_tour(view(costs), view(solution), exact, symmetric, get_num_threads())
        return solution, feasible
    if exact:
        order = held_karp(costs.double())
    else:
        orders = [local_search(one, symmetric) for one in costs.double().tolist()]
        order = torch.tensor(orders, dtype=torch.int64, device=costs.device).reshape(len(costs), nodes)
    solution = torch.zeros_like(costs).flatten(1)
    return solution.scatter(1, order * nodes + order.roll(-1, 1), 1.0).reshape(costs.shape), feasible


_operator = SolverOperator("tour", _tour)
