"""Pictures: what was found beside what was shown, the way there, and the matrix."""

from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from algonets.experiments._silhouettes import save_gif
from algonets.render import AmbientLight, Camera, DirectionalLight, Mesh, Rasterizer, illuminate

__all__ = ["picture", "save_evolution", "save_matrix", "save_shapes"]

_LIGHTS = (AmbientLight(0.35), DirectionalLight((0.4, -0.8, 0.6), 0.65))
_CLAY = (0.55, 0.68, 0.9)


def picture(mesh: Mesh, azimuth: float, size: int = 160, elevation: float = 20.0) -> Tensor:
    """A clay model on white, ``(size, size, 3)``."""
    faces = Camera.look_at(4.0, elevation, azimuth).project(mesh.vertices)[mesh.faces]
    normals = mesh.vertex_normals()[mesh.faces]
    colours = illuminate(torch.tensor(_CLAY).expand_as(normals), mesh.vertices[mesh.faces], normals, _LIGHTS)
    fine = Rasterizer(2 * size).shade(faces, colours, gamma=None, background=1.0)
    return fine.view(size, 2, size, 2, 3).mean((1, 3)).clamp(0, 1)


def save_shapes(path: Path, pictures: dict[str, tuple[Mesh, Mesh]], results: dict[str, Any]) -> None:
    """The truth above what was found, from three sides."""
    import matplotlib.figure

    sides = (30.0, 150.0, 270.0)
    figure = matplotlib.figure.Figure(figsize=(6, 4.4 * len(pictures)), layout="constrained", dpi=110)
    grid = figure.subplots(2 * len(pictures), 3, squeeze=False)
    for k, (name, meshes) in enumerate(pictures.items()):
        for row, (mesh, word) in enumerate(zip(meshes, ("truth", "found"), strict=True)):
            for axes, side in zip(grid[2 * k + row], sides, strict=True):
                axes.imshow(picture(mesh, side).numpy())
                axes.axis("off")
            score = f", held-out IoU {results[name]['held_out_iou']:.1f} %" if row else ""
            grid[2 * k + row][1].set_title(f"{name}: {word}{score}", fontsize=9)
    figure.savefig(path)


def save_evolution(path: Path, truth: Mesh, template: Mesh, snapshots: list[Tensor]) -> None:
    """The shape while it is found, turning, beside the truth."""
    frames = []
    for k, vertices in enumerate(snapshots):
        side = 30.0 + 360.0 * k / max(len(snapshots), 1)
        both = torch.cat([picture(template.with_vertices(vertices), side, 128), picture(truth, side, 128)], 1)
        frames.append((255 * both).to(torch.uint8).numpy())
    if frames:
        save_gif(path, frames, 180)


def save_matrix(path: Path, scores: dict[str, dict[str, float]], title: str) -> None:
    """Laws by t-conorms, in numbers and colours."""
    import matplotlib.figure

    values = numpy.array([list(row.values()) for row in scores.values()])
    figure = matplotlib.figure.Figure(figsize=(9, 8.5), layout="constrained", dpi=110)
    axes = figure.subplots()
    low, high = numpy.percentile(values, 5), values.max()
    axes.imshow(values, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    for (row, column), value in numpy.ndenumerate(values):
        colour = "white" if value < (low + high) / 2 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(values.shape[1]), list(next(iter(scores.values()))), rotation=30, ha="right")
    axes.set_yticks(range(values.shape[0]), list(scores))
    axes.set_title(title, fontsize=10)
    figure.savefig(path)
