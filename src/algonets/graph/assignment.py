"""The assignment problem: each row a column of its own, at the least cost."""

import math
from typing import Literal, final

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.errors import require
from algonets._core.operator import view
from algonets.graph._operator import SolverOperator
from algonets.graph.solver import GraphSolver, refuse

__all__ = ["Assignment"]


@final
class Assignment(GraphSolver):
    r"""Cheapest matching of rows to columns: each row has one column, no column two rows.

    .. math:: Y = \arg\min_Y \sum_{ij} C_{ij} Y_{ij}

    By the algorithm of Jonker and Volgenant. With more rows than columns each column has one row. The smooth twin is
    :func:`algonets.projections.sinkhorn`.

    Args:
        sense: ``"min"`` for costs, ``"max"`` for scores.

    Call: ``solver(costs)`` with ``(*batch, rows, columns)`` returns 0/1 of that shape and dtype. The worst infinity
    (+inf of costs, -inf of scores) forbids a pair; an example without a perfect matching is infeasible.

    Raises:
        ValueError: ``sense`` is neither; costs with NaN or the other infinity.
        TypeError: costs that are no floating tensor.

    Differentiability: piecewise constant: use a gradient from ``algonets.gradients``; ``solve(costs).value`` is
        piecewise linear.
    Cost: O(n^3) at worst, on random costs nearer to O(n^2). Computed in float64. The torch path runs all examples at
        once, on any device.
    References: Jonker, Volgenant 1987, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
        Problems.

    Example:
        >>> Assignment()(torch.tensor([[1.0, 2.0], [1.0, 4.0]]))
        tensor([[0., 1.],
                [1., 0.]])
    """

    sense: Literal["min", "max"]
    event_dims = 2
    _argument = "costs"

    def __init__(self, sense: Literal["min", "max"] = "min"):
        super().__init__()
        require(sense in ("min", "max"), "Assignment(sense)", "must be 'min' or 'max'", sense)
        self.sense = sense

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"sense={self.sense!r}"

    def _check(self, call: str, theta: Tensor) -> None:
        if theta.numel():
            costs = theta.detach()
            if self.sense == "min":
                refuse(call, theta, ~(costs.amin() > -math.inf), "must be numbers or +inf (forbidden)", "NaN or -inf")
            else:
                refuse(call, theta, ~(costs.amax() < math.inf), "must be numbers or -inf (forbidden)", "NaN or +inf")

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        wide = theta.shape[1] > theta.shape[2]
        solution, feasible = _operator(theta.mT if wide else theta, self.sense == "max")
        return (solution.mT if wide else solution), feasible


def _assignment(costs: Tensor, maximise: bool) -> tuple[Tensor, Tensor]:
    """Matchings of ``(B, rows, columns)``, rows <= columns."""
    if use_native("Assignment(costs)", costs):
        costs = costs.contiguous()
        solution, outcome = torch.zeros_like(costs), torch.zeros(len(costs), dtype=torch.uint8)
        if costs.numel():
            native().graph_assignment(view(costs), view(solution), view(outcome), maximise, get_num_threads())
        return solution, outcome == 0
    if not costs.numel():
        return torch.zeros_like(costs), torch.ones(len(costs), dtype=torch.bool, device=costs.device)
    wide = -costs.double() if maximise else costs.double()
    allowed = wide.isfinite()
    # A forbidden pair is dearer than any matching without one.
    high = torch.where(allowed, wide, -math.inf).amax((1, 2), keepdim=True).clamp_min(-1e300)
    low = torch.where(allowed, wide, math.inf).amin((1, 2), keepdim=True).clamp_max(1e300)
    some = allowed.any(2, keepdim=True).any(1, keepdim=True)
    price = torch.where(some, high + (high - low + 1) * (costs.shape[1] + 1), 1.0)
    column = _augment_rows(torch.where(allowed, wide, price))
    solution = torch.zeros_like(wide).scatter(2, column.unsqueeze(2), 1.0)
    feasible = ~((solution > 0) & ~allowed).any(2).any(1)
    return (solution * feasible[:, None, None]).to(costs.dtype), feasible


def _augment_rows(costs: Tensor) -> Tensor:
    """Column of each row, ``(B, rows)``: rows join one by one along shortest augmenting paths, all examples at once."""
    batch, rows, columns = costs.shape
    every = torch.arange(batch, device=costs.device)
    row_of = torch.full((batch, columns), -1, device=costs.device)
    price = costs.new_zeros(batch, columns)
    for start in range(rows):
        distance = costs.new_full((batch, columns), math.inf)
        parent = torch.full_like(row_of, start)
        closed = torch.zeros_like(distance, dtype=torch.bool)
        row = torch.full((batch,), start, device=costs.device)
        base, reached = costs.new_zeros(batch), costs.new_zeros(batch)
        column = torch.zeros_like(row)
        busy = torch.ones_like(row, dtype=torch.bool)
        while bool(busy.any()):
            through = costs[every, row] - price + base[:, None]
            closer = (through < distance) & ~closed & busy[:, None]
            distance = torch.where(closer, through, distance)
            parent = torch.where(closer, row[:, None], parent)
            least, nearest = torch.where(closed, math.inf, distance).min(1)
            column, reached = torch.where(busy, nearest, column), torch.where(busy, least, reached)
            busy = busy & (row_of[every, column] >= 0)
            closed[every[busy], column[busy]] = True
            row = torch.where(busy, row_of[every, column], row)
            own = costs[every, row, column] - price[every, column]
            base = torch.where(busy, reached - own, base)
        price = torch.where(closed, price + distance - reached[:, None], price)
        column_of = _columns(row_of, rows)
        going = torch.ones_like(busy)
        while bool(going.any()):  # flip the path back to the row that joined
            row = parent[every, column]
            row_of[every[going], column[going]] = row[going]
            going = going & (row != start)
            column = torch.where(going, column_of[every, row], column)
    return _columns(row_of, rows)


def _columns(row_of: Tensor, rows: int) -> Tensor:
    """The inverse: column of each row; one place more takes the columns without a row."""
    places = torch.arange(row_of.shape[1], device=row_of.device).expand_as(row_of)
    into = torch.where(row_of < 0, rows, row_of)
    return row_of.new_zeros(len(row_of), rows + 1).scatter(1, into, places)[:, :rows]


_operator = SolverOperator("assignment", _assignment)
