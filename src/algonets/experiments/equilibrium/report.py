"""The picture of the comparison: accuracy, memory and time over depth."""

from pathlib import Path
from typing import Any

__all__ = ["save_report"]

_UNROLLED, _IMPLICIT = "#d95f02", "#0b5fa5"


def save_report(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the content of a metrics.json."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(12, 3.8), layout="constrained", dpi=110)
    accuracy, memory, seconds = figure.subplots(1, 3)
    rows = [row for row in metrics["networks"] if row["depth"]]
    depths = [row["depth"] for row in rows]
    accuracy.errorbar(
        depths, [row["accuracy"] for row in rows], [row["deviation"] for row in rows], fmt="o-", color=_UNROLLED,
        capsize=3, label="unrolled",
    )  # fmt: skip
    for row in metrics["networks"]:
        if not row["depth"]:
            accuracy.axhline(
                row["accuracy"], color=_IMPLICIT, label=f"equilibrium ({row['iterations']:.0f} iterations)"
            )
            band = (row["accuracy"] - row["deviation"], row["accuracy"] + row["deviation"])
            accuracy.axhspan(*band, color=_IMPLICIT, alpha=0.12)
    accuracy.set(xlabel="iterations", ylabel="test accuracy, %", title="same parameters")
    costs = metrics["costs"]
    depths = [row["iterations"] for row in costs]
    for name, color in (("unrolled", _UNROLLED), ("implicit", _IMPLICIT)):
        memory.plot(depths, [row[f"{name}_megabytes"] for row in costs], "o-", color=color, label=name)
        seconds.plot(depths, [1000 * row[f"{name}_seconds"] for row in costs], "o-", color=color, label=name)
    memory.set(xlabel="iterations", ylabel="MB kept for the backward pass", title="memory", ylim=(0, None))
    seconds.set(xlabel="iterations", ylabel="ms forward and backward", title="processor time", ylim=(0, None))
    for axis in (accuracy, memory, seconds):
        axis.set_xscale("log", base=2)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=8, frameon=False)
    figure.savefig(path)
