"""The assignment problem, exactly, with a straight-through gradient."""

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from algonets._core.checks import check_finite_or_minus_inf
from algonets._core.errors import reject, require
from algonets._core.shapes import flatten_batch
from algonets.projections.birkhoff import check_square, sinkhorn

__all__ = ["hungarian"]


def hungarian(
    scores: Tensor, *, gradient: Literal["identity", "sinkhorn", "none"] = "identity", temperature: float | Tensor = 1.0
) -> Tensor:
    """Find the permutation matrix that maximises ``<scores, P>``.

    Args:
        scores: ``(*batch, n, n)``, rows to columns; -inf forbids a pair.
        gradient: what the backward pass takes for the derivative of ``P``, which is 0 almost everywhere:
            ``"identity"`` hands the gradient through to the scores, ``"sinkhorn"`` uses that of :func:`sinkhorn` at
            ``temperature``, ``"none"`` gives none.
        temperature: of ``gradient="sinkhorn"``.

    Returns:
        ``(*batch, n, n)`` of zeros and ones in the dtype of ``scores``; of equally good ones, any.

    Raises:
        TypeError: if ``scores`` is not a floating tensor.
        ValueError: if it is not square, holds NaN or +inf, leaves no perfect matching, or ``gradient`` is unknown.

    Differentiability: piecewise constant; the gradient is a substitute as above, and so are higher ones.
    Cost: O(n^3) an example, on the CPU, one after the other; made for n up to some hundreds.
    References: Kuhn 1955; Jonker, Volgenant 1987, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
        Assignment Problems.

    Example:
        >>> hungarian(torch.tensor([[2.0, 3.0], [0.0, 2.0]]))
        tensor([[1., 0.],
                [0., 1.]])
    """
    check_square("hungarian(scores)", scores)
    check_finite_or_minus_inf("hungarian(scores)", scores)
    known = ("identity", "sinkhorn", "none")
    require(gradient in known, "hungarian(gradient)", f"must be one of {', '.join(known)}", gradient)
    best: Tensor = _Assignment.apply(scores.detach())  # pyright: ignore[reportAssignmentType]
    if gradient == "none":
        return best
    if gradient == "identity":
        # Forbidden pairs stay out: -inf - -inf would be NaN.
        soft = torch.where(scores.detach() > -math.inf, scores, 0.0)
    else:
        soft = sinkhorn(scores, temperature)
    return best + (soft - soft.detach())


class _Assignment(torch.autograd.Function):
    """A function without derivative, so that ``torch.func.vmap`` can be told how to run it."""

    @staticmethod
    def forward(scores: Tensor) -> Tensor:
        return _traced_assign(scores) if torch.compiler.is_compiling() else _assign(scores)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        return None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], scores: Tensor) -> tuple[Tensor, int]:
        return _Assignment.apply(scores.movedim(in_dims[0], 0)), 0  # pyright: ignore[reportReturnType]


def _assign(scores: Tensor) -> Tensor:
    """The best permutation matrices ``(*batch, n, n)``."""
    flat = flatten_batch(scores, 2)
    n = flat.shape[-1]
    costs = -flat.to(device="cpu", dtype=torch.float64).numpy()
    chosen = np.zeros((len(costs), n), dtype=np.int64)
    for example, cost in enumerate(costs):
        columns = _shortest_augmenting_paths(cost)
        if columns is None:
            reject("hungarian(scores)", "must leave a perfect matching", f"none in example {example}")
        chosen[example] = columns
    index = torch.from_numpy(chosen).to(scores.device).unsqueeze(-1)
    return torch.zeros_like(flat).scatter(-1, index, 1.0).reshape(scores.shape)


# For a tracer the search is one operator.
_traced_assign: Any = torch.library.custom_op("algonets::assignment", _assign, mutates_args=())
_traced_assign.register_fake(torch.empty_like)


def _shortest_augmenting_paths(cost: np.ndarray) -> np.ndarray | None:
    """Column of each row at the least cost; ``None`` if every perfect matching has a forbidden (inf) pair.

    Rows join one by one. Dijkstra over columns finds the cheapest alternating path to a free one, in reduced costs
    that the potentials keep non-negative.
    """
    n = len(cost)
    row_of = np.full(n, -1)
    potential = np.zeros(n)
    for start in range(n):
        distance, parent = np.full(n, np.inf), np.full(n, -1)
        open_columns = np.ones(n, dtype=bool)
        row, reached = start, 0.0
        visited: list[int] = []
        column = -1
        while True:
            # Reduced cost of the row's own column is 0: measure from there.
            base = 0.0 if column < 0 else cost[row, column] - potential[column]
            through = reached + cost[row] - potential - base
            closer = open_columns & (through < distance)
            distance[closer], parent[closer] = through[closer], row
            column = int(np.where(open_columns, distance, np.inf).argmin())
            reached = distance[column]
            if not open_columns[column] or not reached < math.inf:
                return None
            open_columns[column] = False
            if row_of[column] < 0:
                break
            visited.append(column)
            row = row_of[column]
        potential[visited] += distance[visited] - reached
        previous = {int(row_of[c]): c for c in visited}
        while True:  # flip the path back to the row that joined
            row_of[column] = parent[column]
            if parent[column] == start:
                break
            column = previous[int(parent[column])]
    return np.argsort(row_of)
