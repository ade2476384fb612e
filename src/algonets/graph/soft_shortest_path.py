"""All paths at once: soft shortest paths in any semiring, with exact marginals."""

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.backend import use_native
from algonets._core.checks import as_scale, check_at_least, check_floating, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch
from algonets.graph._bellman_ford import grid_arcs
from algonets.graph._edges import Arcs
from algonets.graph._soft_native import Walks, attach_marginals, cells_of, soft_paths
from algonets.graph.grid_path import GridPath
from algonets.graph.shortest_path import ShortestPath
from algonets.semirings import Log, Semiring

__all__ = ["SoftShortestPath"]


@final
class SoftShortestPath(nn.Module):
    r"""Smooth twin of a shortest path: the Gibbs distribution over all paths, summed by a dynamic program.

    .. math:: V(c) = -\tau \log \sum_{y} e^{-\langle c, y \rangle / \tau}, \qquad
              \nabla V(c) = \mathbb{E}[y], \quad y \sim e^{-\langle c, y \rangle / \tau}

    On a graph without cycles the sum runs over all paths, node after node. Elsewhere, grids among them, it runs over
    walks that end when they reach the goal for the first time, of at most ``steps`` steps: ``steps`` rounds of a soft
    Bellman-Ford, the *unroll* way. Walks may pass a cell more than once, and there are many long ones: keep the
    temperature well below the cost of a step over ``log(neighbours)``, or they win.

    Args:
        hard: the solver that says which paths there are: :class:`ShortestPath` or :class:`GridPath`, from its
            constructor's source to its target.
        temperature: positive, in the unit of the costs; a number or a scalar tensor. Towards 0 it becomes ``hard``.
        steps: most steps of a walk; by default three times the longer side of a grid, or the number of nodes.

    Call: ``layer(costs)`` with costs as of ``hard``, of any sign, +inf for what is closed, returns the expected
    solution, the probability of each cell or edge (expected visits where walks return).

    Raises:
        TypeError: ``hard`` is another solver; a temperature or costs of the wrong type.
        ValueError: a temperature or number of steps that is not positive; costs with NaN or -inf, or a wrong shape.

    Differentiability: any order: the first by the native kernel's marginals, further ones by autograd through the
        rounds in plain torch; where no path is open the value is +inf, the solution 0, gradients 0.
    Cost: O(E) for a graph without cycles, O(steps E) elsewhere. The native kernel takes costs that are not negative (of
        any sign without cycles) and O(steps V) memory an example; in plain torch autograd keeps all rounds.
    References: Mensch, Blondel 2018, Differentiable Dynamic Programming for Structured Prediction and Attention,
        proposition 3; Saerens et al. 2009, Randomized Shortest-Path Problems.

    Example:
        >>> layer = SoftShortestPath(ShortestPath([(0, 1), (1, 2), (0, 2)]), temperature=0.5)
        >>> layer(torch.tensor([1.0, 1.0, 2.0]))  # two ways that cost the same
        tensor([0.5000, 0.5000, 0.5000])
        >>> layer.value(torch.tensor([1.0, 1.0, 2.0]))  # 2 - 0.5 log 2
        tensor(1.6534)
    """

    sense = "min"

    def __init__(self, hard: GridPath | ShortestPath, temperature: float | Tensor = 1.0, *, steps: int | None = None):
        super().__init__()
        if not isinstance(hard, (GridPath, ShortestPath)):
            reject_type("SoftShortestPath(hard)", "must be a GridPath or a ShortestPath", hard)
        self.hard, self.temperature = hard, as_scale("SoftShortestPath(temperature)", temperature)
        self.event_dims = hard.event_dims
        self.steps = None if steps is None else check_at_least("SoftShortestPath(steps)", steps, 1)
        if isinstance(hard, ShortestPath) and hard.acyclic:
            require(steps is None, "SoftShortestPath(steps)", "must be None for a graph without cycles", steps)

    def __repr__(self) -> str:
        return f"SoftShortestPath({self.hard!r}, temperature={self.temperature!r}, steps={self.steps})"

    def forward(self, costs: Tensor) -> Tensor:
        """Return the expected solution, in the shape of ``costs``."""
        self._check(costs)
        if not (costs.requires_grad and torch.is_grad_enabled()):
            found = self._swift(costs)
            if found is not None:
                return found[1]
        return self._marginals(costs)

    def value(self, costs: Tensor) -> Tensor:
        """Return the soft least cost ``V``, ``(*batch,)``; +inf where there is no path."""
        self._check(costs)
        found = self._swift(costs)
        if found is None:
            return self._value(costs)
        if costs.requires_grad and torch.is_grad_enabled():
            return attach_marginals(costs, *found, self._marginals)
        return found[0]

    def _value(self, costs: Tensor) -> Tensor:
        scores = torch.where(costs == math.inf, -math.inf, -costs / self.temperature)
        value = -self.temperature * self.reduce(scores, Log())
        # A goal out of reach would still count its own cell: a constant has no gradient.
        return torch.where(value == math.inf, math.inf, value)

    def _marginals(self, costs: Tensor) -> Tensor:
        return torch.func.grad(lambda c: self._value(c).sum())(costs)

    def _swift(self, costs: Tensor) -> tuple[Tensor, Tensor] | None:
        """Value and marginals by the native kernel, or None where it does not serve."""
        learnt = isinstance(self.temperature, Tensor) and self.temperature.requires_grad
        if learnt or not costs.numel() or not values_visible(costs):
            return None
        if not use_native("SoftShortestPath(costs)", costs):
            return None
        hard, dims = self.hard, self.event_dims
        acyclic = isinstance(hard, ShortestPath) and hard.acyclic
        if not acyclic and not costs.detach().amin() >= 0:
            return None
        batch, event = costs.shape[: costs.ndim - dims], costs.shape[costs.ndim - dims :]
        flat = flatten_batch(costs.detach(), dims).flatten(1)
        found = soft_paths(flat, self._walks(event), float(self.temperature))
        if found is None:
            return None
        value, expected = found
        if isinstance(hard, GridPath):  # the first cell counts as well; it is on every walk
            start = hard._own_ends(*event)[0]
            value = value + flat[:, start]
            found_one = value < math.inf
            expected[:, start] += found_one.to(expected.dtype)
            expected.mul_(found_one[:, None])
        return value.reshape(batch), expected.reshape(costs.shape)

    def _walks(self, event: torch.Size) -> Walks:
        hard: Any = self.hard
        if isinstance(hard, GridPath):
            first, head = cells_of(*event, hard.neighbours)
            steps = self.steps if self.steps is not None else 3 * max(event)
            start, goal = hard._own_ends(*event)
            return Walks(first, head, head, None, start, goal, steps)
        steps = self.steps if self.steps is not None else hard.nodes
        return Walks(hard._first, hard._head, hard._edge, hard._order, hard.source, hard.target, steps)

    def reduce(self, scores: Tensor, semiring: Semiring) -> Tensor:
        r"""Sum over all paths in a semiring: :math:`\bigoplus_y \bigotimes_{e \in y} s_e`.

        Args:
            scores: as costs; what they mean is the semiring's choice (-inf forbids), the temperature does not enter.
            semiring: for example ``MaxPlus()``, ``Counting()``, ``KMax(3)``, ``Entropy()``.

        Returns:
            ``(*batch,)``, or what ``semiring.lower`` makes of it.
        """
        check_floating("SoftShortestPath.reduce(scores)", scores)
        self._check_shape("SoftShortestPath.reduce(scores)", scores)
        if isinstance(self.hard, GridPath):
            batch, flat = scores.shape[:-2], flatten_batch(scores, 2).flatten(1)
            total = self._walk_cells(flat, scores.shape[-2], scores.shape[-1], semiring)
        else:
            batch, flat = scores.shape[:-1], flatten_batch(scores, 1)
            total = self._paths(flat, semiring) if self.hard.acyclic else self._walk_edges(flat, semiring)
        result = semiring.lower(total)
        return result.reshape(batch + result.shape[1:])

    def _check(self, costs: Tensor) -> None:
        call = "SoftShortestPath(costs)"
        check_floating(call, costs)
        self._check_shape(call, costs)
        if costs.numel() and values_visible(costs) and not bool(costs.detach().amin() > -math.inf):
            reject(call, "must be numbers or +inf (closed)", "NaN or -inf")

    def _check_shape(self, call: str, costs: Tensor) -> None:
        if isinstance(self.hard, GridPath):
            good = costs.ndim >= 2 and costs.shape[-1] > 0 and costs.shape[-2] > 0
            require(good, call, "must have shape (*batch, height, width), at least one cell", costs)
        else:
            edges = len(self.hard.edges)
            require(costs.ndim >= 1 and costs.shape[-1] == edges, call, f"must have shape (*batch, {edges})", costs)

    # Below the batch comes second: nodes first, so that a neighbour is a row.

    def _walk_cells(self, scores: Tensor, height: int, width: int, semiring: Semiring) -> Tensor:
        cells = height * width
        hard: Any = self.hard
        ends = hard._own_ends(height, width)
        tails, heads = grid_arcs(height, width, hard.neighbours)
        table = _table(tails, heads, cells, *ends, device=scores.device)
        steps = self.steps if self.steps is not None else 3 * max(height, width)
        own = semiring.lift(scores.transpose(0, 1))
        reached = semiring.full(semiring.zero, own.shape[:2], own)
        for _ in range(steps + 1):
            into = _rows(reached, table, semiring)
            reached = semiring.times(semiring.plus(into, 1), own)
        return reached[ends[1]]

    def _walk_edges(self, scores: Tensor, semiring: Semiring) -> Tensor:
        hard: Any = self.hard
        arcs = Arcs(hard._first, hard._tail, hard._head, hard._edge)
        source, target, nodes = hard.source, hard.target, hard.nodes
        into, kept = _arcs_into(arcs, nodes, barred=target)
        own = semiring.lift(scores.transpose(0, 1))[arcs.edge]
        own = torch.cat([own, semiring.full(semiring.zero, own.shape[1:2], own).unsqueeze(0)])
        own = own[into]  # (nodes, degree, batch)
        table = torch.where(kept, arcs.tail[into.clamp_max(len(arcs.tail) - 1)], nodes)
        one = semiring.full(semiring.one, (1, scores.shape[0]), own)
        at_source = torch.full((nodes, 1), nodes, device=scores.device)
        at_source[source] = nodes + 1
        reached = semiring.full(semiring.zero, (nodes, scores.shape[0]), own)
        for _ in range((self.steps if self.steps is not None else nodes) + 1):
            walked = semiring.times(_rows(reached, table, semiring, one), own)
            start = _rows(reached, at_source, semiring, one)
            reached = semiring.plus(torch.cat([walked, start], 1), 1)
        return reached[target] if source != target else one[0]

    def _paths(self, scores: Tensor, semiring: Semiring) -> Tensor:
        hard: Any = self.hard
        own = semiring.lift(scores.transpose(0, 1))
        dead = semiring.full(semiring.zero, (1, scores.shape[0]), own)
        own = torch.cat([own, dead])
        value = torch.cat([dead, semiring.full(semiring.one, (1, scores.shape[0]), own)])  # rows: nothing, the source
        place = {hard.source: 1}
        for level in _levels(hard):
            width = max(len(arcs) for _, arcs in level)
            edges = torch.full((len(level), width), len(own) - 1)
            tails = torch.zeros_like(edges)
            for k, (node, arcs) in enumerate(level):
                place[node] = len(value) + k
                for j, (tail, edge) in enumerate(arcs):
                    edges[k, j], tails[k, j] = edge, place.get(tail, 0)
            new = semiring.times(value[tails.to(scores.device)], own[edges.to(scores.device)])
            value = torch.cat([value, semiring.plus(new, 1)])
        return value[place.get(hard.target, 0)]


def _table(tails: Tensor, heads: Tensor, nodes: int, source: int, target: int, device: torch.device) -> Tensor:
    """Rows from which each node is reached: its neighbours but the target, and for the source the row ``one``."""
    keep = tails != target
    tails, heads = tails[keep], heads[keep]
    degree = torch.bincount(heads, minlength=nodes)
    table = torch.full((nodes, int(degree.max()) + 1 if len(heads) else 1), nodes)
    order = heads.argsort(stable=True)
    first = degree.cumsum(0) - degree
    rank = torch.arange(len(heads)) - first[heads[order]]
    table[heads[order], rank] = tails[order]
    table[source, -1] = nodes + 1
    return table.to(device)


def _rows(reached: Tensor, table: Tensor, semiring: Semiring, one: Tensor | None = None) -> Tensor:
    """Look up rows; after the nodes come ``zero`` and ``one``."""
    shape = (1, reached.shape[1])
    one = semiring.full(semiring.one, shape, reached) if one is None else one
    padded = torch.cat([reached, semiring.full(semiring.zero, shape, reached), one])
    return padded.index_select(0, table.flatten()).unflatten(0, table.shape)


def _arcs_into(arcs: Arcs, nodes: int, barred: int) -> tuple[Tensor, Tensor]:
    """Arcs into each node, ``(nodes, degree)``, but none from ``barred``; and which of them are arcs at all."""
    count = len(arcs.head)
    order = arcs.head.argsort(stable=True)
    order = order[arcs.tail[order] != barred]
    degree = torch.bincount(arcs.head[order], minlength=nodes)
    into = torch.full((nodes, max(1, int(degree.max()))), count, device=arcs.head.device)
    first = degree.cumsum(0) - degree
    into[arcs.head[order], torch.arange(len(order), device=order.device) - first[arcs.head[order]]] = order
    return into, into < count


def _levels(hard: Any) -> list[list[tuple[int, list[tuple[int, int]]]]]:
    """Nodes that can be reached after the source, by the length of the longest way there, with their arcs in."""
    first, head, edge = hard._first.tolist(), hard._head.tolist(), hard._edge.tolist()
    depth, into = {hard.source: 0}, {}
    for tail in hard._order.tolist():
        if tail not in depth:
            continue
        for a in range(first[tail], first[tail + 1]):
            depth[head[a]] = max(depth.get(head[a], 0), depth[tail] + 1)
            into.setdefault(head[a], []).append((tail, edge[a]))
    levels: list[list[tuple[int, list[tuple[int, int]]]]] = [[] for _ in range(max(depth.values()))]
    for node, d in depth.items():
        if d:
            levels[d - 1].append((node, into[node]))
    return levels
