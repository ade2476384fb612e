"""Train one task by a program at several temperatures and laws, and by a baseline; compare, and show what happened."""

import json
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from algonets.experiments._options import at_least, check_folder, one_device, open_folder, positive
from algonets.experiments._training import RunError, check_settings, checkpoint_path, fit, make_trainer, write_json
from algonets.experiments.relax.learner import Batches, Learner, Task
from algonets.experiments.relax.methods import LawName, grid

__all__ = ["Comparison"]


class Comparison:
    """The run of an experiment with a relaxed program; a subclass brings the task and the picture.

    Args:
        laws: Families of the perturbations.
        scales: Temperatures of each law: the scale of its perturbations.
        steps: Steps of training.
        batch_size: Examples a step.
        interval: Steps between two measurements and checkpoints.
        learning_rate: Of Adam, at the start; it falls along a cosine.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/ and the name of the experiment.
        resume: Go on with an interrupted run in the output folder; finished methods are not run again.
        overwrite: Replace a run in the output folder.
        seed: Of data and first weights.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    name = ""
    baselines: tuple[str, ...] = ("baseline",)

    def __init__(
        self,
        laws: list[LawName],
        scales: list[float],
        steps: int,
        batch_size: int,
        interval: int,
        learning_rate: float,
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        at_least(1, steps=steps, batch_size=batch_size, interval=interval)
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        self.trainer_options = one_device(self.name, trainer)
        if not laws or not scales:
            raise RunError("--laws and --scales must name at least one each.")
        if min(scales) <= 0:
            raise RunError(f"--scales must be positive, got {min(scales)}.")
        self.methods = grid(laws, scales, list(self.baselines))
        self.steps, self.batch_size, self.interval = steps, batch_size, min(interval, steps)
        self.learning_rate, self.data_dir, self.seed = learning_rate, data_dir, seed
        self.resume, self.overwrite, self.config = resume, overwrite, config
        self.output = Path(output or f"runs/{self.name}")

    # ---- of a subclass

    def task(self, console: Console) -> Task:
        """Read the data and make the task."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """The options of the subclass that a resumed run must share."""
        raise NotImplementedError

    def picture(self, path: Path, metrics: dict[str, Any], task: Task, networks: dict[str, torch.nn.Module]) -> None:
        """Draw the report."""
        raise NotImplementedError

    # ---- the run

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        task = self.task(console)
        metrics: dict[str, Any] = {**self._settings(), "score": task.score, "methods": {}}
        networks: dict[str, torch.nn.Module] = {}
        for name in self.methods:
            networks[name], metrics["methods"][name] = self._measure(name, task, console)
            write_json(self.output / "metrics.json", metrics)
        self.picture(self.output / "report.png", metrics, task, networks)
        console.print(_table(self.name, metrics))
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        own = {"seed": self.seed, "steps": self.steps, "batch_size": self.batch_size, "interval": self.interval}
        return {**own, "learning_rate": self.learning_rate, **self.settings()}

    def _measure(self, name: str, task: Task, console: Console) -> tuple[torch.nn.Module, dict[str, Any]]:
        """Train with one method, or go on, or read what is finished; returns its network and its figures."""
        method, folder = self.methods[name], self.output / name
        shown = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        settings = {**self._settings(), "method": repr(method), "trainer": shown}
        check_settings(folder, settings, self.resume, self.overwrite)
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        torch.manual_seed(self.seed)
        learner = Learner(task, method, self.learning_rate, self.steps)
        if done.exists():
            console.print(f"[bold]{name}[/]: finished before, figures of {done}")
            _restore(learner, newest)
            return learner.network.eval(), json.loads(done.read_text())
        resuming = self.resume and newest.exists()
        if resuming:
            _restore(learner, newest)
        epochs = -(-self.steps // self.interval)
        options = {"reload_dataloaders_every_n_epochs": 1, **self.trainer_options}
        trainer = make_trainer(folder, epochs, self.seed, options, name)
        console.print(f"[bold]{name}[/]: {'going on from ' + str(newest) if resuming else 'training'} ...")
        fit(trainer, learner, Batches(task, self.steps, self.interval, self.seed), newest if resuming else None)
        result = {
            **{"family": method.family, "scale": method.scale},
            **learner.measured(True),
            "train_seconds": round(learner.step_seconds, 1),
            "curve": learner.curve,
        }
        write_json(done, result)
        return learner.network.eval(), result


def _restore(learner: Learner, path: Path) -> None:
    try:
        learner.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    except Exception as error:
        raise RunError(f"{path} could not be read ({type(error).__name__}). Use --overwrite to start anew.") from error


def _table(name: str, metrics: dict[str, Any]) -> Table:
    results, score = metrics["methods"], metrics["score"]
    table = Table(title=f"{name}: held-out data, after {metrics['steps']} steps")
    others = ("family", "scale", "train_seconds", "curve")
    scores = [key for key in next(iter(results.values())) if key not in others]
    for column in ("method", *(f"{key} %" for key in scores), "training s"):
        table.add_column(column, justify="left" if column == "method" else "right")
    best = max(result[score] for result in results.values())
    for method, result in results.items():
        figures = [f"{result[key]:.2f}" for key in scores]
        style = "bold" if result[score] == best else ""
        table.add_row(method, *figures, f"{result['train_seconds']:.1f}", style=style)
    return table
