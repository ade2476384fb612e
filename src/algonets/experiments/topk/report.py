"""The picture of the comparison: errors for each k, every seed and the mean."""

from pathlib import Path
from typing import Any

__all__ = ["save_report"]

_COLORS = {"cross-entropy": "0.45", "top-k": "#0b5fa5"}


def save_report(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the content of a metrics.json."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4.6), layout="constrained", dpi=110)
    axis = figure.subplots()
    for shift, (name, found) in enumerate(metrics["losses"].items()):
        places = [k + 1 + 0.08 * (shift - 0.5) for k in range(len(found["mean"]))]
        color = _COLORS.get(name, "black")
        axis.plot(places, [100 - mean for mean in found["mean"]], "-", color=color, label=name)
        for run in found["runs"]:
            axis.plot(places, [100 - a for a in run["accuracies"]], "o", ms=4, alpha=0.5, color=color)
    runs = len(next(iter(metrics["losses"].values()))["runs"])
    axis.set(yscale="log", xlabel="k", ylabel="test pictures whose class is not among the first k, %")
    axis.set_xticks(range(1, len(next(iter(metrics["losses"].values()))["mean"]) + 1))
    axis.set_title(f"{metrics['data']}: lines are means, dots {runs} seeds", fontsize=10)
    axis.grid(alpha=0.3, which="both")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(path)
