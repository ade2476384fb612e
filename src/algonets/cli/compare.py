"""``algonets compare gradients``: every estimator around one solver, at equal calls of it."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from algonets import distributions, graph
from algonets.experiments._options import at_least, open_folder, positive
from algonets.experiments._training import RunError, write_json
from algonets.gradients import Diagnosis, compare
from algonets.gradients.diagnosis import plot, table

__all__ = ["SOLVERS", "compare_gradients"]


def _argmax(theta: Tensor) -> Tensor:
    return torch.zeros_like(theta).scatter(-1, theta.argmax(-1, keepdim=True), 1.0)


def _topk(theta: Tensor, k: int) -> Tensor:
    return torch.zeros_like(theta).scatter(-1, theta.topk(min(k, theta.shape[-1]), -1).indices, 1.0)


def _ranking(theta: Tensor) -> Tensor:
    return theta.argsort(-1).argsort(-1).to(theta.dtype) + 1


def _scores(*shape: int) -> Callable[[int, torch.Generator], Tensor]:
    return lambda examples, generator: torch.randn(examples, *shape, generator=generator, dtype=torch.float64)


def _costs(*shape: int) -> Callable[[int, torch.Generator], Tensor]:
    return lambda examples, generator: torch.rand(examples, *shape, generator=generator, dtype=torch.float64) + 0.5


Case = tuple[Callable[..., Tensor], Callable[[int, torch.Generator], Tensor], dict[str, Any]]
SOLVERS: dict[str, Callable[[int], Case]] = {
    "argmax": lambda n: (_argmax, _scores(n), {}),
    "topk": lambda n: (functools.partial(_topk, k=3), _scores(n), {}),
    "ranking": lambda n: (_ranking, _scores(n), {}),
    "grid-path": lambda n: (graph.GridPath(), _costs(n, n), {"keep_sign": True}),
    "shortest-path": lambda n: (graph.ShortestPath.grid(n, n), _costs(2 * n * (n - 1)), {}),
    "assignment": lambda n: (graph.Assignment(sense="max"), _scores(n, n), {}),
}
"""Name to solver, typical thetas, and options of the layers, for a size."""


def compare_gradients(
    solver: str, size: int, calls: list[int], scale: float, examples: int, repeats: int, seed: int, output: str
) -> int:
    """Measure, print a table for each budget, and write figures and a picture."""
    at_least(1, size=size, examples=examples, repeats=repeats)
    positive(scale=scale)
    if not calls or min(calls) < 1:
        raise RunError(f"--calls must be numbers of at least 1, got {calls}.")
    function, thetas, options = _find(solver, size)
    generator = torch.Generator().manual_seed(seed)
    law = distributions.Gaussian(scale)
    theta = thetas(examples, generator)
    found = compare(function, theta, sorted(calls), distribution=law, repeats=repeats, generator=generator, **options)
    for budget in sorted(calls):
        rows = {name: _at(rows, budget) for name, rows in found.items()}
        print(f"\n{solver}, size {size}: at most {budget} calls an example, forward and backward")
        print(table({name: row for name, row in rows.items() if row is not None}))
    folder = Path(output or f"runs/compare-gradients-{solver.replace(':', '-')}")
    open_folder(folder)
    figures = {name: {str(budget): row.as_dict() for budget, row in rows.items()} for name, rows in found.items()}
    about = {"solver": solver, "size": size, "scale": scale, "examples": examples, "repeats": repeats, "seed": seed}
    write_json(folder / "metrics.json", {**about, "estimators": figures})
    plot(folder / "report.png", found, f"{solver}, size {size}, {examples} examples, noise {law!r}")
    print(f"\nPicture: {folder / 'report.png'}    figures: {folder / 'metrics.json'}")
    return 0


def _at(rows: dict[int, Diagnosis], budget: int) -> Diagnosis | None:
    """What an estimator does with a budget: its figures for the largest that it has been measured with."""
    within = [calls for calls in rows if calls <= budget]
    return rows[max(within)] if within else None


def _find(solver: str, size: int) -> Case:
    if solver in SOLVERS:
        return SOLVERS[solver](size)
    module, colon, name = solver.partition(":")
    if not colon:
        raise RunError(f"--solver must be one of {', '.join(SOLVERS)}, or module:function, got {solver!r}.")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RunError(f"--solver must name a function that can be imported, got {solver!r} ({error}).") from error
    dims = getattr(function, "event_dims", 1)
    make = _costs if getattr(function, "sense", "max") == "min" else _scores
    return function, make(*(size,) * dims), {}
