"""The pictures of the experiment: maps with true and learnt costs and paths, and the learning curves."""

from pathlib import Path
from typing import Any

from torch import Tensor

from algonets.data import TerrainMaps
from algonets.experiments.paths.evaluate import score_paths
from algonets.experiments.paths.methods import METHODS

__all__ = ["save_curves", "save_maps"]

_COLOURS = {
    "resnet": "0.45",
    "perceptron": "#d95f02",
    "hinge": "#e6ab02",
    "unroll": "#66a61e",
    "fenchel-young": "#0b5fa5",
    "perturbed": "#56a3d9",
    "imle": "#7570b3",
    "blackbox": "#e7298a",
    "identity": "#1b9e77",
}


def save_curves(path: Path, metrics: dict[str, Any]) -> None:
    """Draw optimal paths over epochs and over seconds, from the content of a metrics.json."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(11.5, 4.4), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2, sharey=True)
    results = metrics["methods"]
    for name in sorted(results, key=lambda key: -results[key]["optimal"]):
        points = results[name]["curve"]
        label, colour = f"{METHODS[name].title}: {results[name]['optimal']:.1f} %", _COLOURS[name]
        left.plot([p["epoch"] for p in points], [p["optimal"] for p in points], color=colour, label=label)
        right.plot([p["seconds"] for p in points], [p["optimal"] for p in points], color=colour)
    left.set(xlabel="epochs", ylabel="held-out maps with a cheapest path, %", ylim=(0, 101))
    right.set(xlabel="processor seconds of training steps")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", fontsize=8, frameon=False, title="at the end")
    title = f"Costs of {metrics['side']} x {metrics['side']} tiles learnt from {metrics['train_size']} paths"
    figure.suptitle(title, fontsize=11)
    figure.savefig(path)


def save_maps(path: Path, data: TerrainMaps, learnt: dict[str, tuple[Tensor, Tensor]], rows: int = 3) -> None:
    """Draw maps, true costs, and for each method what it learnt: costs (or logits) and path."""
    import matplotlib.figure

    rows = min(rows, len(data))
    columns = ["map", "true costs", *learnt]
    figure = matplotlib.figure.Figure(figsize=(2.1 * len(columns), 2.2 * rows + 0.3), layout="constrained", dpi=110)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for k in range(rows):
        image, costs, right = data[k]
        axes[k, 0].imshow(image.permute(1, 2, 0), extent=(-0.5, data.side - 0.5, data.side - 0.5, -0.5))
        _draw(axes[k, 0], right, "white")
        axes[k, 1].imshow(costs, cmap="viridis")
        _draw(axes[k, 1], right, "white")
        for axis, (name, (said, found)) in zip(axes[k, 2:], learnt.items(), strict=True):
            axis.imshow(said[k] if name != "resnet" else -said[k], cmap="viridis")
            total, least = float((costs * found[k]).sum()), float((costs * right).sum())
            score = score_paths(found[k : k + 1], costs[None], right[None])
            _draw(axis, found[k], "white" if score.optimal else "#ff7f6e")
            axis.set_xlabel(f"{total:.1f} (least {least:.1f})" if score.paths else "no path", fontsize=8)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=10)
    figure.savefig(path)


def _draw(axis: Any, path: Tensor, colour: str) -> None:
    """Dots on the tiles of a path."""
    y, x = path.nonzero().T.tolist() if path.any() else ([], [])
    axis.plot(x, y, "o", color=colour, ms=3.2, mec="black", mew=0.4)
