"""The picture of a comparison: exact matches over steps and over seconds."""

from pathlib import Path
from typing import Any

from algonets.experiments.sort_digits.methods import METHODS

__all__ = ["save_report"]

# Colour by family, so that the laws of one network stand out from the rest; dashes tell methods of a family apart.
_STYLES: dict[str, tuple[str, str]] = {
    "pairwise": ("0.45", "-"),
    "regression": ("0.45", "--"),
    "neural-sort": ("#d95f02", "-"),
    "soft-sort": ("#d95f02", "--"),
    "sinkhorn": ("#e6ab02", "-"),
    "fast-sort": ("#e7298a", "-"),
    "lap-sum": ("#66a61e", "-"),
    "logistic": ("#7570b3", "-"),
    "logistic-art": ("#7570b3", "--"),
    "cauchy": ("#0b5fa5", "-"),
    "reciprocal": ("#0b5fa5", "--"),
    "optimal": ("#0b5fa5", ":"),
}


def save_report(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the curves of the content of a metrics.json, over seconds if all methods have them."""
    import matplotlib.figure

    results = metrics["methods"]
    timed = all("seconds" in point for result in results.values() for point in result["curve"])
    keys = ("step", "seconds") if timed else ("step",)
    figure = matplotlib.figure.Figure(figsize=(3 + 5 * len(keys), 4.8), layout="constrained", dpi=110)
    panels = dict(zip(keys, figure.subplots(1, len(keys), sharey=True, squeeze=False)[0], strict=True))
    for name in sorted(results, key=lambda key: -results[key]["em"]):
        points = results[name]["curve"]
        color, line = _STYLES.get(name, ("black", "-"))
        title = METHODS[name].title if name in METHODS else results[name]["method"]
        label = f"{title}: {results[name]['em']:.1f} %"
        for key, axis in panels.items():
            shown = label if key == "step" else None
            axis.plot([p[key] for p in points], [p["em"] for p in points], line, color=color, label=shown)
    panels["step"].set(ylabel="held-out sets in the right order (EM), %")
    for key, axis in panels.items():
        axis.set(xlabel="steps" if key == "step" else "seconds of training steps")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", fontsize=8, frameon=False, title="at the end, all held-out sets")
    figure.suptitle(
        f"Learning from the order of {metrics['n']} numbers of {metrics['digits']} digits "
        f"({metrics['data']}, {metrics['batch_size']} sets a step)",
        fontsize=11,
    )
    figure.savefig(path)
