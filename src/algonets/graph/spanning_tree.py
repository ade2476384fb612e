"""The cheapest spanning tree."""

import math
from typing import Any, Literal, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.errors import require
from algonets._core.operator import view
from algonets.graph._edges import check_edges
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver, refuse

__all__ = ["SpanningTree"]


@final
class SpanningTree(GraphSolver):
    r"""Cheapest edges that join all nodes, by Kruskal's algorithm.

    .. math:: y = \arg\min_{y \in \text{spanning trees}} \langle c, y \rangle

    Args:
        edges: integers ``(E, 2)``, without direction; several edges may join the same nodes.
        nodes: how many; by default one more than the largest in ``edges``.
        sense: ``"min"`` for costs, ``"max"`` for scores.

    Call: ``solver(costs)`` with costs ``(*batch, E)`` of any sign returns 0/1 of that shape and dtype. The worst
    infinity (+inf of costs, -inf of scores) closes an edge; an example whose open edges do not join all nodes is
    infeasible.

    Raises:
        TypeError: edges that are no integers; costs that are no floating tensor.
        ValueError: nodes that are not there; ``sense`` is neither; costs with NaN or the other infinity, or a wrong
            number of them.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(costs).value`` is
        piecewise linear.
    Cost: O(E log E). Of edges that cost the same those named first are taken.
    References: Kruskal 1956, On the Shortest Spanning Subtree of a Graph.

    Example:
        >>> SpanningTree([(0, 1), (1, 2), (0, 2)])(torch.tensor([3.0, 1.0, 2.0]))
        tensor([0., 1., 1.])
    """

    sense: Literal["min", "max"]
    event_dims = 1
    _argument = "costs"
    edges: Tensor

    def __init__(self, edges: Any, nodes: int | None = None, *, sense: Literal["min", "max"] = "min"):
        super().__init__()
        edges, self.nodes = check_edges("SpanningTree", edges, nodes)
        require(sense in ("min", "max"), "SpanningTree(sense)", "must be 'min' or 'max'", sense)
        self.sense = sense
        self.register_buffer("edges", edges, persistent=False)

    def extra_repr(self) -> str:
        """Show size and arguments."""
        return f"edges={len(self.edges)}, nodes={self.nodes}, sense={self.sense!r}"

    def _check(self, call: str, theta: Tensor) -> None:
        count = len(self.edges)
        require(theta.shape[-1] == count, call, f"must have shape (*batch, {count})", theta)
        if theta.numel():
            costs = theta.detach()
            if self.sense == "min":
                refuse(call, theta, ~(costs.amin() > -math.inf), "must be numbers or +inf (closed)", "NaN or -inf")
            else:
                refuse(call, theta, ~(costs.amax() < math.inf), "must be numbers or -inf (closed)", "NaN or +inf")

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return _operator(theta, self.edges, self.nodes, self.sense == "max")


def _spanning_tree(costs: Tensor, edges: Tensor, nodes: int, maximise: bool) -> tuple[Tensor, Tensor]:
    """Trees for costs ``(B, E)``."""
    if use_native("SpanningTree(costs)", costs):
        costs = costs.contiguous()
        solution, outcome = torch.zeros_like(costs), torch.zeros(len(costs), dtype=torch.uint8)
        results = (view(solution), view(outcome))
        native().graph_spanning_tree(view(costs), view(edges), nodes, *results, maximise, get_num_threads())
        return solution, outcome == 0
    order = (-costs if maximise else costs).sort(dim=1, stable=True).indices
    part = torch.arange(nodes, device=costs.device).repeat(len(costs), 1)
    chosen = torch.zeros(costs.shape, dtype=torch.bool, device=costs.device)
    for edge in order.unbind(1):  # the cheapest of each example, then the next
        ends = edges[edge]
        u, v = part.gather(1, ends).split(1, 1)
        joins = (u != v) & costs.gather(1, edge[:, None]).isfinite()
        part = torch.where(joins & (part == u), v, part)
        chosen = chosen.scatter(1, edge[:, None], joins)
    feasible = chosen.sum(1) == nodes - 1
    return (chosen & feasible[:, None]).to(costs.dtype), feasible


_operator = SolverOperator("spanning_tree", _spanning_tree)
