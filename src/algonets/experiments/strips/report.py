"""A picture: a strip, its candidate cuts, and the lattice of interpretations with its best path."""

from pathlib import Path
from typing import Any

import torch

from algonets.experiments.strips.strip import Strip

__all__ = ["save_lattice"]


@torch.no_grad()
def save_lattice(path: Path, reader: Any, strips: list[Strip]) -> None:
    """Draw the lattice of a word of five or six letters: the better an arc, the darker; the best path in colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    strip = next((s for s in strips if 5 <= len(s.labels) <= 6), strips[0])
    every = reader.lattice([strip])
    marginals = every.marginals()
    table = every.arcs
    best = every.viterbi()[1][0]
    figure, (top, bottom) = pyplot.subplots(2, 1, figsize=(9, 5), height_ratios=(1, 2), layout="constrained")
    width = strip.image.shape[1]
    top.imshow(strip.image, cmap="gray_r", extent=(0, width, strip.image.shape[0], 0), aspect="auto")
    for cut in strip.cuts:
        top.axvline(cut, color="tab:orange", linewidth=0.8)
    read = "".join(chr(97 + int(table[arc, 3])) for arc in best)
    top.set(title=f"“{strip.word}” with its candidate cuts; read as “{read}”", xlim=(0, width), yticks=[], xticks=[])
    highest = 0.0
    strongest = marginals.argsort(descending=True)[:60].tolist()
    for arc in sorted({*strongest, *best}, key=lambda a: a in best):
        _, begin, end, letter, _ = table[arc].tolist()
        x, y = strip.cuts[begin], strip.cuts[end]
        height = 0.35 * (end - begin) + 0.02 * (letter % 5)
        probability = float(marginals[arc])
        if probability < 0.005 and arc not in best:
            continue
        colour = "tab:blue" if arc in best else str(0.8 - 0.6 * probability)
        highest = max(highest, height)
        xs = torch.linspace(0, 1, 30)
        bottom.plot(x + (y - x) * xs, 4 * height * xs * (1 - xs), color=colour, linewidth=2 if arc in best else 1)
        if probability > 0.03 or arc in best:
            bottom.text((x + y) / 2, height + 0.02, chr(97 + letter), color=colour, ha="center", va="bottom")
    bottom.plot(strip.cuts, [0] * len(strip.cuts), "o", color="black", markersize=4)
    bottom.set(xlim=(0, width), yticks=[], ylim=(-0.1, highest + 0.25), xlabel="column")
    bottom.set_title("lattice of interpretations: arcs by probability, the best path in blue")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
