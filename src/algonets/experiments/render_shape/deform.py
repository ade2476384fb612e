"""A sphere becomes what the silhouettes show."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from algonets.distributions import Distribution
from algonets.experiments._silhouettes import hard_silhouettes
from algonets.render import Camera, Mesh, Rasterizer, flattening_loss, iou, laplacian_loss
from algonets.tconorms import TConorm

__all__ = ["Deformed", "deform", "score"]


class Deformed(NamedTuple):
    """The shape at the end, and what it was at some steps."""

    mesh: Mesh
    snapshots: list[Tensor]
    losses: list[float]
    seconds: float


def deform(
    template: Mesh,
    targets: Tensor,
    cameras: Camera,
    law: Callable[[float], Distribution],
    tconorm: TConorm,
    *,
    squared: bool = False,
    steps: int = 300,
    learning_rate: float = 0.01,
    widths: tuple[float, float] = (0.03, 0.0005),
    laplacian: float = 3.0,
    flattening: float = 0.001,
    views: int | None = None,
    snapshots: int = 0,
    seed: int = 0,
) -> Deformed:
    """Move the vertices until the soft silhouettes are the targets.

    Args:
        template: where it begins.
        targets: ``(N, S, S)``.
        cameras: N of them.
        law: of a width, which falls geometrically over the first four fifths of the steps.
        tconorm: the fold.
        squared: whether the law sees squares.
        steps: of Adam.
        learning_rate: of Adam; it falls to a tenth.
        widths: first and last.
        laplacian: weight of that loss.
        flattening: weight of that loss.
        views: how many views a step sees, drawn anew; all by default.
        snapshots: how many times the vertices are kept.
        seed: of the draws.
    """
    start, generator = time.perf_counter(), torch.Generator().manual_seed(seed)
    shift = torch.zeros_like(template.vertices, requires_grad=True)
    optimizer = torch.optim.Adam([shift], learning_rate, betas=(0.5, 0.95))
    kept, losses = [], []
    moments = {round(k * (steps - 1) / max(snapshots - 1, 1)) for k in range(snapshots)}
    count = len(targets)
    for step in range(steps):
        progress = min(1.0, step / max(0.8 * steps, 1))
        width = widths[0] * (widths[1] / widths[0]) ** progress
        optimizer.param_groups[0]["lr"] = learning_rate * 0.1 ** (step / steps)
        seen = torch.randperm(count, generator=generator)[: views or count]
        vertices = template.vertices + shift
        chosen = Camera(cameras.rotation[seen], cameras.position[seen], cameras.focal, cameras.centre)
        faces = chosen.project(vertices)[..., template.faces, :]
        image = Rasterizer(targets.shape[-1], law(width), tconorm, squared=squared).silhouette(faces)
        loss = 1 - iou(image, targets[seen]).mean()
        smooth = laplacian * laplacian_loss(vertices, template.faces)
        smooth = smooth + flattening * flattening_loss(vertices, template.faces)
        optimizer.zero_grad()
        (loss + smooth).backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if step in moments:
            kept.append(vertices.detach())
    return Deformed(
        template.with_vertices((template.vertices + shift).detach()), kept, losses, time.perf_counter() - start
    )


def score(mesh: Mesh, targets: Tensor, cameras: Camera) -> float:
    """Mean intersection over union of exact silhouettes, in percent."""
    return 100 * float(iou(hard_silhouettes(mesh, cameras, targets.shape[-1]), targets).mean())
