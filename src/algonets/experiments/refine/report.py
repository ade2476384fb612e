"""Pictures of a comparison: maps over iterations as a PNG and as a GIF."""

from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from algonets.experiments.refine.evaluate import Maps, iou

__all__ = ["save_evolution", "save_report"]

_ROWS = 4
_FRAME = 144  # least pixels of a panel of the GIF


def save_report(path: Path, metrics: dict[str, Any], maps: Maps, results: dict[str, Tensor]) -> None:
    """Draw some pictures with the final maps of every method, and IoU over iterations.

    Args:
        path: Of the PNG.
        metrics: Content of metrics.json.
        maps: Held-out pictures.
        results: For each method its maps of all iterations, of the first pictures.
    """
    import matplotlib.figure

    rows = min(_ROWS, len(maps.images))
    names = list(results)
    figure = matplotlib.figure.Figure(figsize=(2.0 * (len(names) + 2), 2.1 * rows + 3), layout="constrained", dpi=110)
    grid = figure.add_gridspec(rows + 1, len(names) + 2, height_ratios=[1] * rows + [1.4])
    for i in range(rows):
        truth = maps.masks[i] > 0.5
        panels = [("picture", maps.images[i].movedim(0, -1)), ("mask", maps.masks[i, 0])]
        panels += [(name, results[name][-1][i, 0].sigmoid()) for name in names]
        for k, (name, panel) in enumerate(panels):
            axis = figure.add_subplot(grid[i, k])
            axis.imshow(panel.numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            if k > 1:
                axis.set_xlabel(f"IoU {iou((results[name][-1][i] > 0)[None], truth[None]).item():.2f}", fontsize=8)
            if i == 0:
                axis.set_title(name, fontsize=9)
    axis = figure.add_subplot(grid[rows, :])
    for k, name in enumerate(names):
        scores = metrics["methods"][name]["iou_over_iterations"]
        if len(scores) > 2:
            axis.plot(range(len(scores)), scores, "o-", color=f"C{k}", label=name)
        else:
            axis.axhline(scores[-1], color=f"C{k}", linestyle="--", linewidth=1, label=name)
    axis.set(xlabel="iterations", ylabel="held-out IoU, %")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, ncols=2)
    figure.savefig(path)


def save_evolution(path: Path, maps: Maps, steps: Tensor, seconds: float = 0.5) -> None:
    """Save a GIF: for some pictures, the map of each iteration as a contour on the picture and as probabilities."""
    from PIL import Image

    count = min(_ROWS, len(maps.images))
    scale = max(1, -(-_FRAME // maps.images.shape[-1]))
    frames = []
    for step in steps:
        pictures = [_outlined(maps.images[i], step[i, 0] > 0) for i in range(count)]
        chances = [step[i, 0].sigmoid().expand(3, -1, -1) for i in range(count)]
        sheet = torch.cat([torch.cat(pictures, 2), torch.cat(chances, 2)], 1)
        sheet = sheet.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        frames.append(Image.fromarray((255 * sheet).round().byte().movedim(0, -1).numpy().astype(numpy.uint8)))
    times = [int(1000 * seconds)] * (len(frames) - 1) + [int(4000 * seconds)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)


def _outlined(image: Tensor, inside: Tensor) -> Tensor:
    """Paint the inner outline of a mask in red."""
    grown = torch.nn.functional.max_pool2d((~inside).float()[None, None], 3, 1, 1)[0, 0] > 0
    red = torch.tensor([1.0, 0.1, 0.1])[:, None, None]
    return torch.where(inside & grown, red, image)
