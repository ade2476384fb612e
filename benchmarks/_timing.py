"""Timing shared by the benchmarks: one process, one thread, the best of repeated runs, peers beside us."""

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import algonets

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


def milliseconds(job: Callable[[], Any], seconds: float = 1.0, most: int = 50) -> float:
    """Best wall time of a job in ms: at least two runs after a warm-up, then as many as fit."""
    job()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 2 or (time.perf_counter() < end and runs < most):
        start = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return 1000 * best


def machine(*peers: str) -> dict[str, str]:
    """What the figures depend on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    packages = {name: version(name) for name in ("torch", *peers)}
    return {"cpu": model, "kernels": algonets.native_status()[1], "threads": str(torch.get_num_threads()), **packages}


def save(name: str, about: dict[str, str], rows: list[dict[str, Any]]) -> None:
    """Write ``docs/results/<name>.json`` and the table that the docs page includes, and print it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[c]) for c in columns) + " |" for row in rows]
    where = ", ".join(f"{key} {value}" for key, value in about.items())
    (RESULTS / f"{name}_table.inc").write_text("\n".join([f"Measured on: {where}.", "", *lines]) + "\n")
    print("\n".join(lines))


def _cell(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and value < 100
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )
