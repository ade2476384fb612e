"""What the pictures of the experiments with relaxed programs share: scores over temperature, and over steps."""

from typing import Any

__all__ = ["draw_curves", "draw_scales", "style_of"]

_COLORS = {
    "logistic": "#7570b3",
    "gaussian": "#66a61e",
    "cauchy": "#0b5fa5",
    "laplace": "#d95f02",
    "reciprocal": "#e7298a",
}
_GREYS = ("0.25", "0.6", "0.75")
_LINES = ("-", "--", ":", "-.")


def style_of(name: str, metrics: dict[str, Any]) -> tuple[str, str]:
    """Colour by law and line by temperature; baselines are grey."""
    results = metrics["methods"]
    family, scale = results[name]["family"], results[name]["scale"]
    plain = [other for other in results if not results[other]["scale"]]
    if not scale:
        return _GREYS[plain.index(name) % len(_GREYS)], "-"
    scales = sorted({r["scale"] for r in results.values() if r["scale"]})
    return _COLORS.get(family, "black"), _LINES[scales.index(scale) % len(_LINES)]


def draw_scales(axis: Any, metrics: dict[str, Any], label: str) -> None:
    """The final score of every law over its temperature, and of the baselines as lines."""
    results, score = metrics["methods"], metrics["score"]
    families = dict.fromkeys(r["family"] for r in results.values() if r["scale"])
    for family in families:
        points = sorted((r["scale"], r[score]) for r in results.values() if r["family"] == family)
        axis.plot(*zip(*points, strict=True), "o-", color=_COLORS.get(family, "black"), label=family)
    for name, result in results.items():
        if not result["scale"]:
            color, _ = style_of(name, metrics)
            axis.axhline(result[score], color=color, linestyle="--", label=name.replace("-", " "))
    axis.set_xscale("log")
    scales = sorted({r["scale"] for r in results.values() if r["scale"]})
    axis.set_xticks(scales, [f"{s:g}" for s in scales])
    axis.minorticks_off()
    axis.set(xlabel="temperature (scale of the law)", ylabel=label)
    axis.legend(fontsize=8, frameon=False)
    _tidy(axis)


def draw_curves(axis: Any, metrics: dict[str, Any], label: str) -> None:
    """The score of every method over the steps of training."""
    for name, result in metrics["methods"].items():
        color, line = style_of(name, metrics)
        points = result["curve"]
        axis.plot([p["step"] for p in points], [p[metrics["score"]] for p in points], line, color=color, label=name)
    axis.set(xlabel="steps", ylabel=label)
    axis.legend(fontsize=7, framealpha=0.7, edgecolor="none", ncols=2)
    _tidy(axis)


def _tidy(axis: Any) -> None:
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
