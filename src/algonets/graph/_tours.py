"""Round trips in plain torch and Python: the meaning of the native kernels."""

import itertools
import math

import torch
from torch import Tensor

__all__ = ["held_karp", "local_search"]

_STARTS = 8


def held_karp(costs: Tensor) -> Tensor:
    """Order of the nodes, ``(B, n)``, from the last node on, for costs ``(B, n, n)``: sets of one size at a time."""
    batch, n = costs.shape[:2]
    m, home = n - 1, n - 1
    sets = torch.arange(1 << m, device=costs.device)
    members = (sets[:, None] >> torch.arange(m, device=costs.device)) & 1
    size = members.sum(1)
    best = costs.new_full((batch, 1 << m, m), math.inf)
    for j in range(m):
        best[:, 1 << j, j] = costs[:, home, j]
    between = costs[:, :m, :m]
    for count in range(1, m):
        smaller = sets[size == count]
        reached = (best[:, smaller, :, None] + between[:, None]).amin(2)  # (B, sets, next)
        for j in range(m):
            free = members[smaller, j] == 0
            best[:, smaller[free] | (1 << j), j] = reached[:, free, j]
    every = torch.arange(batch, device=costs.device)
    at = torch.full((batch,), (1 << m) - 1, device=costs.device)
    following = torch.full((batch,), home, device=costs.device)
    order = [following]
    for _ in range(m):
        through = best[every, at] + costs[every, :m, following]
        through = torch.where(members[at] > 0, through, math.inf)
        following = through.argmin(1)
        at = at & ~(1 << following)
        order.append(following)
    return torch.stack([order[0], *order[:0:-1]], 1)


def local_search(costs: list[list[float]], symmetric: bool) -> list[int]:
    """The best of some tours of nearest neighbours, each improved until nothing helps."""
    n = len(costs)
    tolerance = 1e-12 * max(abs(c) for row in costs for c in row)
    best: list[int] = []
    least = math.inf
    starts = min(n, _STARTS)
    for s in range(starts):
        order = _nearest(costs, s * n // starts)
        while (symmetric and _two_opt(costs, order, tolerance)) or _or_opt(costs, order, symmetric, tolerance):
            pass
        length = 0.0
        for a, b in zip(order, order[1:] + order[:1], strict=True):
            length += costs[a][b]
        if not best or length < least:
            best, least = order, length
    return best


def _nearest(costs: list[list[float]], start: int) -> list[int]:
    order, left = [start], [j for j in range(len(costs)) if j != start]
    while left:
        at = order[-1]
        order.append(min(left, key=lambda j: costs[at][j]))
        left.remove(order[-1])
    return order


def _two_opt(costs: list[list[float]], order: list[int], tolerance: float) -> bool:
    """Reverse the part that gains most; whether there was one."""
    n, gain, found = len(order), tolerance, None
    for i, j in itertools.combinations(range(n), 2):
        if j < i + 2 or i + 2 >= n:
            continue
        a, b, d, e = order[i], order[i + 1], order[j], order[(j + 1) % n]
        now = costs[a][b] + costs[d][e] - costs[a][d] - costs[b][e]
        if now > gain:
            gain, found = now, (i, j)
    if found is None:
        return False
    i, j = found
    order[i + 1 : j + 1] = order[i + 1 : j + 1][::-1]
    return True


def _or_opt(costs: list[list[float]], order: list[int], symmetric: bool, tolerance: float) -> bool:
    """Move the part of up to three nodes that gains most, as it is or turned around; whether there was one."""
    n, gain, found = len(order), tolerance, None
    node = lambda place: order[place % n]  # noqa: E731
    for i in range(n):
        for size in range(1, min(3, n - 2) + 1):
            before, head, tail, after = node(i - 1), node(i), node(i + size - 1), node(i + size)
            out = costs[before][head] + costs[tail][after] - costs[before][after]
            for k in range(i + size, i + n - 1):
                x, y = node(k), node(k + 1)
                there = out + costs[x][y]
                straight = there - costs[x][head] - costs[tail][y]
                if straight > gain:
                    gain, found = straight, (i, size, k, False)
                if symmetric:
                    turned = there - costs[x][tail] - costs[head][y]
                    if turned > gain:
                        gain, found = turned, (i, size, k, True)
    if found is None:
        return False
    i, size, to, turn = found
    part = [node(k) for k in range(i, i + size)]
    whole: list[int] = []
    for k in range(i + size, i + n):
        whole.append(node(k))
        if k == to:
            whole += part[::-1] if turn else part
    order[:] = whole
    return True
