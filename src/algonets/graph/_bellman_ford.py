"""Cheapest paths in plain torch, on any device: the meaning of the native kernels, costs of any sign."""

import math

import torch
from torch import Tensor

__all__ = ["cheapest_arcs", "grid_arcs"]


def grid_arcs(height: int, width: int, neighbours: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Tails and heads of the steps between neighbouring cells, cells row by row."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    steps = [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)][:neighbours]
    tails, heads = [], []
    for dy, dx in steps:
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        cell = (y * width + x)[inside]
        tails.append(cell)
        heads.append(cell + dy * width + dx)
    return torch.cat(tails).to(device), torch.cat(heads).to(device)


def cheapest_arcs(
    costs: Tensor, tails: Tensor, heads: Tensor, nodes: int, source: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Bellman and Ford, all arcs at once in rounds.

    Args:
        costs: of the arcs, ``(B, A)``, float64; inf closes one.
        tails, heads: ``(A)``.
        nodes: how many.
        source, target: ``(B)``.

    Returns:
        Arcs of the path, bool ``(B, A)``; whether there is one, bool ``(B)``: not where a cycle that costs less than
        nothing can be reached.
    """
    batch = len(costs)
    head, tail = heads.expand(batch, -1), tails.expand(batch, -1)
    distance = costs.new_full((batch, nodes), math.inf).scatter(1, source[:, None], 0.0)
    settled = costs.new_zeros(batch, dtype=torch.bool)
    for _ in range(nodes + 1):
        new = distance.scatter_reduce(1, head, distance.gather(1, tail) + costs, "amin")
        settled = (new == distance).all(1)
        distance = new
        if bool(settled.all()):
            break
    feasible = settled & (distance.gather(1, target[:, None]).squeeze(1) < math.inf)
    # Of equally cheap paths one with the fewest arcs, which free arcs cannot lead in a circle.
    tight = (distance.gather(1, tail) + costs == distance.gather(1, head)) & (costs < math.inf) & feasible[:, None]
    tight &= distance.gather(1, head) < math.inf
    hops = torch.full_like(distance, math.inf).scatter(1, source[:, None], 0.0)
    while True:
        through = torch.where(tight, hops.gather(1, tail) + 1, math.inf)
        new = hops.scatter_reduce(1, head, through, "amin")
        if bool((new == hops).all()):
            break
        hops = new
    return _walk_back(tight, tail, head, hops, source, target, feasible), feasible


def _walk_back(
    tight: Tensor, tail: Tensor, head: Tensor, hops: Tensor, source: Tensor, target: Tensor, feasible: Tensor
) -> Tensor:
    """Mark the arcs from the target back, one hop a round."""
    good = tight & (hops.gather(1, tail) + 1 == hops.gather(1, head))
    # One arc into each node: the first of the good ones.
    count = head.shape[1]
    place = torch.arange(count, device=head.device).expand_as(head)
    into = torch.full_like(hops, count, dtype=torch.int64)
    into = into.scatter_reduce(1, head, torch.where(good, place, count), "amin")
    chosen = torch.zeros(*head.shape[:1], count + 1, dtype=torch.bool, device=head.device)
    at = torch.where(feasible, target, source)
    while True:
        arc = torch.where(at == source, count, into.gather(1, at[:, None]).squeeze(1))
        if bool((arc == count).all()):
            return chosen[:, :count]
        chosen.scatter_(1, arc[:, None], True)
        at = torch.where(arc == count, at, tail.gather(1, arc.clamp_max(count - 1)[:, None]).squeeze(1))
