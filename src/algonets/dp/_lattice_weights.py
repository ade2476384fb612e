"""Weights of arcs and of final states that come from the arcs of other automata, and checks of index lists."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from algonets._core.errors import reject_type, require
from algonets.dp._lattice_graph import Graph
from algonets.semirings import Log

__all__ = ["final_sums", "integers", "log_scatter", "picked", "sums_of"]


def log_scatter(every: torch.Tensor, ends: torch.Tensor, final: torch.Tensor) -> torch.Tensor:
    """Log-sum-exp of the final weights of each place (a word may be in a lexicon twice)."""
    top = every.scatter_reduce(0, ends, final, "amax")
    safe = torch.where(top == -math.inf, torch.zeros_like(top), top)
    total = torch.zeros_like(every).index_add(0, ends, (final - safe[ends]).exp())
    return torch.where(top == -math.inf, top, safe + total.log())


def integers(name: str, value: Any, count: int | None, low: int | None = None, high: int | None = None) -> torch.Tensor:
    """Return checked int64 numbers on the CPU: ``count`` of them, each from ``low`` to ``high``."""
    call = f"Lattice({name})"
    if isinstance(value, torch.Tensor):
        if value.dtype.is_floating_point or value.dtype.is_complex or value.dtype == torch.bool:
            reject_type(call, "must be integers", value)
        found = value.detach().reshape(-1).to("cpu", torch.int64)
    else:
        good = isinstance(value, Sequence) and not isinstance(value, str) and all(type(x) is int for x in value)
        if not good:
            reject_type(call, "must be a sequence of integers", value)
        found = torch.tensor(list(value), dtype=torch.int64)
    require(count is None or len(found) == count, call, f"must have {count} entries", len(found))
    if low is not None:
        good = bool((found >= low).all()) and (high is None or bool((found <= high).all()))
        upper = "up" if high is None else f".. {high}"
        require(good, call, f"must be in {low} {upper}", found.tolist())
    return found


def picked(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return ``values[places]``, 0 for a place of -1."""
    index = places.to(values.device)
    return torch.cat([values, values.new_zeros(1)])[torch.where(index < 0, len(values), index)]


def sums_of(values: torch.Tensor, places: list[list[int]]) -> torch.Tensor:
    """Return the sum of ``values`` over each list of places."""
    owner = torch.tensor([k for k, row in enumerate(places) for _ in row], dtype=torch.int64, device=values.device)
    flat = torch.tensor([p for row in places for p in row], dtype=torch.int64)
    return values.new_zeros(len(places)).index_add(0, owner, picked(values, flat))


def final_sums(values: torch.Tensor, entries: list[tuple[Graph, torch.Tensor, int]]) -> torch.Tensor:
    """Return final weights of states; of a state that is twice final both, added up.

    Args:
        values: Final weights of all examples.
        entries: For each example its graph, the states that are asked for, and the place of its first final weight.
    """
    places = []
    for graph, states, first in entries:
        matches = graph.finals == states.unsqueeze(1)
        if len(graph.finals) != len(torch.unique(graph.finals)):
            return _slow_sums(values, entries)
        places.append(matches.int().argmax(1) + first if len(states) else states)
    return picked(values, torch.cat([torch.zeros(0, dtype=torch.int64), *places]))


def _slow_sums(values: torch.Tensor, entries: list[tuple[Graph, torch.Tensor, int]]) -> torch.Tensor:
    sums = [
        Log().plus(values[((graph.finals == state).nonzero().flatten() + first).to(values.device)], 0)
        for graph, states, first in entries
        for state in states.tolist()
    ]
    return torch.stack(sums) if sums else values.new_zeros(0)
