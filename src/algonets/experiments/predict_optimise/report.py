"""The picture of the comparison: regret of every loss, and how it falls during training."""

from pathlib import Path
from typing import Any

__all__ = ["save_report"]


def save_report(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the content of a metrics.json."""
    import matplotlib
    import matplotlib.figure

    results = dict(sorted(metrics["results"].items(), key=lambda item: item[1]["regret"]))
    figure = matplotlib.figure.Figure(figsize=(10, 4.4), layout="constrained", dpi=110)
    bars, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
    names = list(results)
    places = range(len(names))
    palette = matplotlib.colormaps["tab20"]
    colors: dict[str, Any] = {name: palette(number % 20) for number, name in enumerate(names)}
    colors |= {"two-stage": "0.45"}
    bars.barh(
        places,
        [found["regret"] for found in results.values()],
        xerr=[found["regret_deviation"] for found in results.values()],
        color=[colors[name] for name in names],
        height=0.7,
        error_kw={"lw": 1, "ecolor": "0.2"},
    )
    bars.set_yticks(places, names)
    bars.invert_yaxis()
    most = max(found["regret"] + found["regret_deviation"] for found in results.values())
    for place, found in zip(places, results.values(), strict=True):
        end = found["regret"] + found["regret_deviation"] + 0.015 * most
        bars.text(end, place, f"{found['regret']:.1f}", va="center", fontsize=8)
    bars.set(xlabel="held-out regret, %", xlim=(0, 1.12 * most))
    for name, found in results.items():
        epochs = [found["every"] * (k + 1) for k in range(len(found["curve"]))]
        dashed = "--" if name == "two-stage" else "-"
        curves.plot(epochs, found["curve"], dashed, color=colors[name], lw=1.6 if name == "two-stage" else 1.2)
    curves.set(xlabel="epoch", ylabel="held-out regret, %", yscale="log")
    curves.yaxis.set_major_formatter("{x:g}")  # plain numbers: the range is less than two decades
    curves.yaxis.set_minor_formatter("{x:g}")
    for axis in (bars, curves):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3, which="both", axis="x" if axis is bars else "both")
    seeds = f"mean and deviation of {metrics['seeds']} seeds" if metrics["seeds"] > 1 else f"seed {metrics['seed']}"
    figure.suptitle(f"{metrics['problem']}: {seeds}", fontsize=10)
    figure.savefig(path)
