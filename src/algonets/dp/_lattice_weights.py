"""Weights of arcs and of final states that come from the arcs of other automata, and checks of index lists."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from algonets._core.errors import reject_type, require
from algonets.dp._lattice_graph import Graph
from algonets.semirings import Log

__all__ = ["final_sums", "integers", "log_scatter", "offsets", "picked", "sums_of"]


def log_scatter(every: torch.Tensor, ends: torch.Tensor, final: torch.Tensor) -> torch.Tensor:
    """Log-sum-exp of the final weights of each place (a word may be in a lexicon twice)."""
    top = every.scatter_reduce(0, ends, final, "amax")
    safe = torch.where(top == -math.inf, torch.zeros_like(top), top)
    total = torch.zeros_like(every).index_add(0, ends, (final - safe[ends]).exp())
    return torch.where(top == -math.inf, top, safe + total.log())


def integers(name: str, value: Any, count: int | None) -> list[int]:
    call = f"Lattice({name})"
    if isinstance(value, torch.Tensor):
        if value.dtype.is_floating_point or value.dtype == torch.bool:
            reject_type(call, "must be integers", value)
        value = value.reshape(-1).tolist()
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(type(x) is int for x in value):
        reject_type(call, "must be a sequence of integers", value)
    require(count is None or len(value) == count, call, f"must have {count} entries", len(value))
    return list(value)


def offsets(graphs: list[Graph]) -> tuple[list[int], list[int]]:
    arcs, finals = [0], [0]
    for graph in graphs:
        arcs.append(arcs[-1] + len(graph.arcs))
        finals.append(finals[-1] + len(graph.finals))
    return arcs, finals


def picked(values: torch.Tensor, places: list[int]) -> torch.Tensor:
    """Return ``values[places]``, 0 for a place of -1."""
    index = torch.tensor(places, dtype=torch.int64, device=values.device)
    return torch.cat([values, values.new_zeros(1)])[torch.where(index < 0, len(values), index)]


def sums_of(values: torch.Tensor, places: list[list[int]]) -> torch.Tensor:
    """Return the sum of ``values`` over each list of places."""
    owner = torch.tensor([k for k, row in enumerate(places) for _ in row], dtype=torch.int64, device=values.device)
    return values.new_zeros(len(places)).index_add(0, owner, picked(values, [p for row in places for p in row]))


def final_sums(values: torch.Tensor, entries: list[tuple[Graph, int, int]]) -> torch.Tensor:
    """Return the final weight of each (graph, state, place of its first final); of a state that is twice final both."""
    pieces = [[first + k for k, s in enumerate(graph.finals) if s == state] for graph, state, first in entries]
    if all(len(piece) == 1 for piece in pieces):
        return picked(values, [piece[0] for piece in pieces])
    return torch.stack([Log().plus(values[torch.tensor(piece)], 0) for piece in pieces])
