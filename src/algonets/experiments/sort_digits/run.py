"""The experiment: train a scorer from orders by one method or several, compare, and show what happened."""

import json
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from algonets.data import Digits, Mnist, NumberSets
from algonets.experiments._options import at_least, check_folder, one_device, open_folder, positive
from algonets.experiments._training import RunError, check_settings, checkpoint_path, fit, make_trainer, write_json
from algonets.experiments.sort_digits.evaluate import evaluate
from algonets.experiments.sort_digits.methods import METHODS, Baseline, MethodName, build_method
from algonets.experiments.sort_digits.model import NumberSorter
from algonets.experiments.sort_digits.report import save_report
from algonets.sort import SortMethod

__all__ = ["SortDigitsExperiment"]

_WIDTH = {"digits": 16, "mnist": 32}
_CURVE_SETS = 500  # of the final sets, measured after every interval
_VALIDATION = 0.2  # of the training images, held out by --holdout validation


class SortDigitsExperiment:
    """Learn to read numbers from nothing but their order, through a differentiable sort.

    Sets of n numbers, each glued from images of digits; a network gives each number a score, a method sorts the
    scores softly, and the loss compares that with the true order. Writes a table to the console and, into the output
    folder: metrics.json, report.png, and for each method checkpoints, TensorBoard logs and the settings.

    Args:
        data: digits are scikit-learn's, 8 x 8; mnist is read from the data directory or downloaded.
        method: How the order enters, by name or as a SortMethod with its own options, such as --method=Bitonic
            --method.distribution=Cauchy. pairwise and regression do not sort and are the baselines.
        scale: Inverse steepness, temperature or strength of a method given by name; by default that of the table.
        compare: Run several methods under one budget: same first weights, same sets, same steps.
        methods: Which ones to compare; by default all names.
        n: Numbers a set.
        digits: Digits a number.
        steps: Steps of training.
        batch_size: Sets a step.
        interval: Steps between two measurements and checkpoints.
        test_sets: Held-out sets of the final scores.
        learning_rate: Of Adam.
        width: Channels of the first convolution; by default 16 for digits and 32 for mnist.
        precision: The network computes in float32 or bfloat16 (several times faster on processors with AMX).
        holdout: Score on test images, or on a fifth of the training images, to choose options by.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/sort-digits-<data>.
        resume: Go on with an interrupted run in the output folder; finished methods are not run again.
        overwrite: Replace a run in the output folder.
        seed: Of sets and first weights.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        method: MethodName | SortMethod = "cauchy",
        scale: float | None = None,
        compare: bool = False,
        methods: list[MethodName] | None = None,
        n: int = 5,
        digits: int = 4,
        steps: int = 3000,
        batch_size: int = 100,
        interval: int = 250,
        test_sets: int = 2000,
        learning_rate: float = 10**-3.5,
        width: int | None = None,
        precision: Literal["float32", "bfloat16"] = "float32",
        holdout: Literal["test", "validation"] = "test",
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.data, self.data_dir, self.compare, self.seed = data, data_dir, compare, seed
        width = _WIDTH[data] if width is None else width
        at_least(2, n=n)
        at_least(1, digits=digits, steps=steps, batch_size=batch_size, interval=interval)
        at_least(1, test_sets=test_sets, width=width)
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        self.trainer_options = one_device("sort-digits", trainer)
        self.n, self.digits, self.steps, self.batch_size = n, digits, steps, batch_size
        self.interval, self.test_sets = min(interval, steps), test_sets
        self.model_options = {"width": width, "learning_rate": learning_rate, "precision": precision}
        self.holdout, self.config = holdout, config
        self.resume, self.overwrite = resume, overwrite
        self.output = Path(output or f"runs/sort-digits-{data}")
        self.methods = self._choose(method, scale, methods)

    def _choose(
        self, method: MethodName | SortMethod, scale: float | None, methods: list[MethodName] | None
    ) -> dict[str, SortMethod | Baseline]:
        if self.compare:
            if scale is not None or isinstance(method, SortMethod):
                raise RunError("--compare runs methods by name at their own scales. Leave out --scale and --method.")
            return {name: build_method(name) for name in methods or METHODS}
        if methods is not None:
            raise RunError("--methods says what --compare runs. Give both, or one --method.")
        if isinstance(method, str):
            return {method: build_method(method, scale)}
        if scale is not None:
            raise RunError("--scale belongs to a method by name. Give a SortMethod its own, as --method.temperature.")
        return {type(method).__name__: method}

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        (train_images, train_labels), held = self._images()
        test = NumberSets(*held, self.n, self.digits, self.test_sets, self.seed)
        five = test if self.n == 5 else NumberSets(*held, 5, self.digits, self.test_sets, self.seed)
        console.print(f"[bold]train   [/] {len(train_labels)} images of digits\n[bold]held out[/] {test!r}")
        data = _SetLoader(self, train_images, train_labels)
        metrics: dict[str, Any] = {**self._settings(), "methods": {}}
        for name, method in self.methods.items():
            metrics["methods"][name] = self._measure(name, method, data, test, five, console)
            write_json(self.output / "metrics.json", metrics)
            save_report(self.output / "report.png", metrics)
        console.print(_table(metrics))
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "holdout": self.holdout,
            "seed": self.seed,
            "n": self.n,
            "digits": self.digits,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "interval": self.interval,
            "test_sets": self.test_sets,
            **self.model_options,
        }

    def _images(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Images and labels of single digits: for training, and held out."""
        read = Digits if self.data == "digits" else (lambda part: Mnist(part, self.data_dir))
        train = read(True)
        if self.holdout == "test":
            test = read(False)
            return (train.images, train.labels), (test.images, test.labels)
        end = round((1 - _VALIDATION) * len(train))
        return (train.images[:end], train.labels[:end]), (train.images[end:], train.labels[end:])

    def _measure(
        self,
        name: str,
        method: SortMethod | Baseline,
        data: "_SetLoader",
        test: NumberSets,
        five: NumberSets,
        console: Console,
    ) -> dict[str, Any]:
        """Train with one method, or go on, or read what is finished; returns its figures."""
        folder = self.output / name if self.compare else self.output
        shown = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        check_settings(
            folder, {**self._settings(), "method": repr(method), "trainer": shown}, self.resume, self.overwrite
        )
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        if done.exists():
            console.print(f"[bold]{name}[/]: finished before, figures of {done}")
            return json.loads(done.read_text())
        resuming = self.resume and newest.exists()
        if resuming:
            _check_readable(newest)
        torch.manual_seed(self.seed)
        sorter = NumberSorter(method, test.image_shape, test.head(_CURVE_SETS), **self.model_options)
        epochs = -(-self.steps // self.interval)
        options = {"reload_dataloaders_every_n_epochs": 1, **self.trainer_options}
        trainer = make_trainer(folder, epochs, self.seed, options, name)
        console.print(f"[bold]{name}[/] {method!r}: {'going on from ' + str(newest) if resuming else 'training'} ...")
        fit(trainer, sorter, data, newest if resuming else None)
        found = evaluate(sorter, test)
        result = {
            "method": repr(method),
            "em": round(100 * found.exact_match, 2),
            "ew": round(100 * found.element_wise, 2),
            "em5": round(100 * (found if five is test else evaluate(sorter, five)).exact_match, 2),
            "train_seconds": round(sorter.step_seconds, 1),
            "curve": sorter.curve,
        }
        write_json(done, result)
        return result


class _SetLoader(lightning.LightningDataModule):
    """Batches of sets; each epoch draws its own, from the seed and its number alone."""

    def __init__(self, experiment: SortDigitsExperiment, images: torch.Tensor, labels: torch.Tensor):
        super().__init__()
        self.experiment, self.images, self.labels = experiment, images, labels

    def train_dataloader(self) -> Any:
        """Return the loader of the epoch that the trainer is at."""
        own = self.experiment
        epoch = self.trainer.current_epoch if self.trainer else 0
        steps = min(own.interval, own.steps - epoch * own.interval)
        seed = (own.seed << 32) + epoch + 1
        sets = NumberSets(self.images, self.labels, own.n, own.digits, steps * own.batch_size, seed)
        if self.trainer and self.trainer.strategy.root_device.type != "cpu":  # glue the images where they are used
            sets = sets.to(self.trainer.strategy.root_device)
        return DataLoader(range(len(sets)), own.batch_size, collate_fn=sets.batch)  # pyright: ignore[reportArgumentType]


def _check_readable(path: Path) -> None:
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RunError(f"{path} could not be read ({type(error).__name__}). Use --overwrite to start anew.") from error


def _table(metrics: dict[str, Any]) -> Table:
    what = f"{metrics['n']} numbers of {metrics['digits']} {metrics['data']}"
    table = Table(title=f"Held-out sets of {what}, after {metrics['steps']} steps")
    for name in ("method", "EM %", "EW %", "EM5 %", "training s"):
        table.add_column(name, justify="left" if name == "method" else "right")
    best = max(result["em"] for result in metrics["methods"].values())
    for name, result in metrics["methods"].items():
        style = "bold" if result["em"] == best and len(metrics["methods"]) > 1 else ""
        figures = (f"{result[key]:.2f}" for key in ("em", "ew", "em5"))
        table.add_row(name, *figures, f"{result['train_seconds']:.1f}", style=style)
    return table
