"""The experiment: one linear model, trained by every loss on decisions, against the two stages of prediction."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table

from algonets.experiments._options import at_least, check_folder, open_folder, positive
from algonets.experiments._training import RunError, check_settings, write_json
from algonets.experiments.predict_optimise.problems import PROBLEMS, Task
from algonets.experiments.predict_optimise.report import save_report
from algonets.experiments.predict_optimise.training import METHODS, Outcome, train

__all__ = ["PredictOptimiseExperiment"]


class PredictOptimiseExperiment:
    """Predict costs, decide by them: losses on decisions against the mean squared error (PyEPO's benchmarks).

    The costs depend on five features by a polynomial, the model is linear: it cannot be right everywhere, so it should
    be right where decisions depend on it. Writes a table to the console and, into the output folder: metrics.json and
    report.png.

    Args:
        problem: shortest-path on a 5 x 5 grid, knapsack of 16 items, or tsp with 8 places.
        methods: Names of losses, or all by default: two-stage (the baseline), spo+, fenchel-young, sparsemap, dpo,
            dpo-difference, blackbox, identity, i-mle, pg, nce, map, rank.
        train_size: Training instances.
        test_size: Held-out instances.
        degree: Of the polynomial: the higher, the worse a linear model fits.
        noise: Half width of the factor of each cost, below 1.
        epochs: Passes over the training instances.
        batch_size: Instances a step.
        learning_rate: Of Adam.
        samples: Of perturbed layers.
        sigma: Scale of the noise.
        lam: Step of blackbox and i-mle.
        seeds: How many data sets and first weights.
        output: Folder for the results; by default runs/predict-optimise-<problem>.
        overwrite: Replace a run in the output folder.
        seed: The first seed.
        trainer: Unused, as the runs take seconds; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        problem: Literal["shortest-path", "knapsack", "tsp"] = "shortest-path",
        methods: Sequence[str] | None = None,
        train_size: int = 1000,
        test_size: int = 1000,
        degree: int = 4,
        noise: float = 0.5,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 1e-2,
        samples: int = 3,
        sigma: float = 1.0,
        lam: float = 10.0,
        seeds: int = 3,
        output: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.methods = list(METHODS) if methods is None else list(methods)
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            raise RunError(f"--methods must be among {', '.join(METHODS)}, got {unknown}.")
        at_least(1, train_size=train_size, test_size=test_size, degree=degree, epochs=epochs, batch_size=batch_size)
        at_least(1, samples=samples, seeds=seeds)
        positive(learning_rate=learning_rate, sigma=sigma, lam=lam)
        if not 0 <= noise < 1:
            raise RunError(f"--noise must be in [0, 1), got {noise}.")
        check_folder(output, False, overwrite)
        self.problem, self.train_size, self.test_size = problem, train_size, test_size
        self.degree, self.noise, self.seeds, self.seed = degree, noise, seeds, seed
        self.options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
        self.options |= {"samples": samples, "sigma": sigma, "lam": lam}
        self.output = Path(output or f"runs/predict-optimise-{problem}")
        self.overwrite, self.config = overwrite, config

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        settings: dict[str, Any] = {"problem": self.problem, "methods": self.methods, "seed": self.seed}
        settings |= {"seeds": self.seeds, "train_size": self.train_size, "test_size": self.test_size}
        settings |= {"degree": self.degree, "noise": self.noise, **self.options}
        check_settings(self.output, settings, resume=False, overwrite=self.overwrite)
        metrics: dict[str, Any] = {**settings, "threads": torch.get_num_threads(), "results": {}}
        every = max(1, self.options["epochs"] // 10)
        for name in self.methods:
            found = [
                train(name, *self._tasks(seed), **self.options, seed=seed, every=every)
                for seed in range(self.seed, self.seed + self.seeds)
            ]
            metrics["results"][name] = _summary(found) | {"every": every}
            console.print(f"{name}: regret {metrics['results'][name]['regret']:.2f} %")
            write_json(self.output / "metrics.json", metrics)
        _show(console, metrics)
        save_report(self.output / "report.png", metrics)
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _tasks(self, seed: int) -> tuple[Task, Task]:
        """Training and held-out instances of one data set."""
        count = self.train_size + self.test_size
        whole = PROBLEMS[self.problem](count, degree=self.degree, noise=self.noise, seed=seed)
        cut = self.train_size
        return (
            Task(whole.features[:cut], whole.costs[:cut], whole.solver),
            Task(whole.features[cut:], whole.costs[cut:], whole.solver),
        )


def _summary(found: list[Outcome]) -> dict[str, Any]:
    regrets = [run.regret for run in found]
    return {
        "regret": round(statistics.fmean(regrets), 3),
        "regret_deviation": round(statistics.stdev(regrets), 3) if len(regrets) > 1 else 0.0,
        "regrets": [round(value, 3) for value in regrets],
        "optimal": round(statistics.fmean(run.optimal for run in found), 2),
        "seconds": round(statistics.fmean(run.seconds for run in found), 2),
        "curve": [round(statistics.fmean(values), 3) for values in zip(*(run.curve for run in found), strict=True)],
    }


def _show(console: Console, metrics: dict[str, Any]) -> None:
    title = f"{metrics['problem']}, {metrics['test_size']} held-out instances, mean of {metrics['seeds']} seeds"
    table = Table(title=title)
    for name in ("loss", "regret %", "optimal %", "training s"):
        table.add_column(name, justify="left" if name == "loss" else "right")
    for name, found in sorted(metrics["results"].items(), key=lambda item: item[1]["regret"]):
        regret = f"{found['regret']:.2f} ± {found['regret_deviation']:.2f}"
        table.add_row(name, regret, f"{found['optimal']:.1f}", f"{found['seconds']:.1f}")
    console.print(table)
