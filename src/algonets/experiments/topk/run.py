"""The experiment: the same classifier trained by cross-entropy and by top-k cross-entropy, several seeds."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional
from torch.utils.data import Dataset

from algonets.data import Cifar10, Digits, Mnist
from algonets.experiments._options import at_least, check_folder, one_device, open_folder, positive
from algonets.experiments._training import (
    TrainingClock,
    check_settings,
    checkpoint_path,
    epoch_loader,
    fit,
    make_trainer,
    write_json,
)
from algonets.experiments.topk.evaluate import evaluate
from algonets.experiments.topk.model import PictureClassifier
from algonets.experiments.topk.report import save_report
from algonets.losses import TopKCrossEntropy
from algonets.sort import OddEven, SortMethod

__all__ = ["TopKExperiment"]

_EPOCHS = {"cifar10": 5, "cifar10-jpeg": 5, "mnist": 3, "digits": 30}
_Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Pictures(NamedTuple):
    """``images (N, C, H, W)`` uint8 and ``labels (N,)``."""

    images: torch.Tensor
    labels: torch.Tensor


class TopKExperiment:
    """Train for "the right class is among the first k" by a soft sort, and compare with cross-entropy.

    Writes a table to the console and, into the output folder: metrics.json, report.png, and for each loss and seed
    checkpoints, TensorBoard logs and the settings.

    Args:
        data: cifar10 is the public archive; cifar10-jpeg the same pictures after a lossy compression, from the data
            directory only; mnist; digits are scikit-learn's, 8 x 8, which need no file.
        loss: Which loss to train by, or both to compare.
        method: How top-k cross-entropy sorts the scores, by default an odd-even network with the Cauchy law; its own
            options follow, such as --method=NeuralSort --method.temperature=0.5.
        weights: Probability of each k = 1, 2, ...: they sum to 1.
        mode: What stands for the top 1 in top-k cross-entropy: sm, a softmax inside the same logarithm; smce, an
            ordinary cross-entropy beside it; sort, the method itself.
        seeds: How many times each loss is trained, from other first weights and orders; both losses get the same.
        epochs: Passes over the training pictures; by default 5 for CIFAR-10, 3 for mnist and 30 for digits.
        batch_size: Pictures a step.
        learning_rate: Peak of the one-cycle schedule.
        width: Channels of the first convolution.
        train_size: Use only so many training pictures; all by default.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/topk-<data>.
        resume: Go on with an interrupted run in the output folder; finished trainings are not run again.
        overwrite: Replace a run in the output folder.
        seed: The first seed.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    def __init__(
        self,
        data: Literal["cifar10", "cifar10-jpeg", "mnist", "digits"] = "cifar10",
        loss: Literal["both", "cross-entropy", "top-k"] = "both",
        method: SortMethod | None = None,
        weights: Sequence[float] = (0.5, 0.0, 0.0, 0.0, 0.5),
        mode: Literal["sm", "sort", "smce"] = "sm",
        seeds: int = 3,
        epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        width: int = 16,
        train_size: int | None = None,
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        self.data, self.data_dir, self.seed, self.config = data, data_dir, seed, config
        self.epochs = _EPOCHS[data] if epochs is None else epochs
        at_least(1, seeds=seeds, epochs=self.epochs, batch_size=batch_size, width=width, train_size=train_size)
        positive(learning_rate=learning_rate)
        check_folder(output, resume, overwrite)
        self.trainer_options = one_device("topk", trainer)
        self.method = OddEven() if method is None else method
        self.weights, self.mode = list(weights), mode
        self.losses: dict[str, _Loss] = {}
        if loss != "top-k":
            self.losses["cross-entropy"] = functional.cross_entropy
        if loss != "cross-entropy":
            self.losses["top-k"] = TopKCrossEntropy(self.method, self.weights, mode=mode)
        self.seeds, self.batch_size, self.train_size = seeds, batch_size, train_size
        self.learning_rate, self.width = learning_rate, width
        self.resume, self.overwrite = resume, overwrite
        self.output = Path(output or f"runs/topk-{data}")

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        console = Console()
        open_folder(self.output, self.config)
        train, test = self._pictures(True), self._pictures(False)
        console.print(f"[bold]{self.data}[/]: {len(train.labels)} training and {len(test.labels)} test pictures")
        metrics: dict[str, Any] = {**self._settings(), "losses": {}}
        for seed in range(self.seed, self.seed + self.seeds):  # all losses of a seed first: what is there, compares
            for name, loss in self.losses.items():
                runs = metrics["losses"].setdefault(name, {"runs": []})
                runs["runs"].append(self._measure(name, loss, seed, train, test, console))
                runs.update(_summary(runs["runs"]))
                write_json(self.output / "metrics.json", metrics)
        console.print(_table(metrics))
        save_report(self.output / "report.png", metrics)
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def _settings(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "method": repr(self.method),
            "weights": self.weights,
            "mode": self.mode,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "width": self.width,
            "train_size": self.train_size,
        }

    def _pictures(self, train: bool) -> Pictures:
        if self.data == "digits":
            found = Digits(train)
        elif self.data == "mnist":
            found = Mnist(train, self.data_dir)
        else:
            found = Cifar10(train, "jpeg" if self.data == "cifar10-jpeg" else "original", self.data_dir)
        images = found.images if found.images.ndim == 4 else found.images.unsqueeze(1)
        if not train or self.train_size is None:
            return Pictures(images, found.labels)
        chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))[: self.train_size]
        return Pictures(images[chosen], found.labels[chosen])

    def _measure(
        self, name: str, loss: _Loss, seed: int, train: Pictures, test: Pictures, console: Console
    ) -> dict[str, Any]:
        """Train once, or go on, or read what is finished; returns its figures."""
        folder = self.output / f"{name}-{seed}"
        shown = {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"}
        settings = {**self._settings(), "loss": name, "seed": seed, "trainer": shown}
        check_settings(folder, settings, self.resume, self.overwrite)
        done, newest = folder / "result.json", checkpoint_path(folder)
        if self.overwrite:
            done.unlink(missing_ok=True)
        if done.exists():
            console.print(f"[bold]{name}[/], seed {seed}: finished before, figures of {done}")
            return json.loads(done.read_text())
        resuming = self.resume and newest.exists()
        torch.manual_seed(seed)
        classes = int(train.labels.max()) + 1
        classifier = PictureClassifier(
            loss, train.images, classes, test, self.width, self.learning_rate, self.data.startswith("cifar10")
        )
        trainer = make_trainer(folder, self.epochs, seed, self.trainer_options, name)
        console.print(f"[bold]{name}[/], seed {seed}: {'going on' if resuming else 'training'} ...")
        fit(trainer, classifier, _PictureLoader(train, self.batch_size, seed), newest if resuming else None)
        clock = next(c for c in trainer.callbacks if isinstance(c, TrainingClock))  # pyright: ignore
        result = {
            "seed": seed,
            "accuracies": [round(100 * a, 3) for a in evaluate(classifier, *test)],
            "train_seconds": round(clock.elapsed(), 1),
            "curve": classifier.curve,
        }
        write_json(done, result)
        return result


class _PictureLoader(lightning.LightningDataModule):
    """Batches of pictures, gathered at once; the order depends on the seed and the epoch alone."""

    def __init__(self, pictures: Pictures, batch_size: int, seed: int):
        super().__init__()
        self.pictures, self.batch_size, self.seed = pictures, batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader."""
        return epoch_loader(_Indices(len(self.pictures.labels)), self.batch_size, self.seed, 0, 1, self._gather)

    def _gather(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.pictures.images[indices], self.pictures.labels[indices]


class _Indices(Dataset[int]):
    """0, 1, ...: what to gather is all that a worker needs to know."""

    def __init__(self, count: int):
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


def _summary(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Mean and sample standard deviation of each accuracy over the seeds."""
    columns = list(zip(*(run["accuracies"] for run in runs), strict=True))
    return {
        "mean": [round(statistics.fmean(column), 3) for column in columns],
        "std": [round(statistics.stdev(column), 3) if len(column) > 1 else 0.0 for column in columns],
    }


def _table(metrics: dict[str, Any]) -> Table:
    runs = len(next(iter(metrics["losses"].values()))["runs"])
    table = Table(title=f"{metrics['data']}, test pictures, mean and deviation of {runs} seeds")
    for name in ("loss", "top-1 %", "top-2 %", "top-5 %", "training s"):
        table.add_column(name, justify="left" if name == "loss" else "right")
    for name, found in metrics["losses"].items():
        figures = (f"{found['mean'][k]:.2f} ± {found['std'][k]:.2f}" for k in (0, 1, -1))
        seconds = statistics.fmean(run["train_seconds"] for run in found["runs"])
        table.add_row(name, *figures, f"{seconds:.1f}")
    return table
