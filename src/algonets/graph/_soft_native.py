"""Soft shortest paths on the native kernel: values and marginals in one pass, forwards and backwards."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native
from algonets._core.operator import view
from algonets.graph._bellman_ford import grid_arcs

__all__ = ["Walks", "attach_marginals", "cells_of", "soft_paths"]

_OUT_OF_RANGE = 3


class Walks(NamedTuple):
    """What may be walked: arcs in compressed sparse rows, and from where to where in how many steps.

    Attributes:
        first, head, edge: int64; ``edge`` says which cost an arc has.
        order: of the nodes where there is no cycle, else None.
        source, target: nodes.
        steps: most steps, of no meaning where there is an order.
    """

    first: Tensor
    head: Tensor
    edge: Tensor
    order: Tensor | None
    source: int
    target: int
    steps: int


@functools.lru_cache(maxsize=32)
def cells_of(height: int, width: int, neighbours: int) -> tuple[Tensor, Tensor]:
    """Rows and heads of the arcs between neighbouring cells; an arc costs what its head costs."""
    tails, heads = grid_arcs(height, width, neighbours)
    first = torch.zeros(height * width + 1, dtype=torch.int64)
    first[1:] = torch.bincount(tails, minlength=height * width).cumsum(0)
    return first, heads[tails.argsort(stable=True)].contiguous()


def soft_paths(costs: Tensor, walks: Walks, temperature: float) -> tuple[Tensor, Tensor] | None:
    """Soft least costs ``(B,)`` and expected uses of the edges ``(B, E)``, for costs that are not negative.

    None where sums leave the range of numbers, which plain torch, in logarithms, does not mind.
    """
    costs = costs.detach().contiguous()
    value, expected = costs.new_empty(len(costs)), torch.zeros_like(costs)
    outcome = torch.empty(len(costs), dtype=torch.uint8)
    arcs = (walks.first, walks.head, walks.edge)
    order = None if walks.order is None else view(walks.order)
    ends = (walks.source, walks.target, walks.steps)
    results = (view(value), view(expected), view(outcome))
    native().graph_soft_path(view(costs), *map(view, arcs), order, *results, *ends, temperature, get_num_threads())
    return None if bool((outcome == _OUT_OF_RANGE).any()) else (value, expected)


class _WithMarginals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, costs: Tensor, value: Tensor, expected: Tensor, reference: Callable) -> Tensor:
        """Return ``value``."""
        ctx.save_for_backward(costs, expected)
        ctx.reference = reference
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """Weigh the marginals; where a further derivative is wanted, those of plain torch."""
        costs, expected = ctx.saved_tensors
        if torch.is_grad_enabled():
            expected = ctx.reference(costs)
        return grad.reshape(*grad.shape, *(1,) * (expected.ndim - grad.ndim)) * expected, None, None, None


def attach_marginals(costs: Tensor, value: Tensor, expected: Tensor, reference: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``value``, whose gradient are the marginals; ``reference`` is their differentiable twin."""
    return _WithMarginals.apply(costs, value, expected, reference)  # pyright: ignore[reportReturnType]
