"""Pictures: a recall step by step, and what came back as curves."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from algonets.experiments.memory.capacity import EXPECTED
from algonets.experiments.memory.recall import MEMORIES, RULES, Trace, hopfield, make_memory, trace
from algonets.memory import ModernHopfield, flip

__all__ = ["save_curves", "save_steps"]

INK, BAD = "#1f3b73", "#c0392b"
COLOURS = {
    "hebb": BAD,
    "hebb_centred": "#e59a8f",
    "storkey": "#d9902f",
    "pseudo_inverse": INK,
    "perceptron": "#3d9970",
    "modern": "#7b4fa3",
    "hamming": "#222222",
}
MARKS = dict(zip(MEMORIES, "osD^vxP", strict=True))
NAMES = {"hebb_centred": "Hebb, centred", "pseudo_inverse": "Pseudo-inverse"}
SHOWN = 6


def save_steps(path: Path, patterns: Tensor, which: int, side: int, noise: float, beta: float, seed: int) -> dict:
    """Draw one noisy digit falling into each memory; returns the energy curves of the classical ones."""
    import matplotlib.figure

    query = flip(patterns[which], noise, torch.Generator().manual_seed(seed))
    traces = {rule: trace(hopfield(rule, patterns), query, SHOWN, seed) for rule in RULES}
    rows: dict[str, tuple[Tensor, list[str]]] = {
        rule: (found.states, [f"{step} flips" for step in found.steps]) for rule, found in traces.items()
    }
    modern = [query]
    for _ in range(SHOWN - 1):
        modern.append(ModernHopfield(len(query), beta).store(patterns)(modern[-1]))
    rows["modern"] = (torch.stack(modern), [f"{step} updates" for step in range(SHOWN)])
    rows["hamming"] = (torch.stack([query, make_memory("hamming", patterns)(query[None])[0]]), ["query", "winner"])

    figure = matplotlib.figure.Figure(figsize=(1.25 * (SHOWN + 1), 1.45 * len(rows)), layout="constrained", dpi=110)
    grid = figure.subplots(len(rows), SHOWN + 1)
    for line, (name, (states, titles)) in zip(grid, rows.items(), strict=True):
        for axes in line:
            axes.axis("off")
        for axes, state, title in zip(line, states, titles, strict=False):
            _draw(axes, state, side, title)
        wrong = int((torch.where(states[-1] < 0, -1.0, 1.0) != patterns[which]).sum())
        _draw(line[-1], patterns[which], side, "stored")
        line[0].text(-0.15, 0.5, _name(name), transform=line[0].transAxes, rotation=90, va="center", fontsize=8)
        line[len(titles) - 1].set_title(f"{titles[-1]}, {wrong} wrong", fontsize=7, color=BAD if wrong else INK)
    figure.suptitle(f"{len(patterns)} digits stored, {100 * noise:.0f} % of the bits flipped", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return traces


def save_curves(path: Path, metrics: dict[str, Any], traces: dict[str, Trace]) -> None:
    """Draw recall against noise, capacities, and energies."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(11, 7.5), layout="constrained", dpi=110)
    (noise, energy), (overlaps, kept) = figure.subplots(2, 2)
    for name, found in metrics["recall"].items():
        levels = {float(k): v["exact"] for k, v in found["flip"].items()}
        noise.plot(
            [100 * k for k in levels], list(levels.values()), MARKS[name] + "-", color=COLOURS[name], label=_name(name)
        )
    noise.set(
        xlabel="bits flipped, %", ylabel="recalled without an error, %", title=f"{metrics['stored']} digits stored"
    )
    noise.legend(frameon=False, fontsize=8)
    for name, found in traces.items():
        first, last = found.energies[0], found.energies[-1]
        descent = [100 * (e - last) / (first - last) for e in found.energies] if last < first else [0.0]
        energy.plot(descent, color=COLOURS[name], label=_name(name))
    energy.set(xlabel="flips", ylabel="energy above the end, % of the descent", title="No update raises the energy")
    energy.legend(frameon=False, fontsize=8)
    found = {float(k): v for k, v in metrics["random"]["hebb_overlap"].items()}
    overlaps.plot(list(found), list(found.values()), "o-", color=BAD, label=f"Hebb, n = {metrics['random']['n']}")
    overlaps.plot(list(EXPECTED), list(EXPECTED.values()), "x", color="black", ms=9, label="expected")
    overlaps.axvline(0.138, color="0.7", lw=0.8, ls="--")
    overlaps.set(
        xlabel="random patterns / n", ylabel="overlap after settling", ylim=(0, 1.03), title="Hebb forgets all at once"
    )
    overlaps.legend(frameon=False, fontsize=8)
    for name, found in metrics["digit_capacity"].items():
        counts = {int(k): v for k, v in found.items()}
        kept.semilogx(list(counts), list(counts.values()), MARKS[name] + "-", color=COLOURS[name], label=_name(name))
    kept.set(xlabel="digits stored", ylabel="still fixed points, %", title="Digits are alike: what each rule keeps")
    kept.legend(frameon=False, fontsize=8)
    for axes in (noise, energy, overlaps, kept):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _draw(axes: Any, state: Tensor, side: int, title: str) -> None:
    axes.imshow(state.reshape(side, side).numpy(), cmap="gray_r", vmin=-1, vmax=1)
    axes.set_title(title, fontsize=7)


def _name(name: str) -> str:
    return NAMES.get(name, name.capitalize())
