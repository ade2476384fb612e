"""The cheapest path in any graph."""

import math
from typing import Any, Literal, Self, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.checks import check_at_least
from algonets._core.errors import reject, require
from algonets._core.operator import view
from algonets.graph._bellman_ford import cheapest_arcs
from algonets.graph._edges import arcs_of, check_edges, check_node, topological_order
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver, ends_of, least, refuse

__all__ = ["ShortestPath"]

_NEGATIVE = ("raise", "clamp", "bellman-ford")


@final
class ShortestPath(GraphSolver):
    r"""Cheapest path from a source to a target of a graph, whose edges cost.

    .. math:: y = \arg\min_{y \in \text{paths}} \sum_e c_e y_e

    In a graph without cycles costs may have any sign: nodes are taken in topological order. Else Dijkstra's algorithm
    runs, and ``negative`` says what negative costs do.

    Args:
        edges: integers ``(E, 2)``, tail and head of each edge; several edges may join the same nodes.
        nodes: how many; by default one more than the largest in ``edges``.
        source, target: nodes, negative ones counted from the end.
        directed: whether edges are one-way.
        negative: in a graph with cycles, ``"raise"``: negative costs are refused. ``"clamp"``: they count as 0.
            ``"bellman-ford"``: paths may gain from them; an example with a cycle in reach whose costs add up to less
            than 0 is infeasible (a single negative edge is one in an undirected graph).

    Call: ``solver(costs)`` with costs ``(*batch, E)``, +inf for closed edges, returns 0/1 of that shape and dtype.
    ``solver(costs, source=..., target=...)`` takes other nodes, int64 of the batch shape.

    Raises:
        TypeError: edges or nodes that are no integers; costs that are no floating tensor.
        ValueError: nodes that are not there; a path of no choice (``source == target``); costs with NaN or -inf, a
            wrong number of them, or negative ones where they are refused.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(costs).value`` is
        piecewise linear.
    Cost: O(E + V) without cycles, O(E log V) by Dijkstra, O(E * arcs of the path) by Bellman and Ford and in plain
        torch. Ties are broken in some fixed way.
    References: Dijkstra 1959, A Note on Two Problems in Connexion with Graphs; Bellman 1958, On a Routing Problem.

    Example:
        >>> ShortestPath([(0, 1), (1, 2), (0, 2)])(torch.tensor([1.0, 1.0, 3.0]))
        tensor([1., 1., 0.])
    """

    sense = "min"
    event_dims = 1
    _argument = "costs"
    edges: Tensor
    _first: Tensor
    _tail: Tensor
    _head: Tensor
    _edge: Tensor
    _order: Tensor | None
    _ends: Tensor

    def __init__(
        self,
        edges: Any,
        nodes: int | None = None,
        *,
        source: int = 0,
        target: int = -1,
        directed: bool = True,
        negative: Literal["raise", "clamp", "bellman-ford"] = "raise",
    ):
        super().__init__()
        edges, self.nodes = check_edges("ShortestPath", edges, nodes)
        self.source = check_node("ShortestPath(source)", source, self.nodes)
        self.target = check_node("ShortestPath(target)", target, self.nodes)
        require(negative in _NEGATIVE, "ShortestPath(negative)", f"must be one of {', '.join(_NEGATIVE)}", negative)
        self.directed, self.negative = bool(directed), negative
        arcs = arcs_of(edges, self.nodes, self.directed)
        order = topological_order(arcs)
        self.register_buffer("edges", edges, persistent=False)
        ends = torch.tensor([[self.source, self.target]])
        for name, value in (*arcs._asdict().items(), ("order", order), ("ends", ends)):
            self.register_buffer(f"_{name}", value, persistent=False)

    @classmethod
    def grid(cls, height: int, width: int) -> Self:
        """Return the solver of a grid with edges to the right and down, from corner to corner.

        Nodes are numbered row by row; of each row first the edges to the right, then those down, as PyEPO does.

        Args:
            height, width: nodes, at least 1 each and 2 together.

        Example:
            >>> ShortestPath.grid(2, 2).edges.tolist()
            [[0, 1], [0, 2], [1, 3], [2, 3]]
        """
        height = check_at_least("ShortestPath.grid(height)", height, 1)
        width = check_at_least("ShortestPath.grid(width)", width, 1)
        require(height * width > 1, "ShortestPath.grid(...)", "must have two nodes", (height, width))
        edges = []
        for y in range(height):
            edges += [(y * width + x, y * width + x + 1) for x in range(width - 1)]
            edges += [(y * width + x, y * width + x + width) for x in range(width) if y + 1 < height]
        return cls(edges)

    @property
    def acyclic(self) -> bool:
        """Whether the graph has no cycle, so that costs of any sign are right."""
        return self._order is not None

    def extra_repr(self) -> str:
        """Show size and arguments."""
        return (
            f"edges={len(self.edges)}, nodes={self.nodes}, source={self.source}, target={self.target}, "
            f"directed={self.directed}, negative={self.negative!r}"
        )

    def _check(self, call: str, theta: Tensor) -> None:
        count = len(self.edges)
        require(theta.shape[-1] == count, call, f"must have shape (*batch, {count})", theta)
        low = least(theta)
        if low is None:
            return
        if not low > -math.inf:
            reject(call, "must be numbers or +inf (closed)", "NaN or -inf")
        if low < 0 and self.negative == "raise" and not self.acyclic:
            remedy = "Keep costs positive (softplus), or use ShortestPath(negative='clamp') or 'bellman-ford'."
            reject(call, "must not be negative in a graph with cycles", "a negative cost", remedy)

    def _solve(self, theta: Tensor, source: Any = None, target: Any = None) -> tuple[Tensor, Tensor]:
        if self.negative == "clamp" and not self.acyclic:
            theta = theta.clamp_min(0)
        arcs = (self._first, self._tail, self._head, self._edge, self._order)
        return _operator(theta, self._ends_of(theta, source, target), *arcs, self.negative == "bellman-ford")

    def _ends_of(self, theta: Tensor, source: Any, target: Any) -> Tensor:
        """Source and target of each example, int64 ``(B, 2)``."""
        if source is None and target is None:
            return self._ends.expand(len(theta), 2)
        ends = []
        for name, given in (("source", source), ("target", target)):
            node = getattr(self, name) if given is None else given
            node = torch.as_tensor(node, device=theta.device)
            node = ends_of("ShortestPath", name, node.reshape(-1) if node.ndim else node, (len(theta),), theta)
            wrong = ((node < 0) | (node >= self.nodes)).any()
            refuse(f"ShortestPath({name})", node, wrong, f"must be a node, from 0 to {self.nodes - 1}", "another")
            ends.append(node)
        return torch.stack(ends, -1)


def _shortest_path(
    costs: Tensor,
    ends: Tensor,
    first: Tensor,
    tail: Tensor,
    head: Tensor,
    edge: Tensor,
    order: Tensor | None,
    bellman_ford: bool,
) -> tuple[Tensor, Tensor]:
    """Paths for costs ``(B, E)``."""
    if use_native("ShortestPath(costs)", costs):
        costs = costs.contiguous()
        solution, outcome = torch.zeros_like(costs), torch.empty(len(costs), dtype=torch.uint8)
        arguments = (costs, ends.contiguous(), first, head, edge)
        ordered = None if order is None else view(order)
        results = (view(solution), view(outcome))
        native().graph_shortest_path(*map(view, arguments), ordered, *results, bellman_ford, get_num_threads())
        return solution, outcome == 0
    nodes = len(first) - 1
    source, target = ends.unbind(1)
    arcs, feasible = cheapest_arcs(costs.double()[:, edge], tail, head, nodes, source, target)
    chosen = torch.zeros(costs.shape, dtype=torch.float64, device=costs.device)
    chosen = chosen.scatter_reduce(1, edge.expand_as(arcs), arcs.to(chosen.dtype), "amax")
    return chosen.to(costs.dtype), feasible


_operator = SolverOperator("shortest_path", _shortest_path, batched=2)
