"""Pixels, and their signed distances to triangles: plain torch, any shapes that broadcast."""

import torch
from torch import Tensor

__all__ = ["FAR", "pixel_centres", "signed_distance"]

FAR = 1e5
"""Coordinates are cut here, so that their squares and products stay finite."""

_THIN = 1e-12
"""Triangles of a smaller area have no inside."""


def pixel_centres(size: tuple[int, int], like: Tensor) -> Tensor:
    """Centres ``(H W, 2)`` of the pixels, row by row from the top: x right, y up, the shorter side is [-1, 1]."""
    height, width = size
    shorter = max(min(size), 1)
    x = (2 * torch.arange(width, dtype=like.dtype, device=like.device) + (1 - width)) / shorter
    y = ((height - 1) - 2 * torch.arange(height, dtype=like.dtype, device=like.device)) / shorter
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], -1)


def signed_distance(triangles: Tensor, points: Tensor, squared: bool = False) -> Tensor:
    """Distance to the boundary, + inside and - outside; or the square with that sign.

    Its derivative is that to the nearest edge or vertex: on an edge the edge's normal, at a vertex 0.

    Args:
        triangles: ``(..., 3, 2)``; those without area have no inside.
        points: ``(..., 2)``, broadcast against the leading dimensions.
        squared: whether to square.
    """
    triangles = triangles.clamp(-FAR, FAR)
    with torch.no_grad():
        nearest, along, side, factor = _nearest_edge(triangles, points)
    x, y = triangles.unbind(-1)
    start_x, start_y = _pick(x, nearest), _pick(y, nearest)
    end_x, end_y = _pick(x.roll(-1, -1), nearest), _pick(y.roll(-1, -1), nearest)
    edge_x, edge_y = end_x - start_x, end_y - start_y
    from_x, from_y = points[..., 0] - start_x, points[..., 1] - start_y
    inner = (along > 0) & (along < 1)
    # Beside an edge: the distance to its line, which is smooth across it.
    length = (edge_x.square() + edge_y.square()).where(inner, 1.0).sqrt()
    line = factor * (edge_x * from_y - edge_y * from_x) / length
    # Else to one of its ends, from outside.
    gap_x = torch.where(along > 0, points[..., 0] - end_x, from_x)
    gap_y = torch.where(along > 0, points[..., 1] - end_y, from_y)
    gap = gap_x.square() + gap_y.square()
    if squared:
        return torch.where(inner, line * line.abs(), side * gap)
    apart = (gap > 0) & ~inner
    return torch.where(inner, line, side * gap.where(apart, 1.0).sqrt().where(apart, 0.0))


def _nearest_edge(triangles: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Number of the nearest edge (the first of equal ones), place along it, sign of the distance, and of its line."""
    x, y = triangles.unbind(-1)
    area = (x[..., 1] - x[..., 0]) * (y[..., 2] - y[..., 0]) - (x[..., 2] - x[..., 0]) * (y[..., 1] - y[..., 0])
    solid, turn = area.abs() > _THIN, torch.where(area > 0, 1.0, -1.0).to(x.dtype)
    best, along, line = _edge(x, y, points, 0)
    nearest = torch.zeros_like(best, dtype=torch.int8)
    inside = solid & (line * turn > 0)
    for k in (1, 2):
        gap, t, cross = _edge(x, y, points, k)
        inside = inside & (cross * turn > 0)
        closer = gap < best
        best, nearest = torch.where(closer, gap, best), nearest.masked_fill(closer, k)
        along, line = torch.where(closer, t, along), torch.where(closer, cross, line)
    side = torch.where(inside, 1.0, -1.0).to(x.dtype)
    # A point on the line: the edge's own inward normal.
    on_line = torch.where(solid, turn, 0.0).to(x.dtype)
    return nearest, along, side, torch.where(line == 0, on_line, side * line.sign())


def _edge(x: Tensor, y: Tensor, points: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Squared distance to one edge, the place along it, and twice the area over it."""
    edge_x, edge_y = x[..., (k + 1) % 3] - x[..., k], y[..., (k + 1) % 3] - y[..., k]
    from_x, from_y = points[..., 0] - x[..., k], points[..., 1] - y[..., k]
    size = (edge_x.square() + edge_y.square()).clamp_min(torch.finfo(x.dtype).tiny)
    t = ((from_x * edge_x + from_y * edge_y) / size).clamp(0, 1)
    gap = (from_x - t * edge_x).square() + (from_y - t * edge_y).square()
    return gap, t, edge_x * from_y - edge_y * from_x


def _pick(values: Tensor, k: Tensor) -> Tensor:
    return torch.where(k == 0, values[..., 0], torch.where(k == 1, values[..., 1], values[..., 2]))
