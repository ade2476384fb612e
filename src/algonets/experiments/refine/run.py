"""The experiment: refine coarse maps by an equation and by what it competes with."""

import json
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from algonets.data import AerialBuildings, Shapes
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
from algonets.experiments.refine.coarse import coarse_maps
from algonets.experiments.refine.evaluate import Maps, Score, evaluate
from algonets.experiments.refine.model import MapRefiner
from algonets.experiments.refine.networks import METHODS, Equation, Method, PeronaMalikGrid
from algonets.experiments.refine.report import save_evolution, save_report

__all__ = ["RefineExperiment"]

_CURVE = 40  # held-out pictures that are measured after every epoch
_SHOWN = 4
_LONGER = 3  # times the trained iterations, to see whether the equation stays where it arrived
_FITTED = ("pixel-mlp", "one-step", "cnn", "mean-field", "pde")


class RefineExperiment:
    """Sharpen coarse segmentation maps by a partial differential equation that is learnt.

    A recurrent network integrates the equation; the same few weights act in every iteration. Compared with the coarse
    map, the best Perona-Malik diffusion of a grid, an MLP at each pixel, one step instead of several, a plain CNN of as
    many parameters, and a mean-field CRF. Writes a table to the console and, into the output folder: metrics.json,
    report.png, evolution.gif, and for each method checkpoints, TensorBoard logs and the settings.

    Args:
        data: shapes are generated; aerial are tiles with buildings, read from the data directory, whose coarse maps
            a small classifier makes first.
        methods: Which ones to compare; by default all.
        iterations: Of the equation and of mean field.
        steps: Steps of training.
        batch_size: Pictures (or crops) a step.
        interval: Steps between two measurements and checkpoints.
        learning_rate: Peak of the one-cycle schedule.
        train_size: Generated training pictures.
        test_size: Generated test pictures.
        side: Pixels along a side of a generated picture.
        crop: Side of the random crops of aerial tiles.
        zoom: Of the aerial tiles, 19, 20 or 21.
        classifier_steps: Steps of each coarse classifier of aerial tiles.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/refine-<data>.
        resume: Go on with an interrupted run in the output folder; finished methods are not run again.
        overwrite: Replace a run in the output folder.
        seed: Of pictures, first weights and training.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["shapes", "aerial"] = "shapes",
        methods: list[Method] | None = None,
        iterations: int = 5,
        steps: int = 400,
        batch_size: int = 8,
        interval: int = 100,
        learning_rate: float = 5e-3,
        train_size: int = 400,
        test_size: int = 200,
        side: int = 48,
        crop: int = 64,
        zoom: Literal[19, 20, 21] = 19,
        classifier_steps: int = 150,
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        at_least(1, iterations=iterations, steps=steps, batch_size=batch_size, interval=interval)
        at_least(1, train_size=train_size, test_size=test_size, classifier_steps=classifier_steps)
        at_least(16, side=side, crop=crop)
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        self.trainer_options = one_device("refine", trainer)
        self.data, self.data_dir, self.seed = data, data_dir, seed
        self.methods: list[Method] = list(methods or METHODS)
        self.iterations, self.steps, self.batch_size = iterations, steps, batch_size
        self.interval, self.learning_rate = min(interval, steps), learning_rate
        own = {"train_size": train_size, "test_size": test_size, "side": side}
        aerial = {"crop": crop, "zoom": zoom, "classifier_steps": classifier_steps}
        self.data_options = own if data == "shapes" else aerial
        self.output = Path(output or f"runs/refine-{data}")
        self.resume, self.overwrite, self.config = resume, overwrite, config

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        train, test = self._shapes() if self.data == "shapes" else self._aerial(console)
        console.print(f"[bold]train   [/] {len(train.images)} pictures\n[bold]held out[/] {len(test.images)} pictures")
        metrics: dict[str, Any] = {**self._settings(), "methods": {}}
        shown = Maps(*(part[:_SHOWN] for part in test))
        results: dict[str, Tensor] = {}
        for method in self.methods:
            refiner, metrics["methods"][method] = self._measure(method, train, test, console)
            with torch.inference_mode():
                results[method] = refiner(shown.coarse, shown.images)
                if isinstance(refiner.network, Equation) and method == "pde":
                    longer = refiner.network.evolve(shown.coarse, shown.images, _LONGER * self.iterations)
                    save_evolution(self.output / "evolution.gif", shown, longer[: self.iterations + 1])
            write_json(self.output / "metrics.json", metrics)
        save_report(self.output / "report.png", metrics, shown, results)
        console.print(_table(metrics))
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "seed": self.seed,
            "iterations": self.iterations,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "interval": self.interval,
            "learning_rate": self.learning_rate,
            **self.data_options,
        }

    def _shapes(self) -> tuple[Maps, Maps]:
        sizes = (self.data_options["train_size"], self.data_options["test_size"])
        sets = [
            Shapes(part, n, self.data_options["side"], self.seed) for part, n in zip((True, False), sizes, strict=True)
        ]
        train, test = (Maps(d.images, d.masks, d.coarse, torch.ones_like(d.masks)) for d in sets)
        return train, test

    def _aerial(self, console: Console) -> tuple[Maps, Maps]:
        zoom, steps, crop = (int(self.data_options[key]) for key in ("zoom", "classifier_steps", "crop"))
        sets = [AerialBuildings(part, zoom, self.data_dir) for part in (True, False)]
        train, test = ([torch.stack(part) for part in zip(*[d[i] for i in range(len(d))], strict=True)] for d in sets)
        places = sorted(set(sets[0].ancestors))
        groups = [places.index(place) for place in sets[0].ancestors]
        kept = self.output / "coarse.pt"
        if self.resume and kept.exists():
            maps = torch.load(kept, weights_only=True)
        else:
            console.print(f"Coarse classifiers: {len(places)} that leave out a part of the ground, and one of all ...")
            found = coarse_maps((train[0], train[1], train[2]), test[0], groups, steps, 2 * crop, self.seed)
            maps = {"train": found[0], "test": found[1]}
            torch.save(maps, kept)
        return (
            Maps(train[0], train[1], maps["train"], train[2]),
            Maps(test[0], test[1], maps["test"], test[2]),
        )

    def _measure(self, method: Method, train: Maps, test: Maps, console: Console) -> tuple[MapRefiner, dict[str, Any]]:
        """Train a method, or go on, or read what is finished; returns it and its figures."""
        folder = self.output / method
        shown = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        settings = {**self._settings(), "method": method, "trainer": shown}
        check_settings(folder, settings, self.resume, self.overwrite)
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        torch.manual_seed(self.seed)
        crop = int(self.data_options.get("crop", 0))
        refiner = MapRefiner(method, self.iterations, Maps(*(p[:_CURVE] for p in test)), self.learning_rate, crop)
        if done.exists():
            console.print(f"[bold]{method}[/]: finished before, figures of {done}")
            result = json.loads(done.read_text())
            _restore(refiner, newest, result)
            return refiner, result
        if method in _FITTED:
            resuming = self.resume and newest.exists()
            if resuming:
                _restore(refiner, newest, {})
            epochs = -(-self.steps // self.interval)
            options = {"max_steps": self.steps, **self.trainer_options}
            trainer = make_trainer(folder, epochs, self.seed, options, method)
            console.print(f"[bold]{method}[/]: {'going on from ' + str(newest) if resuming else 'training'} ...")
            loader = _MapLoader(train, self.interval * self.batch_size, self.batch_size, self.seed)
            fit(trainer, refiner, loader, newest if resuming else None)
        result: dict[str, Any] = {}
        if isinstance(refiner.network, PeronaMalikGrid):
            result = _choose(refiner.network, train)
        score = evaluate(refiner.network, test)
        result |= _figures(score, refiner)
        if method == "pde" and isinstance(refiner.network, Equation):
            result["iou_beyond"] = _beyond(refiner.network, test, self.iterations)
        write_json(done, result)
        return refiner, result


class _MapLoader(lightning.LightningDataModule):
    """Batches of maps; an epoch is an interval of steps, each picture as often as any other, give or take one."""

    def __init__(self, maps: Maps, size: int, batch_size: int, seed: int):
        super().__init__()
        data: Dataset[Any] = TensorDataset(*maps)
        self.dataset = Subset(data, [i % len(maps.images) for i in range(size)])
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader."""
        return epoch_loader(self.dataset, self.batch_size, self.seed, 0, 1, None)


def _choose(network: PeronaMalikGrid, train: Maps) -> dict[str, Any]:
    """Set contrast and iterations to the best of the grid on training pictures."""
    few = Maps(*(part[:_CURVE] for part in train))
    scores = {}
    for choice in network.choices():
        network.contrast, network.iterations = choice
        scores[choice] = evaluate(network, few).iou[-1]
    network.contrast, network.iterations = max(scores, key=lambda choice: scores[choice])
    return {"contrast": network.contrast, "diffusion_iterations": network.iterations}


def _figures(score: Score, refiner: MapRefiner) -> dict[str, Any]:
    return {
        "iou": round(100 * score.iou[-1], 2),
        "boundary_f": round(100 * score.boundary_f[-1], 2),
        "iou_over_iterations": [round(100 * value, 2) for value in score.iou],
        "boundary_f_over_iterations": [round(100 * value, 2) for value in score.boundary_f],
        "parameters": sum(p.numel() for p in refiner.network.parameters()),
        "train_seconds": round(refiner.step_seconds, 1),
        "curve": refiner.curve,
    }


def _beyond(network: Equation, test: Maps, iterations: int) -> list[float]:
    """IoU of more iterations than were trained."""

    class Longer(torch.nn.Module):
        def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
            return network.evolve(coarse, image, _LONGER * iterations)

    return [round(100 * value, 2) for value in evaluate(Longer(), test).iou[iterations + 1 :]]


def _restore(refiner: MapRefiner, path: Path, result: dict[str, Any]) -> None:
    """Read the weights of a finished or interrupted method."""
    if isinstance(refiner.network, PeronaMalikGrid):
        refiner.network.contrast, refiner.network.iterations = result["contrast"], result["diffusion_iterations"]
    if not any(True for _ in refiner.parameters()):
        return
    try:
        refiner.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    except Exception as error:
        raise RunError(f"{path} could not be read ({type(error).__name__}). Use --overwrite to start anew.") from error


def _table(metrics: dict[str, Any]) -> Table:
    table = Table(title=f"Held-out {metrics['data']}, after {metrics['steps']} steps")
    for name in ("method", "IoU %", "boundary F %", "IoU over iterations", "parameters", "training s"):
        table.add_column(name, justify="left" if name == "method" else "right")
    best = max(result["iou"] for result in metrics["methods"].values())
    for name, result in metrics["methods"].items():
        table.add_row(
            name,
            f"{result['iou']:.1f}",
            f"{result['boundary_f']:.1f}",
            " ".join(f"{value:.1f}" for value in result["iou_over_iterations"]),
            str(result["parameters"]),
            f"{result['train_seconds']:.0f}",
            style="bold" if result["iou"] == best else "",
        )
    return table
