"""The pairs of a face and a pixel that are near to each other, and what belongs to them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.operator import view
from algonets.render._distance import FAR, pixel_centres, signed_distance

__all__ = ["Fragments", "barycentric", "fragments_within", "interpolate", "nearest_faces", "softmax_of_groups"]

_CHUNK = 1 << 21


class Fragments(NamedTuple):
    """Pairs: the image, the face among all ``(B T)``, the pixel in its image; and the centre of the pixel."""

    image: Tensor
    face: Tensor
    pixel: Tensor
    point: Tensor


@torch.no_grad()
def fragments_within(
    faces: Tensor, ends: list[int], size: tuple[int, int], squared: bool, cut: Tensor, hidden: Tensor
) -> Fragments:
    """All pairs whose signed distance (or square) is at least ``cut``, face by face.

    Args:
        faces: ``(B, T, 3, 2)``.
        ends: see ``Rasterizer``.
        size: height and width.
        squared: whether ``cut`` is that of signed squares.
        cut: ``(B M)``.
        hidden: ``(B, T)``, faces to leave out.
    """
    batch, (height, width) = len(faces), size
    mesh = torch.repeat_interleave(torch.tensor(ends[1:]) - torch.tensor(ends[:-1])).to(faces.device)
    image = (torch.arange(batch, device=faces.device)[:, None] * (len(ends) - 1) + mesh).reshape(-1)
    flat = faces.reshape(-1, 3, 2).clamp(-FAR, FAR)
    limit = cut[image]
    reach = (-limit).clamp_min(0)
    reach = (reach.sqrt() if squared else reach) * 1.00001 + 1e-5
    shorter = min(size)
    low, high = flat.amin(1) - reach[:, None], flat.amax(1) + reach[:, None]
    x0 = ((low[:, 0] * shorter + (width - 1)) / 2).ceil().clamp(0, width)
    x1 = ((high[:, 0] * shorter + (width - 1)) / 2).floor().clamp(-1, width - 1)
    y0 = (((height - 1) - high[:, 1] * shorter) / 2).ceil().clamp(0, height)
    y1 = (((height - 1) - low[:, 1] * shorter) / 2).floor().clamp(-1, height - 1)
    x0, y0 = x0.long(), y0.long()
    wide, tall = (x1.long() - x0 + 1).clamp_min(0), (y1.long() - y0 + 1).clamp_min(0)
    count = (wide * tall).masked_fill(hidden.reshape(-1), 0)
    points = pixel_centres(size, faces)
    parts = []
    for first, last in _spans(count):
        face = torch.repeat_interleave(torch.arange(first, last, device=faces.device), count[first:last])
        place = torch.arange(len(face), device=faces.device)
        place = place - (count[first:last].cumsum(0) - count[first:last])[face - first]
        x, y = x0[face] + place % wide[face], y0[face] + place // wide[face]
        pixel = y * width + x
        near = signed_distance(flat[face], points[pixel], squared) >= limit[face]
        parts.append((image[face[near]], face[near], pixel[near]))
    if not parts:
        none = torch.zeros(0, dtype=torch.int64, device=faces.device)
        parts = [(none, none, none)]
    image, face, pixel = (torch.cat(column) for column in zip(*parts, strict=True))
    return Fragments(image, face, pixel, points[pixel])


def _spans(count: Tensor) -> list[tuple[int, int]]:
    """Cut the faces into spans of about ``_CHUNK`` pairs."""
    spans, first, held = [], 0, 0
    for k, n in enumerate(count.tolist()):
        if held and held + n > _CHUNK:
            spans.append((first, k))
            first, held = k, 0
        held += n
    return [*spans, (first, len(count))] if held else spans


def barycentric(corners: Tensor, points: Tensor, inside: bool) -> Tensor:
    """Barycentric coordinates ``(N, 3)`` of points in triangles ``(N, 3, 2)``.

    Args:
        corners: the triangles.
        points: ``(N, 2)``.
        inside: whether the point is known to be inside; others are moved towards the triangle.
    """
    x, y = corners.unbind(-1)
    px, py = points.unbind(-1)
    over = [
        (x[:, k - 1] - x[:, k - 2]) * (py - y[:, k - 2]) - (y[:, k - 1] - y[:, k - 2]) * (px - x[:, k - 2])
        for k in range(3)
    ]
    total = over[0] + over[1] + over[2]
    solid = total.abs() > 1e-12
    shares = torch.stack(over, -1) / total.where(solid, 1.0)[:, None]
    shares = torch.where(solid[:, None], shares, 1 / 3)
    if inside:
        return shares
    shares = shares.clamp(0, 1)
    return shares / shares.sum(-1, keepdim=True)


def interpolate(shares: Tensor, depths: Tensor, perspective: bool) -> tuple[Tensor, Tensor]:
    """Weights ``(N, 3)`` of what the corners have, and the depth, from barycentric coordinates and corners' depths."""
    if not perspective:
        return shares, (shares * depths).sum(-1)
    weights = shares / depths
    total = weights.sum(-1, keepdim=True)
    return weights / total, 1 / total.squeeze(-1)


def softmax_of_groups(logits: Tensor, group: Tensor, count: int) -> Tensor:
    """Softmax within the groups ``0 ... count - 1``; a group of -inf alone gets zeros."""
    with torch.no_grad():
        largest = logits.new_full((count,), -math.inf).scatter_reduce(0, group, logits.detach(), "amax")
        largest = largest.masked_fill(largest == -math.inf, 0.0)
    weights = torch.exp(logits - largest[group])
    total = weights.new_zeros(count).index_add(0, group, weights)
    return weights / total.masked_fill(total == 0, 1.0)[group]


@torch.no_grad()
def nearest_faces(faces: Tensor, ends: list[int], size: tuple[int, int], perspective: bool) -> Tensor:
    """``(B, M, H, W)``: the nearest face of its mesh at each pixel, or -1; in float64, edges belong to both.

    Args:
        faces: ``(B, T, 3, 3)``.
        ends: see ``Rasterizer``.
        size: height and width.
        perspective: whether 1 / depth is linear, and what is not before the camera left out.
    """
    batch, meshes = faces.shape[0], len(ends) - 1
    kind = (batch, meshes, *size)
    if use_native("Rasterizer.nearest(faces)", faces):
        nearest = torch.full(kind, -1, dtype=torch.int64)
        if nearest.numel():
            given = view(faces.detach().double().contiguous())
            threads = get_num_threads()
            native().render_nearest_faces(given, view(torch.tensor(ends)), *size, perspective, view(nearest), threads)
        return nearest
    points = pixel_centres(size, faces.double())
    parts = [_nearest(faces[:, ends[m] : ends[m + 1]].double(), points, perspective) for m in range(meshes)]
    whole = torch.stack(parts, 1) if parts else torch.zeros(batch, 0, len(points), dtype=torch.int64)
    return whole.view(kind)


def _nearest(faces: Tensor, points: Tensor, perspective: bool) -> Tensor:
    best = faces.new_full((faces.shape[0], len(points)), math.inf)
    nearest = torch.full_like(best, -1, dtype=torch.int64)
    chunk = max(1, _CHUNK // max(1, best.numel()))
    for first in range(0, faces.shape[1], chunk):
        part = faces[:, first : first + chunk]
        x, y, z = part.clamp(-FAR, FAR)[..., 0], part.clamp(-FAR, FAR)[..., 1], part[..., 2]
        over = [_over_edge(x, y, (k + 1) % 3, (k + 2) % 3, points) for k in range(3)]
        total = over[0] + over[1] + over[2]
        left = (over[0] >= 0) & (over[1] >= 0) & (over[2] >= 0) & (total > 0)
        right = (over[0] <= 0) & (over[1] <= 0) & (over[2] <= 0) & (total < 0)
        inside = left | right
        at = z.unsqueeze(-2)
        if perspective:
            inside = inside & (z > 0).all(-1, keepdim=True)
            safe = at.where(at > 0, 1.0)
            depth = total / (over[0] / safe[..., 0] + over[1] / safe[..., 1] + over[2] / safe[..., 2])
        else:
            depth = (over[0] * at[..., 0] + over[1] * at[..., 1] + over[2] * at[..., 2]) / total
        low, which = torch.where(inside, depth, math.inf).min(1)
        closer = low < best
        best, nearest = torch.where(closer, low, best), torch.where(closer, which + first, nearest)
    return nearest


def _over_edge(x: Tensor, y: Tensor, a: int, b: int, points: Tensor) -> Tensor:
    """Twice the area over an edge: the ends in a fixed order, so that neighbours agree to the last bit."""
    swap = (x[..., a] > x[..., b]) | ((x[..., a] == x[..., b]) & (y[..., a] > y[..., b]))
    start_x, end_x = torch.where(swap, x[..., b], x[..., a]), torch.where(swap, x[..., a], x[..., b])
    start_y, end_y = torch.where(swap, y[..., b], y[..., a]), torch.where(swap, y[..., a], y[..., b])
    edge_x, edge_y = (end_x - start_x).unsqueeze(-1), (end_y - start_y).unsqueeze(-1)
    area = edge_x * (points[:, 1] - start_y.unsqueeze(-1)) - edge_y * (points[:, 0] - start_x.unsqueeze(-1))
    return torch.where(swap.unsqueeze(-1), -area, area)
