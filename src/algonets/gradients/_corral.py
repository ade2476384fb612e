"""Wolfe's algorithm in a batch: the nearest point of a polytope of which only the best vertices can be asked for."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["affine_weights", "nearest"]

_ZERO = 1e-12
Vertices = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def nearest(target: Tensor, first: Tensor, vertex: Vertices, most: int, tolerance: float) -> tuple[Tensor, ...]:
    """Find the point of the hull nearest to ``target (N, d)``, as a convex combination of few vertices.

    Args:
        target: float64.
        first: A vertex of each, ``(N, d)``.
        vertex: ``(direction (R, d), rows (R,))`` to the best vertices in these directions, and whether they exist.
        most: Iterations, each one call of ``vertex`` for the examples that have not finished.
        tolerance: Of the duality gap, relative to ``1 + norm(target - x)^2``.

    Returns:
        Vertices ``(N, K, d)``, weights ``(N, K)``, which are active ``(N, K)``, which examples converged ``(N,)``,
        and in which a vertex did not exist ``(N,)``.
    """
    corral, weights = first.unsqueeze(1), torch.ones_like(first[:, :1])
    active = weights > 0
    size = len(target)
    running, failed = target.new_ones(size, dtype=torch.bool), target.new_zeros(size, dtype=torch.bool)
    for _ in range(most):
        rows = running.nonzero().squeeze(1)
        if not len(rows):
            break
        x = (weights[rows, :, None] * corral[rows]).sum(1)
        direction = target[rows] - x
        found, good = vertex(direction, rows)
        gap = (direction * (found - x)).sum(-1)
        done = gap <= tolerance * (1 + direction.square().sum(-1))
        failed[rows[~good]] = True
        running[rows[done | ~good]] = False
        rows, found = rows[~done & good], found[~done & good]
        corral, weights, active = _join(corral, weights, active, rows, found)
        singular = _descend(target, corral, weights, active, rows)
        running[singular] = False
    return corral, weights, active, ~running & ~failed, failed


def affine_weights(target: Tensor, corral: Tensor, active: Tensor) -> Tensor:
    """Return the weights, of sum 1, of the point of the affine hull of the active vertices that is nearest.

    Linear in ``target``, and differentiable by autograd.
    """
    live = active.to(target.dtype)
    vertices = corral * live.unsqueeze(-1)
    gram = vertices @ vertices.mT + torch.diag_embed(1 - live)
    border = live.unsqueeze(-1)
    matrix = torch.cat([torch.cat([gram, border], -1), torch.cat([border, torch.zeros_like(border[:, :1])], 1).mT], 1)
    right = torch.cat([(vertices * target.unsqueeze(1)).sum(-1), torch.ones_like(target[:, :1])], -1)
    # No example has an empty corral, but where the system is singular the pivots say so by infinities.
    solved, info = torch.linalg.solve_ex(matrix, right)
    return torch.where((info == 0).unsqueeze(-1), solved, torch.nan)[:, :-1]


def _join(
    corral: Tensor, weights: Tensor, active: Tensor, rows: Tensor, found: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Put the new vertices into free places, with weight 0; make room where there is none."""
    if len(rows) and bool(active[rows].all(1).any()):
        corral = torch.cat([corral, torch.zeros_like(corral[:, :1])], 1)
        weights = torch.cat([weights, torch.zeros_like(weights[:, :1])], 1)
        active = torch.cat([active, torch.zeros_like(active[:, :1])], 1)
    if len(rows):
        place = active[rows].to(torch.uint8).argmin(1)
        corral[rows, place] = found
        weights[rows, place] = 0.0
        active[rows, place] = True
    return corral, weights, active


def _descend(target: Tensor, corral: Tensor, weights: Tensor, active: Tensor, rows: Tensor) -> Tensor:
    """Go to the nearest point of the affine hull, or as far as the hull allows, dropping vertices, and again.

    Changes ``weights`` and ``active``; returns the rows in which the vertices have become dependent.
    """
    singular = rows[:0]
    for _ in range(corral.shape[1] + 1):
        if not len(rows):
            break
        wanted = affine_weights(target[rows], corral[rows], active[rows])
        bad = ~wanted.isfinite().all(-1)
        if bool(bad.any()):
            singular = torch.cat([singular, rows[bad]])
            rows, wanted = rows[~bad], wanted[~bad]
        now, live = weights[rows], active[rows]
        outside = live & (wanted < _ZERO)
        ratio = torch.where(outside, now / (now - wanted).clamp_min(torch.finfo(now.dtype).tiny), torch.inf)
        step = ratio.amin(-1, keepdim=True).clamp(0.0, 1.0)
        moved = torch.where(live, now + step * (wanted - now), 0.0)
        leaves = outside & (ratio <= step)
        moved = torch.where(leaves, 0.0, moved).clamp_min(0.0)
        weights[rows] = moved / moved.sum(-1, keepdim=True)
        active[rows] = live & ~leaves
        rows = rows[outside.any(-1)]
    return singular
