"""The program: a pixel is covered if it is inside any face."""

import torch
from torch import Tensor

import algonets as an
from algonets.distributions import Distribution

__all__ = ["covered", "distances_of", "relaxed_silhouettes"]


@an.relax
def covered(distances):
    """1 if one of the distances is positive."""
    result = 0.0
    for distance in distances:
        if distance > 0:
            result = 1.0
    return result


def distances_of(faces: Tensor, size: int) -> Tensor:
    """Signed distances ``(*batch, size^2, F)`` of pixels to faces ``(*batch, F, 3, 2)``, + inside.

    Inside, the smallest distance to the lines of the edges; outside, the distance to the nearest edge.
    """
    at = (2 * torch.arange(size, dtype=faces.dtype) + 1 - size) / size
    pixels = torch.stack([at.repeat(size), -at.repeat_interleave(size)], -1)
    start = faces.unsqueeze(-4)  # (*batch, 1, F, 3, 2)
    edge = start.roll(-1, -2) - start
    gap = pixels[:, None, None] - start
    along = ((gap * edge).sum(-1) / edge.square().sum(-1)).clamp(0, 1)
    apart = (gap - along.unsqueeze(-1) * edge).norm(dim=-1).amin(-1)
    over = edge[..., 0] * gap[..., 1] - edge[..., 1] * gap[..., 0]
    inside = (over > 0).all(-1) | (over < 0).all(-1)
    return torch.where(inside, apart, -apart)


def relaxed_silhouettes(faces: Tensor, size: int, law: Distribution) -> Tensor:
    """Soft silhouettes ``(N, size, size)`` of faces ``(N, F, 3, 2)``, by the relaxed program."""
    distances = distances_of(faces, size).flatten(0, 1)
    return covered.soft(distances, distribution=law).view(-1, size, size)
