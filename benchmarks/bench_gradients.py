"""PyEPO's shortest path benchmark: regret of a linear model, and seconds, beside PyEPO with OR-tools; one thread.

1000 training and 1000 test instances of a 5 x 5 grid, 5 features, degree 4, noise 0.5, Adam at 0.01, batches of 32, 20
epochs. Both libraries get the same data, first weights, losses and settings: 3 samples, noise of scale 1, lambda 10,
5 % of the batches solved for the pools. PyEPO is installed with --no-deps, with ortools, pathos and their
requirements; both run the same seeds. Seconds are those of the processor, in one process: others on a shared machine
stretch the time on the wall. ``--peer-solver`` takes another of PyEPO's backends (gurobipy or pyomo with highspy);
then the table is printed, not kept.

Before that, every estimator of a gradient around an argmax of ten items, at equal solver calls.

Usage: PYTHONPATH=<folder of the peers> python benchmarks/bench_gradients.py [--only training] [--methods spo+]
"""

import argparse
import importlib
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from _timing import machine, save

from algonets.experiments.predict_optimise.problems import Task, shortest_path
from algonets.experiments.predict_optimise.training import train
from algonets.gradients import compare
from algonets.losses import normalised_regret

TRAIN, TEST, EPOCHS, BATCH, RATE = 1000, 1000, 20, 32, 1e-2
SAMPLES, SIGMA, LAM, SHARE = 3, 1.0, 10.0, 0.05
PEER_SOLVERS = {"ort": "OR-tools (GLOP)", "grb": "Gurobi", "omo": "Pyomo and HiGHS"}
ROWS = {
    "spo+": "SPO+",
    "fenchel-young": "perturbed Fenchel-Young",
    "dpo": "perturbed, squared error (DPO)",
    "dpo-difference": "the same by differences (ours alone)",
    "nce": "noise contrastive",
    "blackbox": "blackbox, regret",
    "i-mle": "I-MLE, regret",
}


def split(seed: int) -> tuple[Task, Task]:
    task = shortest_path(TRAIN + TEST, seed=seed)
    first, last = slice(TRAIN), slice(TRAIN, None)
    return (
        Task(task.features[first], task.costs[first], task.solver),
        Task(task.features[last], task.costs[last], task.solver),
    )


def ours(method: str, seed: int) -> tuple[float, float]:
    start = time.process_time()
    found = train(
        method,
        *split(seed),
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=RATE,
        samples=SAMPLES,
        sigma=SIGMA,
        lam=LAM,
        seed=seed,
    )
    return found.regret, time.process_time() - start


def peer(method: str, seed: int, solver: str) -> tuple[float, float]:
    """Train by PyEPO, as its tutorials do; measured by the same function as ours."""
    import numpy
    import pyepo  # pyright: ignore[reportMissingImports]

    models = importlib.import_module(f"pyepo.model.{solver}")
    problem = models.shortestPathModel((5, 5), **({"solver": "appsi_highs"} if solver == "omo" else {}))
    before, held_out = split(seed)
    torch.manual_seed(seed)
    model = torch.nn.Linear(5, 40)
    start = time.process_time()
    data = pyepo.data.dataset.optDataset(problem, before.features.numpy(), before.costs.numpy())
    loss = peer_loss(pyepo, method, problem, data)
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    numpy.random.seed(seed)
    for _ in range(EPOCHS):
        for x, c, w, _z in torch.utils.data.DataLoader(data, BATCH, shuffle=True):
            value = loss(model(x), c, w, _z)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    seconds = time.process_time() - start
    with torch.no_grad():
        theta = model(held_out.features)
    return 100 * normalised_regret(held_out.solver, theta, held_out.costs).item(), seconds


def peer_loss(pyepo: Any, method: str, problem: Any, data: Any) -> Callable[..., torch.Tensor]:
    func = pyepo.func
    if method == "spo+":
        spo = func.SPOPlus(problem, processes=1)
        return spo
    if method == "fenchel-young":
        young = func.perturbedFenchelYoung(problem, n_samples=SAMPLES, sigma=SIGMA, processes=1)
        return lambda cp, c, w, z: young(cp, w)
    if method == "dpo":
        layer = func.perturbedOpt(problem, n_samples=SAMPLES, sigma=SIGMA, processes=1)
        return lambda cp, c, w, z: torch.nn.functional.mse_loss(layer(cp), w)
    if method == "nce":
        contrast = func.NCE(problem, processes=1, solve_ratio=SHARE, dataset=data)
        return lambda cp, c, w, z: contrast(cp, w)
    if method == "blackbox":
        layer = func.blackboxOpt(problem, lambd=LAM, processes=1)
    else:
        layer = func.implicitMLE(problem, n_samples=SAMPLES, sigma=SIGMA, lambd=LAM, processes=1)
    return lambda cp, c, w, z: (c * layer(cp)).sum(-1).mean()


def estimator_rows() -> list[dict[str, Any]]:
    """Every estimator around an argmax of ten items, at budgets of 3, 10 and 50 calls: cosine of one estimate."""
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(200, 10, generator=generator, dtype=torch.float64)
    budgets = (3, 10, 50)
    found = compare(lambda t: torch.eye(10).to(t)[t.argmax(-1)], theta, budgets, repeats=5, generator=generator)
    rows = []
    for name, by_budget in found.items():
        row: dict[str, Any] = {"estimator": name}
        last = None
        for budget in budgets:
            last = by_budget.get(budget, last)
            row[f"cosine, {budget} calls"] = "" if last is None else f"{last.cosine:.2f}"
        ten = by_budget.get(10, last)
        row |= {"calls of 10": f"{ten.calls:.0f}", "bias": f"{ten.bias:.2f}", "variance": f"{ten.variance:.2f}"}
        rows.append(row | {"without gradient, %": f"{100 * ten.zeros:.0f}"})
    return sorted(rows, key=lambda row: row["cosine, 10 calls"], reverse=True)


def mean_and_deviation(values: list[float]) -> str:
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values) if len(values) > 1 else 0:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="*", choices=tuple(ROWS), default=tuple(ROWS))
    parser.add_argument("--peer-solver", choices=tuple(PEER_SOLVERS), default="ort")
    parser.add_argument("--only", choices=("estimators", "training"), default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    if options.only != "training":
        save("compare_gradients", machine("numpy"), estimator_rows())
    if options.only != "estimators":
        compare_training(options.methods, options.seeds, options.peer_solver)


def compare_training(methods: Sequence[str], seeds: int, solver: str) -> None:
    rows = []
    for method in methods:
        mine = [ours(method, seed) for seed in range(seeds)]
        peers = [] if method == "dpo-difference" else [peer(method, seed, solver) for seed in range(seeds)]
        seconds = statistics.fmean(s for _, s in mine)
        row: dict[str, Any] = {"loss": ROWS[method], "algonets regret %": mean_and_deviation([r for r, _ in mine])}
        row |= {"PyEPO regret %": "", "ours less PyEPO's, paired": "", "algonets CPU s": round(seconds, 2)}
        row |= {"PyEPO CPU s": "", "ratio": ""}
        if peers:
            theirs = statistics.fmean(s for _, s in peers)
            gaps = [a - b for (a, _), (b, _) in zip(mine, peers, strict=True)]
            row |= {"PyEPO regret %": mean_and_deviation([r for r, _ in peers])}
            row |= {"ours less PyEPO's, paired": mean_and_deviation(gaps)}
            row |= {"PyEPO CPU s": round(theirs, 2), "ratio": round(theirs / seconds, 1)}
        rows.append(row)
        if solver != "ort" or set(methods) != set(ROWS):
            print(row, flush=True)
    if solver == "ort" and set(methods) == set(ROWS):
        about = machine("numpy") | {"PyEPO": f"2.2.7 with {PEER_SOLVERS[solver]}", "seeds": str(seeds)}
        save("gradients", about, rows)


if __name__ == "__main__":
    main()
