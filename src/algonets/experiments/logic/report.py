"""Pictures: accuracy over time with the gates that were learned, and a circuit as a graph."""

from pathlib import Path
from typing import Any

import numpy as np

from algonets import logic

__all__ = ["save_graph", "save_report"]

INK, SOFT, RED = "#1f3b73", "#d9902f", "#c0392b"


def save_report(path: Path, metrics: dict[str, Any]) -> None:
    """Draw soft and hard accuracy over time, and how often each gate was learned."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(11, 4.2), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    history = metrics["history"]
    seconds = [entry["seconds"] for entry in history]
    for kind, colour, mark in (("soft", SOFT, "o--"), ("hard", INK, "s-")):
        left.plot(seconds, [entry[kind] for entry in history], mark, color=colour, label=f"{kind} gates", markersize=4)
    left.set(xlabel="seconds of training", ylabel="test accuracy, %", title=f"{metrics['data']}: soft and hard")
    low = min(entry["hard"] for entry in history[len(history) // 4 :])
    left.set_ylim(max(0.0, low - 3), min(100.5, max(max(e["soft"], e["hard"]) for e in history) + 1.5))
    left.grid(alpha=0.3)
    left.legend(frameon=False)
    counts = metrics["gate_types"]
    names = list(counts)[::-1]
    right.barh(names, [counts[name] for name in names], color=INK)
    right.set(
        xlabel="gates learned; those of a tree count once",
        title=f"circuit: {metrics['gates_before']:,} gates, {metrics['gates']:,} after simplification",
    )
    right.tick_params(axis="y", labelsize=8)
    for side in ("top", "right"):
        left.spines[side].set_visible(False)
        right.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def save_graph(path: Path, circuit: logic.Circuit, names: tuple[str, ...], title: str) -> None:
    """Draw a small circuit from left to right: inputs that are used, gates, the output."""
    import matplotlib.figure

    level, used, edges = circuit.levels(), set(), []
    first = 1 + circuit.inputs
    for gate, pair in enumerate(zip(circuit.a.tolist(), circuit.b.tolist(), strict=True)):
        for literal in pair:
            used.add(literal >> 1)
            edges.append((literal >> 1, first + gate, literal & 1))
    used |= {first + gate for gate in range(len(circuit.kind))}
    output = int(circuit.literals[0])
    flipped = _flipped(circuit, edges, output)
    edges = [
        (s, t, n ^ flipped.get(s, 0) ^ (flipped.get(t, 0) & int(circuit.kind[t - first] == 0))) for s, t, n in edges
    ]
    words = {(0, 0): "and", (0, 1): "or", (1, 0): "xor", (1, 1): "equal"}
    deepest = int(level.max())
    columns: dict[int, list[int]] = {}
    for node in sorted(used):
        columns.setdefault(int(level[node]), []).append(node)
    place = _places(columns, edges)
    tallest = max(len(members) for members in columns.values())
    figure = matplotlib.figure.Figure(
        figsize=(2.6 + 1.55 * (deepest + 1), 1.2 + 0.46 * tallest), layout="constrained", dpi=120
    )
    axes = figure.subplots()
    axes.axis("off")
    end = (deepest + 0.9, place[output >> 1][1])
    lines = [*edges, (output >> 1, -1, (output & 1) ^ flipped.get(output >> 1, 0))]
    for source, target, negated in lines:
        a, b = place[source], place[target] if target >= 0 else end
        bend = 0.0 if b[0] - a[0] <= 1.0 else 1.4  # around what lies between
        t = np.linspace(0.0, 1.0, 31)
        across, along = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]) - bend * t * (1 - t)
        axes.plot(across, along, color=RED if negated else "#555555", ls="--" if negated else "-", lw=1.2, zorder=1)
    for node, (x, y) in place.items():
        gate = node - first
        text = names[node - 1] if gate < 0 else words[int(circuit.kind[gate]), flipped[node]]
        colour = "#eef2fa" if gate < 0 else ("#fff4e0", "#e5f5ea")[int(circuit.kind[gate])]
        axes.text(
            *(x, y, text),
            ha="right" if gate < 0 else "center",
            va="center",
            fontsize=9,
            zorder=2,
            bbox={"boxstyle": "round,pad=0.3", "fc": colour, "ec": INK, "lw": 0.8},
        )
    axes.text(*end, " class 1", va="center", fontsize=9, fontweight="bold")
    axes.set_title(f"{title}\n(dashed red: the opposite)" if any(n for _, _, n in lines) else title, fontsize=10)
    axes.set_xlim(-1.1, deepest + 1.7)
    axes.margins(y=0.12)
    figure.savefig(path)


def _flipped(circuit: logic.Circuit, edges: list[tuple[int, int, int]], output: int) -> dict[int, int]:
    """Gates that are easier to read as their opposite, as all that reads them reads it: de Morgan, from the end."""
    first = 1 + circuit.inputs
    flipped: dict[int, int] = {}
    for node in range(first + len(circuit.kind) - 1, first - 1, -1):
        reads = [n ^ (flipped[t] & int(circuit.kind[t - first] == 0)) for s, t, n in edges if s == node]
        if node == output >> 1:
            reads.append(output & 1)
        flipped[node] = int(bool(reads) and all(reads))
    return flipped


def _places(columns: dict[int, list[int]], edges: list[tuple[int, int, int]]) -> dict[int, tuple[float, float]]:
    """Columns by level; in a column by the mean height of what a node reads, or of what reads it, a few times over."""
    height = {node: float(k) for members in columns.values() for k, node in enumerate(members)}
    reads: dict[int, list[int]] = {}
    for source, target, _ in edges:
        reads.setdefault(target, []).append(source)
        reads.setdefault(source, []).append(target)
    for _ in range(12):
        for members in columns.values():
            wanted = {node: float(np.mean([height[other] for other in reads.get(node, [node])])) for node in members}
            members.sort(key=lambda node: wanted[node])
            middle = (len(members) - 1) / 2
            tallest = max(len(other) for other in columns.values())
            for k, node in enumerate(members):
                step = max(1.0, 0.75 * tallest / max(len(members), 1))
                height[node] = (k - middle) * step
    return {node: (float(level), -height[node]) for level, members in columns.items() for node in members}
