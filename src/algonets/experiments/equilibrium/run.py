"""The experiment: one step, unrolled to several depths or solved for its equilibrium."""

import json
import statistics
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import TensorDataset

from algonets.data import Digits
from algonets.experiments._options import at_least, check_folder, one_device, open_folder, positive
from algonets.experiments._training import (
    RunError,
    check_settings,
    checkpoint_path,
    epoch_loader,
    fit,
    make_trainer,
    write_json,
)
from algonets.experiments.equilibrium.measure import over_iterations
from algonets.experiments.equilibrium.model import EquilibriumClassifier
from algonets.experiments.equilibrium.report import save_report
from algonets.implicit import ConvergenceWarning

__all__ = ["EquilibriumExperiment"]

_COSTS = [1, 2, 4, 8, 16, 32, 64, 128]


class EquilibriumExperiment:
    """Classify digits by the equilibrium of a layer, and by the same layer unrolled.

    All networks have the same parameters; only how often the layer is applied differs, and how it is differentiated.
    Writes a table to the console and, into the output folder: metrics.json, report.png, and for each network
    checkpoints, TensorBoard logs and the settings.

    Args:
        depths: Of the unrolled networks; 0 is the equilibrium.
        seeds: Networks of each depth, with other first weights and batches.
        epochs: Passes over the training digits.
        batch_size: Digits a step.
        channels: Of the state.
        learning_rate: Peak of the one-cycle schedule.
        train_size: Use only so many training digits; all by default.
        output: Folder for the results; by default runs/equilibrium.
        resume: Go on with an interrupted run in the output folder; finished networks are not trained again.
        overwrite: Replace a run in the output folder.
        seed: The first of the seeds.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        depths: list[int] | None = None,
        seeds: int = 3,
        epochs: int = 8,
        batch_size: int = 64,
        channels: int = 16,
        learning_rate: float = 5e-3,
        train_size: int | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        at_least(1, seeds=seeds, epochs=epochs, batch_size=batch_size, channels=channels, train_size=train_size)
        self.depths = [0, 1, 2, 4, 8, 16] if depths is None else list(depths)
        if not self.depths or min(self.depths) < 0:
            raise RunError(f"--depths must be depths of at least 0, got {self.depths}.")
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        self.trainer_options = one_device("equilibrium", trainer)
        self.seeds, self.epochs, self.batch_size, self.seed = seeds, epochs, batch_size, seed
        self.model_options = {"channels": channels, "learning_rate": learning_rate}
        self.train_size = train_size
        self.output = Path(output or "runs/equilibrium")
        self.resume, self.overwrite, self.config = resume, overwrite, config

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        train, test = (_tensors(part) for part in (True, False))
        train = (train[0][: self.train_size], train[1][: self.train_size])
        console.print(f"[bold]train   [/] {len(train[1])} digits\n[bold]held out[/] {len(test[1])} digits")
        metrics: dict[str, Any] = {**self._settings(), "networks": []}
        for depth in self.depths:
            results = [self._measure(depth, self.seed + k, train, test, console) for k in range(self.seeds)]
            metrics["networks"].append(_summary(depth, results))
            write_json(self.output / "metrics.json", metrics)
        torch.manual_seed(self.seed)
        fresh = EquilibriumClassifier(0, **self.model_options)
        x = fresh.inject(2 * train[0][: self.batch_size] - 1).detach()
        weight = fresh.step.contraction().detach().requires_grad_()
        metrics["costs"] = over_iterations(fresh.step, (x, weight), _COSTS)
        write_json(self.output / "metrics.json", metrics)
        save_report(self.output / "report.png", metrics)
        for table in _tables(metrics):
            console.print(table)
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "train_size": self.train_size,
            **self.model_options,
        }

    def _measure(
        self,
        depth: int,
        seed: int,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        console: Console,
    ) -> dict[str, Any]:
        """Train a network, or go on, or read what is finished; returns its figures."""
        name = f"depth-{depth or 'infinite'}-seed-{seed}"
        folder = self.output / name
        shown = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        settings = {**self._settings(), "seed": seed, "depth": depth, "trainer": shown}
        check_settings(folder, settings, self.resume, self.overwrite)
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        if done.exists():
            console.print(f"[bold]{name}[/]: finished before, figures of {done}")
            return json.loads(done.read_text())
        torch.manual_seed(seed)
        network = EquilibriumClassifier(depth, **self.model_options)
        resuming = self.resume and newest.exists()
        if resuming:
            _check_readable(newest)
        trainer = make_trainer(folder, self.epochs, seed, self.trainer_options, name)
        console.print(f"[bold]{name}[/]: {'going on from ' + str(newest) if resuming else 'training'} ...")
        with warnings.catch_warnings():  # in training some digits may not settle; the result counts those of the test
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit(trainer, network, _Loader(train, self.batch_size, seed), newest if resuming else None)
        network.eval()
        network.iterations, network.converged = [], []
        with torch.no_grad():
            right = network(test[0]).argmax(-1) == test[1]
        result: dict[str, Any] = {
            "accuracy": round(100 * right.float().mean().item(), 2),
            "parameters": sum(p.numel() for p in network.parameters()),
            "train_seconds": round(network.step_seconds, 2),
        }
        if network.iterations:
            result["iterations"] = round(statistics.mean(network.iterations), 1)
            result["converged"] = round(100 * statistics.mean(network.converged), 1)
        write_json(done, result)
        return result


class _Loader(lightning.LightningDataModule):
    """Batches of digits."""

    def __init__(self, train: tuple[Tensor, Tensor], batch_size: int, seed: int):
        super().__init__()
        self.dataset, self.batch_size, self.seed = TensorDataset(*train), batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader."""
        return epoch_loader(self.dataset, self.batch_size, self.seed, 0, 1, None)


def _tensors(train: bool) -> tuple[Tensor, Tensor]:
    digits = Digits(train)
    return digits.images[:, None].float() / 255, digits.labels


def _check_readable(path: Path) -> None:
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RunError(f"{path} could not be read ({type(error).__name__}). Use --overwrite to start anew.") from error


def _summary(depth: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    accuracies = [result["accuracy"] for result in results]
    row = {
        "depth": depth,
        "accuracy": round(statistics.mean(accuracies), 2),
        "deviation": round(statistics.stdev(accuracies), 2) if len(accuracies) > 1 else 0.0,
        "accuracies": accuracies,
        "parameters": results[0]["parameters"],
        "train_seconds": round(statistics.mean(result["train_seconds"] for result in results), 1),
    }
    for key in ("iterations", "converged"):
        if key in results[0]:
            row[key] = round(statistics.mean(result[key] for result in results), 1)
    return row


def _tables(metrics: dict[str, Any]) -> list[Table]:
    networks = Table(title=f"Held-out digits, after {metrics['epochs']} epochs")
    for name in ("depth", "accuracy %", "parameters", "training s", "iterations", "converged %"):
        networks.add_column(name, justify="left" if name == "depth" else "right")
    for row in metrics["networks"]:
        networks.add_row(
            str(row["depth"] or "infinite"),
            f"{row['accuracy']:.2f} ± {row['deviation']:.2f}",
            str(row["parameters"]),
            f"{row['train_seconds']:.1f}",
            f"{row.get('iterations', row['depth']):.0f}",
            f"{row['converged']:.0f}" if "converged" in row else "",
        )
    costs = Table(title=f"A forward and backward pass of {metrics['batch_size']} digits")
    for name in ("iterations", "unrolled MB", "implicit MB", "unrolled ms", "implicit ms"):
        costs.add_column(name, justify="right")
    for row in metrics["costs"]:
        figures = [f"{row[f'{way}_megabytes']:.2f}" for way in ("unrolled", "implicit")]
        figures += [f"{1000 * row[f'{way}_seconds']:.1f}" for way in ("unrolled", "implicit")]
        costs.add_row(str(row["iterations"]), *figures)
    return [networks, costs]
