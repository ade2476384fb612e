"""The largest flow through a network, and the cheapest cut that bounds it."""

import math
from collections import deque
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.errors import require
from algonets._core.operator import view
from algonets.graph._edges import check_edges, check_node
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver, Solved, refuse

__all__ = ["MaxFlow", "MinCut"]


class _FlowSolver(GraphSolver):
    event_dims = 1
    _argument: ClassVar[str] = "capacities"
    edges: Tensor

    def __init__(
        self,
        edges: Any,
        nodes: int | None = None,
        *,
        source: int = 0,
        target: int = -1,
        directed: bool = True,
        negative: Literal["raise", "clamp"] = "raise",
    ):
        super().__init__()
        name = type(self).__name__
        edges, self.nodes = check_edges(name, edges, nodes)
        self.source = check_node(f"{name}(source)", source, self.nodes)
        self.target = check_node(f"{name}(target)", target, self.nodes)
        require(self.source != self.target, f"{name}(target)", "must not be the source", target)
        require(negative in ("raise", "clamp"), f"{name}(negative)", "must be 'raise' or 'clamp'", negative)
        self.directed, self.negative = bool(directed), negative
        self.register_buffer("edges", edges, persistent=False)

    def extra_repr(self) -> str:
        """Show size and arguments."""
        return (
            f"edges={len(self.edges)}, nodes={self.nodes}, source={self.source}, target={self.target}, "
            f"directed={self.directed}, negative={self.negative!r}"
        )

    def _check(self, call: str, theta: Tensor) -> None:
        count = len(self.edges)
        require(theta.shape[-1] == count, call, f"must have shape (*batch, {count})", theta)
        if theta.numel():
            low, high = theta.detach().aminmax()
            refuse(call, theta, ~((low > -math.inf) & (high < math.inf)), "must be finite", "NaN or inf")
            if self.negative == "raise":
                remedy = f"Use softplus, or {type(self).__name__}(negative='clamp')."
                refuse(call, theta, low < 0, "must not be negative", "a negative capacity", remedy)

    def _arguments(self, theta: Tensor) -> tuple:
        theta = theta.clamp_min(0) if self.negative == "clamp" else theta
        return theta, self.edges, self.nodes, self.source, self.target, self.directed


@final
class MinCut(_FlowSolver):
    r"""Cheapest edges whose removal parts source and target.

    .. math:: y = \arg\min_{y \in \text{cuts}} \langle c, y \rangle

    By Dinic's algorithm for the largest flow; of several cheapest cuts that with the smallest part of the source.

    Args:
        edges: integers ``(E, 2)``, tail and head; several edges may join the same nodes.
        nodes: how many; by default one more than the largest in ``edges``.
        source, target: nodes, negative ones counted from the end.
        directed: whether edges are one-way; then only those from the source's part to the target's are cut.
        negative: ``"raise"``: negative capacities are refused; ``"clamp"``: they count as 0.

    Call: ``solver(capacities)`` with ``(*batch, E)`` returns 0/1 of that shape and dtype. Always feasible.

    Raises:
        TypeError: edges or nodes that are no integers; capacities that are no floating tensor.
        ValueError: nodes that are not there; source and target are the same; capacities that are not finite, a wrong
            number of them, or negative ones where they are refused.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(capacities).value``,
        which is the largest flow, is piecewise linear.
    Cost: O(V^2 E) at worst, usually far less; in plain torch one example after the other, in Python.
    References: Dinic 1970, Algorithm for Solution of a Problem of Maximum Flow in Networks; Ford, Fulkerson 1956.

    Example:
        >>> MinCut([(0, 1), (0, 2), (1, 3), (2, 3)])(torch.tensor([1.0, 5.0, 3.0, 2.0]))
        tensor([1., 0., 0., 1.])
    """

    sense = "min"

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return _cuts(*self._arguments(theta))


@final
class MaxFlow(_FlowSolver):
    r"""Largest flow from source to target: what each edge carries.

    .. math:: \max \text{ flow out of the source}, \quad 0 \le f \le c, \quad \text{conserved at all other nodes}

    Args: as :class:`MinCut`.

    Call: ``solver(capacities)`` returns the flow, ``(*batch, E)``; along an edge without direction it is negative where
    it goes from second to first node. One of the largest flows, where several are. ``solve(capacities).value`` is how
    much flows; its gradient is the cheapest cut.

    Raises: as :class:`MinCut`.

    Differentiability: the flow none (it is not the gradient of its value: ``MinCut`` is); the value piecewise linear.
    Cost: as :class:`MinCut`.
    References: Dinic 1970, Algorithm for Solution of a Problem of Maximum Flow in Networks.

    Example:
        >>> solver = MaxFlow([(0, 1), (0, 2), (1, 3), (2, 3)])
        >>> solver(torch.tensor([1.0, 5.0, 3.0, 2.0])), solver.solve(torch.tensor([1.0, 5.0, 3.0, 2.0])).value
        (tensor([1., 2., 1., 2.]), tensor(3.))
    """

    sense = "max"

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return _flows(*self._arguments(theta))

    def solve(self, theta: Tensor, **instance: Any) -> Solved:
        """Return the flow, how much it is in all, and that it is feasible."""
        flow, feasible = self._run(theta, **instance)
        cut, _ = self._run(theta, lambda flat: _cuts(*self._arguments(flat)))
        theta = theta.clamp_min(0) if self.negative == "clamp" else theta
        return Solved(flow, (cut * theta).sum(-1), feasible)


def _compute(
    capacities: Tensor, edges: Tensor, nodes: int, source: int, target: int, directed: bool
) -> tuple[Tensor, Tensor]:
    """Flow and cut for ``(B, E)``."""
    capacities = capacities.contiguous()
    flow, cut = torch.zeros_like(capacities), torch.zeros_like(capacities)
    if use_native(f"MinCut({_FlowSolver._argument})", capacities):
        results = (view(flow), view(cut))
        where = (nodes, source, target, directed)
        native().graph_max_flow(view(capacities), view(edges), *where, *results, get_num_threads())
        return flow, cut
    ends = edges.tolist()
    for b, capacity in enumerate(capacities.double().tolist()):
        carried, parted = _augment(capacity, ends, nodes, source, target, directed)
        flow[b], cut[b] = flow.new_tensor(carried), cut.new_tensor(parted)
    return flow, cut


def _augment(
    capacity: list[float], ends: list[list[int]], nodes: int, source: int, target: int, directed: bool
) -> tuple[list[float], list[float]]:
    """Edmonds and Karp 1972: along shortest augmenting paths. Arc 2 e leads along edge e, arc 2 e + 1 back."""
    arcs: list[list[int]] = [[] for _ in range(nodes)]
    room: list[float] = []
    for e, (u, v) in enumerate(ends):
        arcs[u].append(2 * e)
        arcs[v].append(2 * e + 1)
        room += [capacity[e], 0.0 if directed else capacity[e]]
    tiny = 1e-13 * max(capacity, default=0.0)
    while True:
        into: dict[int, int] = {source: -1}
        queue = deque([source])
        while queue:
            u = queue.popleft()
            for arc in arcs[u]:
                v = ends[arc >> 1][1 - (arc & 1)]
                if v not in into and room[arc] > tiny:
                    into[v] = arc
                    queue.append(v)
        if target not in into:
            break
        path, at = [], target
        while at != source:
            path.append(into[at])
            at = ends[into[at] >> 1][into[at] & 1]
        amount = min(room[arc] for arc in path)
        for arc in path:
            room[arc] -= amount
            room[arc ^ 1] += amount
    sides = [(u in into, v in into) for u, v in ends]
    cut = [float(out and not within if directed else out != within) for out, within in sides]
    return [c - room[2 * e] for e, c in enumerate(capacity)], cut


def _max_flow(
    capacities: Tensor, edges: Tensor, nodes: int, source: int, target: int, directed: bool
) -> tuple[Tensor, Tensor]:
    flow, _ = _compute(capacities, edges, nodes, source, target, directed)
    return flow, torch.ones(len(flow), dtype=torch.bool, device=flow.device)


def _min_cut(
    capacities: Tensor, edges: Tensor, nodes: int, source: int, target: int, directed: bool
) -> tuple[Tensor, Tensor]:
    _, cut = _compute(capacities, edges, nodes, source, target, directed)
    return cut, torch.ones(len(cut), dtype=torch.bool, device=cut.device)


_flows = SolverOperator("max_flow", _max_flow)
_cuts = SolverOperator("min_cut", _min_cut)
