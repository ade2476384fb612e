"""Every law with every t-conorm: the same short deformation, cell by cell."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from algonets.experiments._silhouettes import FOLDS, LAWS, hard_silhouettes, law_of_width, ring_of_cameras
from algonets.experiments._training import write_json
from algonets.experiments.render_shape.cameras import HELD_OUT, TRAINED
from algonets.experiments.render_shape.deform import deform, score
from algonets.render import Mesh, icosphere

__all__ = ["fill_matrix"]

VIEWS = 12


def fill_matrix(path: Path, truth: Mesh, *, size: int, level: int, steps: int, seed: int) -> dict[str, Any]:
    """Score every law with every t-conorm on held-out views.

    Each cell is written to ``path`` as soon as it is there, and those that are there already are not run again.

    Args:
        path: a JSON file of the cells.
        truth: what the silhouettes show.
        size: side of the silhouettes.
        level: subdivisions of the sphere.
        steps: of Adam for each cell.
        seed: of the choice of views.

    Returns:
        ``matrix``: percent by law and t-conorm; ``sphere_iou``: at the start; ``seconds`` of all cells.
    """
    console, template = Console(), icosphere(level)
    template = template.with_vertices(0.6 * template.vertices)
    cameras, held = ring_of_cameras(VIEWS, TRAINED), ring_of_cameras(VIEWS, HELD_OUT, turn=7.0)
    targets, hidden = (hard_silhouettes(truth, which, size) for which in (cameras, held))
    cells: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text()) if path.exists() else {}
    for name, law in LAWS.items():
        row = cells.setdefault(name, {})
        for fold, tconorm in FOLDS.items():
            if fold in row:
                continue
            start = time.perf_counter()
            found = deform(
                template,
                targets,
                cameras,
                lambda width, law=law: law_of_width(law, width),
                tconorm,
                steps=steps,
                learning_rate=0.02,
                widths=(0.04, 0.008),
                views=4,
                seed=seed,
            )
            row[fold] = {
                "iou": round(score(found.mesh, hidden, held), 2),
                "seconds": round(time.perf_counter() - start, 2),
            }
            write_json(path, cells)
        console.print(name, " ".join(f"{row[fold]['iou']:.0f}" for fold in FOLDS))
    return {
        "matrix": {name: {fold: cells[name][fold]["iou"] for fold in FOLDS} for name in LAWS},
        "sphere_iou": round(score(template, hidden, held), 2),
        "seconds": round(sum(cell["seconds"] for row in cells.values() for cell in row.values()), 1),
        "threads": torch.get_num_threads(),
    }
