"""Gradient descent on the angles of a camera."""

from collections.abc import Callable

import torch
from torch import Tensor

from algonets.distributions import Distribution
from algonets.render import Camera, Mesh, Rasterizer, iou
from algonets.tconorms import TConorm

__all__ = ["apart", "draw_starts", "recover"]

DISTANCE = 4.0


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Degrees between directions given by (elevation, azimuth) ``(*batch, 2)`` in degrees."""
    return torch.rad2deg(torch.acos((_direction(a) * _direction(b)).sum(-1).clamp(-1, 1)))


def draw_starts(truth: Tensor, nearest: float, farthest: float, generator: torch.Generator) -> Tensor:
    """For each pose one that is ``nearest`` to ``farthest`` degrees off, its elevation within 60 degrees."""
    starts = truth.clone()
    for k in range(len(truth)):
        while True:
            guess = truth[k] + (torch.rand(2, generator=generator) * 2 - 1) * torch.tensor([farthest, 2 * farthest])
            if guess[0].abs() < 60 and nearest <= float(apart(guess, truth[k])) <= farthest:
                starts[k] = guess
                break
    return starts


def recover(
    mesh: Mesh,
    targets: Tensor,
    starts: Tensor,
    law: Callable[[float], Distribution],
    tconorm: TConorm,
    *,
    steps: int = 100,
    learning_rate: float = 3.0,
    widths: tuple[float, float] = (0.1, 0.005),
) -> Tensor:
    """Poses ``(N, 2)`` after gradient descent on the soft silhouettes, all N at once.

    Args:
        mesh: what is seen.
        targets: ``(N, S, S)``.
        starts: ``(N, 2)``, elevation and azimuth in degrees.
        law: of a width, which falls geometrically from the first to the second of ``widths``.
        tconorm: the fold.
        steps: of Adam.
        learning_rate: of Adam, in degrees.
        widths: first and last.
    """
    angles = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([angles], learning_rate)
    for step in range(steps):
        width = widths[0] * (widths[1] / widths[0]) ** (step / max(steps - 1, 1))
        optimizer.param_groups[0]["lr"] = learning_rate * 0.05 ** (step / steps)
        faces = Camera.look_at(DISTANCE, angles[:, 0], angles[:, 1]).project(mesh.vertices)[..., mesh.faces, :]
        image = Rasterizer(targets.shape[-1], law(width), tconorm).silhouette(faces)
        optimizer.zero_grad()
        (1 - iou(image, targets)).sum().backward()
        optimizer.step()
        with torch.no_grad():
            angles[:, 0].clamp_(-80, 80)
    return angles.detach()


def _direction(angles: Tensor) -> Tensor:
    elevation, azimuth = torch.deg2rad(angles).unbind(-1)
    flat = torch.cos(elevation)
    return torch.stack([flat * torch.sin(azimuth), torch.sin(elevation), -flat * torch.cos(azimuth)], -1)
