"""One look for the pictures of all short experiments: large enough to be projected, quiet, without frames."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["COLOURS", "GREY", "bars", "lines", "mosaic", "new_figure", "show", "tidy"]

COLOURS = ("#1f3b73", "#d9702f", "#2f8f5b", "#b03060", "#7a5fa8", "#8a6d1f")
GREY = "#8c8c8c"


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure, in inches."""
    import matplotlib.figure

    return matplotlib.figure.Figure(figsize=(width, height), layout="constrained", dpi=120)


def tidy(axes: Any, title: str = "", x: str = "", y: str = "", legend: bool = False) -> None:
    """Label axes and take away what is not needed."""
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False, fontsize=9)


def lines(axes: Any, x: Sequence[float], curves: Mapping[str, Sequence[float]], mark: str = "o-") -> None:
    """Draw a curve for each name."""
    for (name, y), colour in zip(curves.items(), COLOURS * 3, strict=False):
        axes.plot(x, y, mark, color=colour, label=name, ms=4)


def bars(axes: Any, values: Mapping[str, float], bound: float | None = None, form: str = "{:.3g}") -> None:
    """Draw a bar with its number for each name, and a line for what was asked."""
    names = list(values)
    axes.bar(range(len(names)), list(values.values()), color=[COLOURS[i % len(COLOURS)] for i in range(len(names))])
    for i, value in enumerate(values.values()):
        axes.text(i, value, form.format(value), ha="center", va="bottom", fontsize=9)
    axes.set_xticks(range(len(names)), names, fontsize=9)
    if bound is not None:
        axes.axhline(bound, color=GREY, ls="--", lw=1)


def mosaic(images: Tensor, columns: int, gap: int = 1, fill: float = 1.0) -> Tensor:
    """Put images ``(N, C, H, W)`` or ``(N, H, W)`` side by side, row after row; returns ``(H', W', 3)`` in [0, 1]."""
    stack = images.detach().float().cpu()
    stack = stack[:, None] if stack.ndim == 3 else stack
    stack = stack.expand(-1, 3, -1, -1) if stack.shape[1] == 1 else stack
    count, _, height, width = stack.shape
    rows = -(-count // columns)
    sheet = torch.full((3, rows * (height + gap) - gap, columns * (width + gap) - gap), fill)
    for i, image in enumerate(stack):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = image
    return sheet.clamp(0, 1).movedim(0, -1)


def show(axes: Any, image: Tensor, title: str = "", rows: Iterable[str] = (), **options: Any) -> None:
    """Show an image ``(H, W)``, ``(H, W, 3)`` or of :func:`mosaic`, without ticks; name its rows at the left."""
    axes.imshow(image.detach().cpu().numpy(), **{"interpolation": "nearest", **options})
    axes.set_title(title, fontsize=11)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    names = list(rows)
    places = [(i + 0.5) * image.shape[0] / len(names) for i in range(len(names))]
    axes.set_yticks(places, names, fontsize=9)
    axes.tick_params(length=0)
