"""The cheapest path over the cells of a grid."""

import math
from typing import Any, Literal, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.errors import reject, require
from algonets._core.operator import view
from algonets.graph._bellman_ford import cheapest_arcs, grid_arcs
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver, ends_of, least, refuse

__all__ = ["GridPath"]

Cell = tuple[int, int]
_NEGATIVE = ("raise", "clamp", "bellman-ford")


@final
class GridPath(GraphSolver):
    r"""Cheapest path through a grid whose cells cost, from corner to corner unless told otherwise.

    .. math:: y = \arg\min_{y \in \text{paths}} \sum_{ij} c_{ij} y_{ij}

    The cost of every cell on the path counts, both ends included. By Dijkstra's algorithm; each cell enters the heap
    once, because where cells cost the first neighbour that is settled is the best way to a cell.

    Args:
        neighbours: 8 (also diagonally, at no extra cost) or 4.
        start, goal: cells ``(row, column)``, negative ones counted from the end as in Python.
        negative: what negative costs do. ``"raise"``: they are refused. ``"clamp"``: they count as 0, for layers that
            disturb the costs. ``"bellman-ford"``: paths may gain from them, by the algorithm of Bellman and Ford; an
            example in which a walk could circle for ever cheaper is infeasible (on a grid: where two neighbours in
            reach add up to less than 0).

    Call: ``solver(costs)`` with costs ``(*batch, height, width)``, +inf for walls, returns 0/1 of that shape and dtype.
    ``solver(costs, start=..., goal=...)`` takes other cells, int64 ``(*batch, 2)`` or ``(2,)``.

    Raises:
        ValueError: an argument as above is none of the allowed; costs with NaN or -inf, or negative ones with
            ``"raise"``; cells outside the grid.
        TypeError: costs that are no floating tensor.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(costs).value`` is
        piecewise linear.
    Cost: O(n log n) for n cells by Dijkstra; O(n * length of the path) by Bellman and Ford, and in plain torch.
        Ties are broken in some fixed way.
    References: Dijkstra 1959, A Note on Two Problems in Connexion with Graphs.

    Example:
        >>> GridPath()(torch.tensor([[1.0, 9.0, 9.0], [9.0, 1.0, 9.0], [1.0, 9.0, 1.0]]))
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """

    sense = "min"
    event_dims = 2
    _argument = "costs"

    def __init__(
        self,
        neighbours: Literal[4, 8] = 8,
        *,
        start: Cell = (0, 0),
        goal: Cell = (-1, -1),
        negative: Literal["raise", "clamp", "bellman-ford"] = "raise",
    ):
        super().__init__()
        require(neighbours in (4, 8), "GridPath(neighbours)", "must be 4 or 8", neighbours)
        require(negative in _NEGATIVE, "GridPath(negative)", f"must be one of {', '.join(_NEGATIVE)}", negative)
        self.neighbours, self.negative = int(neighbours), negative
        self.start, self.goal = _cell("GridPath(start)", start), _cell("GridPath(goal)", goal)

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"{self.neighbours}, start={self.start}, goal={self.goal}, negative={self.negative!r}"

    def _check(self, call: str, theta: Tensor) -> None:
        require(theta.shape[-1] > 0 and theta.shape[-2] > 0, call, "must have at least one cell", theta)
        low = least(theta)
        if low is None:
            return
        if not low > -math.inf:
            reject(call, "must be numbers or +inf (a wall)", "NaN or -inf")
        if low < 0 and self.negative == "raise":
            remedy = "Keep costs positive (softplus), or use GridPath(negative='clamp') or 'bellman-ford'."
            reject(call, "must not be negative", "a negative cost", remedy)

    def _solve(self, theta: Tensor, start: Any = None, goal: Any = None) -> tuple[Tensor, Tensor]:
        costs = theta.clamp_min(0) if self.negative == "clamp" else theta
        if start is None and goal is None:
            ends = torch.tensor([self._own_ends(*theta.shape[-2:])], device=theta.device).expand(len(theta), 2)
        else:
            cells = (("start", start), ("goal", goal))
            ends = torch.stack([self._ends(name, cell, theta) for name, cell in cells], -1)
        return _operator(costs, ends, self.neighbours, self.negative == "bellman-ford")

    def _own_ends(self, height: int, width: int) -> list[int]:
        """Start and goal of the constructor as indices, row by row."""
        found = []
        for name in ("start", "goal"):
            cell = getattr(self, name)
            row, column = (c + n if c < 0 else c for c, n in zip(cell, (height, width), strict=True))
            inside = 0 <= row < height and 0 <= column < width
            require(inside, f"GridPath({name})", f"must be inside the grid of {height} x {width}", cell)
            found.append(row * width + column)
        return found

    def _ends(self, name: str, given: Any, costs: Tensor) -> Tensor:
        """Cells as indices, row by row."""
        height, width = costs.shape[-2:]
        if given is None:
            own = self._own_ends(*costs.shape[-2:])[name == "goal"]
            return torch.full((len(costs),), own, dtype=torch.int64, device=costs.device)
        given = torch.as_tensor(given, device=costs.device)
        require(given.ndim >= 1 and given.shape[-1] == 2, f"GridPath({name})", "must be (*batch, 2)", given)
        if given.ndim > 1:
            given = given.reshape(-1, 2)
        sides = torch.tensor([height, width], device=costs.device)
        cells = ends_of("GridPath", name, given, (len(costs), 2), costs).reshape(-1, 2)
        cells = torch.where(cells < 0, cells + sides, cells)
        outside = ((cells < 0) | (cells >= sides)).any()
        refuse(f"GridPath({name})", given, outside, f"must be inside the grid of {height} x {width}", "one outside")
        return cells[:, 0] * width + cells[:, 1]


def _cell(call: str, cell: Any) -> Cell:
    good = isinstance(cell, (tuple, list)) and len(cell) == 2 and all(isinstance(c, int) for c in cell)
    if not good:
        reject(call, "must be (row, column), two integers", cell)
    return (int(cell[0]), int(cell[1]))


def _grid_path(costs: Tensor, ends: Tensor, neighbours: int, bellman_ford: bool) -> tuple[Tensor, Tensor]:
    """Paths through ``(B, height, width)``."""
    if use_native("GridPath(costs)", costs):
        costs = costs.contiguous()
        solution = torch.zeros_like(costs)
        outcome = torch.empty(len(costs), dtype=torch.uint8)
        arguments = (view(costs), view(ends.contiguous()), view(solution), view(outcome))
        if costs.numel():
            native().graph_grid_path(*arguments, neighbours, bellman_ford, get_num_threads())
        return solution, outcome == 0
    height, width = costs.shape[1:]
    flat = costs.flatten(1).double()
    tails, heads = grid_arcs(height, width, neighbours, costs.device)
    start, goal = ends.unbind(1)
    arcs, feasible = cheapest_arcs(flat[:, heads], tails, heads, height * width, start, goal)
    at_start = torch.zeros_like(flat).scatter(1, start[:, None], 1.0) > 0
    feasible = feasible & (flat.gather(1, start[:, None]).squeeze(1) < math.inf)
    on_path = torch.zeros_like(flat).scatter_reduce(1, heads.expand_as(arcs), arcs.to(flat.dtype), "amax") > 0
    chosen = (on_path | at_start) & feasible[:, None]
    return chosen.reshape(costs.shape).to(costs.dtype), feasible


_operator = SolverOperator("grid_path", _grid_path, batched=2)
