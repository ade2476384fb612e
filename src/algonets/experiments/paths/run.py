"""The experiment: train a network from paths by one method or several, compare, and show what was learnt."""

import json
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from algonets.data import TerrainMaps
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
from algonets.experiments.paths.evaluate import evaluate, predict
from algonets.experiments.paths.methods import METHODS, MethodName, build_method
from algonets.experiments.paths.model import PathLearner
from algonets.experiments.paths.report import save_curves, save_maps

__all__ = ["PathsExperiment"]


class PathsExperiment:
    """Learn what tiles of a map cost from cheapest paths alone, through a shortest-path solver.

    A truncated ResNet-18 reads a picture of a map and says what each tile costs; Dijkstra's algorithm finds the path.
    Only right paths are given, no costs. Writes a table to the console and, into the output folder: metrics.json,
    report.png (curves), example.png (maps, costs, paths), and for each method checkpoints and TensorBoard logs.

    Args:
        method: How the path becomes a gradient. Pool: perceptron, hinge. Unroll: unroll, a soft Bellman-Ford.
            Analytic: fenchel-young (of perturbed paths), perturbed, imle, blackbox, identity. resnet is the baseline
            without an algorithm: a whole ResNet predicts the path itself.
        strength: Noise, margin, temperature or lambda of the method; by default that of the table.
        compare: Run several methods under one budget: same maps, same first weights, same steps.
        methods: Which ones to compare; by default all.
        side: Tiles along a side of a map.
        train_size: Maps to train on.
        test_size: Held-out maps.
        epochs: Passes over the maps.
        batch_size: Maps a step.
        learning_rate: Of Adam at its highest.
        width: Channels of the network's first stage; 64 is ResNet-18.
        precision: The network computes in float32 or bfloat16 (faster on processors with AMX).
        output: Folder for the results; by default runs/paths-<side>.
        resume: Go on with an interrupted run in the output folder; finished methods are not run again.
        overwrite: Replace a run in the output folder.
        seed: Of maps, order and first weights.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        method: MethodName = "fenchel-young",
        strength: float | None = None,
        compare: bool = False,
        methods: list[MethodName] | None = None,
        side: int = 12,
        train_size: int = 8000,
        test_size: int = 500,
        epochs: int = 12,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        width: int = 32,
        precision: Literal["float32", "bfloat16"] = "float32",
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        at_least(4, side=side)
        at_least(1, train_size=train_size, test_size=test_size, epochs=epochs, batch_size=batch_size, width=width)
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        if compare and strength is not None:
            raise RunError("--compare runs methods at their own strengths. Leave out --strength.")
        if methods is not None and not compare:
            raise RunError("--methods says what --compare runs. Give both, or one --method.")
        if strength is not None:
            positive(strength=strength)
        self.methods: list[MethodName] = (methods or list(METHODS)) if compare else [method]
        self.strength, self.compare, self.seed = strength, compare, seed
        self.trainer_options = one_device("paths", trainer)
        self.side, self.train_size, self.test_size, self.epochs = side, train_size, test_size, epochs
        self.batch_size = batch_size
        self.model_options: dict[str, Any] = {"width": width, "learning_rate": learning_rate, "precision": precision}
        self.resume, self.overwrite, self.config = resume, overwrite, config
        self.output = Path(output or f"runs/paths-{side}")

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        train = TerrainMaps(True, self.train_size, self.side, seed=self.seed)
        test = TerrainMaps(False, self.test_size, self.side, seed=self.seed)
        console.print(f"[bold]train   [/] {train!r}\n[bold]held out[/] {test!r}")
        metrics: dict[str, Any] = {**self._settings(), "methods": {}}
        shown: dict[str, tuple[Tensor, Tensor]] = {}
        for name in self.methods:
            metrics["methods"][name], shown[name] = self._measure(name, train, test, console)
            write_json(self.output / "metrics.json", metrics)
            save_curves(self.output / "report.png", metrics)
            save_maps(self.output / "example.png", test, shown)
        console.print(_table(metrics))
        console.print(f"Pictures: {self.output / 'report.png'}, {self.output / 'example.png'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "train_size": self.train_size,
            "test_size": self.test_size,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seed": self.seed,
            **self.model_options,
        }

    def _measure(
        self, name: MethodName, train: TerrainMaps, test: TerrainMaps, console: Console
    ) -> tuple[dict[str, Any], tuple[Tensor, Tensor]]:
        """Train by one method, or go on, or read what is finished; its figures, and costs and paths of the test."""
        folder = self.output / name if self.compare else self.output
        entry, direct = METHODS[name], name == "resnet"
        strength = entry.strength if self.strength is None else self.strength
        options = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        settings = {**self._settings(), "method": name, "strength": strength, "trainer": options}
        check_settings(folder, settings, self.resume, self.overwrite)
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        torch.manual_seed(self.seed)
        steps = self.epochs * -(-len(train) // self.batch_size)
        learner = PathLearner(build_method(name, strength), direct, test, steps, **self.model_options)
        if done.exists():
            console.print(f"[bold]{name}[/]: finished before, figures of {done}")
            _load(learner, newest)
            said = predict(learner, test.images)
            return json.loads(done.read_text()), (said, evaluate(said, test.costs, test.paths, direct)[1])
        resuming = self.resume and newest.exists()
        if resuming:
            _load(learner, newest)
        trainer = make_trainer(folder, self.epochs, self.seed, self.trainer_options, name)
        console.print(f"[bold]{name}[/]: {'going on from ' + str(newest) if resuming else 'training'} ...")
        fit(trainer, learner, _MapLoader(train, self.batch_size, self.seed), newest if resuming else None)
        said = predict(learner, test.images)
        score, found = evaluate(said, test.costs, test.paths, direct)
        result: dict[str, Any] = {
            "way": entry.way,
            "strength": strength,
            **{key: round(100 * value, 2) for key, value in score._asdict().items()},
            "train_seconds": round(learner.step_seconds, 1),
            "curve": learner.curve,
        }
        if direct:  # the same logits, decoded by the solver
            result["decoded"] = round(100 * evaluate(torch.sigmoid(-said), test.costs, test.paths, False)[0].optimal, 2)
        else:
            result["correlation"] = round(_correlation(said, test.costs), 4)
        write_json(done, result)
        return result, (said, found)


class _MapLoader(lightning.LightningDataModule):
    """Batches of maps; the order depends on seed and epoch alone."""

    def __init__(self, maps: TerrainMaps, batch_size: int, seed: int):
        super().__init__()
        self.maps, self.batch_size, self.seed = maps, batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader."""
        return epoch_loader(self.maps, self.batch_size, self.seed, 0, 1, None)


def _load(learner: PathLearner, path: Path) -> None:
    """Read the weights of a checkpoint."""
    try:
        learner.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    except Exception as error:
        raise RunError(f"{path} could not be read ({type(error).__name__}). Use --overwrite to start anew.") from error


def _correlation(said: Tensor, costs: Tensor) -> float:
    """Of learnt and true costs, over all tiles: they are learnt up to scale, at best."""
    return torch.corrcoef(torch.stack([said.flatten(), costs.flatten()]))[0, 1].item()


def _table(metrics: dict[str, Any]) -> Table:
    title = f"Held-out maps of {metrics['side']} x {metrics['side']} tiles, after {metrics['epochs']} epochs"
    table = Table(title=title)
    for name in ("method", "way", "optimal %", "exact %", "regret %", "training s"):
        table.add_column(name, justify="left" if name in ("method", "way") else "right")
    best = max(result["optimal"] for result in metrics["methods"].values())
    for name, result in metrics["methods"].items():
        style = "bold" if result["optimal"] == best and len(metrics["methods"]) > 1 else ""
        figures = (f"{result[key]:.2f}" for key in ("optimal", "exact", "regret"))
        table.add_row(METHODS[name].title, result["way"], *figures, f"{result['train_seconds']:.0f}", style=style)
    return table
