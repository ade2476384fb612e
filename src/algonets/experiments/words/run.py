"""The experiment: train a word reader in one way or all, compare, and show what happened."""

import os
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from rich.console import Console
from rich.table import Table

from algonets.data import AbstractWordDataset, OcrLetters, SyntheticWords, collate_words
from algonets.data.ocr_letters import OcrSplit
from algonets.experiments._options import check_folder, open_folder
from algonets.experiments._training import (
    RunError,
    TrainingClock,
    check_settings,
    checkpoint_path,
    epoch_loader,
    fit,
    make_trainer,
    write_json,
)
from algonets.experiments.strips import StripsExperiment
from algonets.experiments.words.checkpoint import load_reader
from algonets.experiments.words.evaluate import Reading, evaluate
from algonets.experiments.words.model import WAYS, Way, WordReader
from algonets.experiments.words.report import save_report, save_strip

__all__ = ["WordsExperiment"]

DEFAULT_EPOCHS = {"synthetic": 7, "ocr": 12}
DEFAULT_BATCH = {"synthetic": 16, "ocr": 32}


class WordsExperiment:
    """Read handwritten words: the same letter scorer with and without an algorithm on top.

    Writes a table to the console and, into the output folder: metrics.json, report.png, and for each way
    checkpoints, TensorBoard logs and the settings.

    Args:
        data: ``synthetic`` words are rendered on the spot; ``ocr`` is Taskar's handwritten letters, read from
            the data directory or downloaded.
        way: How the chain enters the network, or ``all`` to compare.
        split: For ocr: ``large`` trains on nine folds, ``small`` on one, ``disjoint`` on other strings than it
            is tested on.
        fold: For ocr: which of the ten folds (or groups of strings) is held out.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/words-<data>.
        resume: Go on with an interrupted run in the output folder.
        overwrite: Replace a run in the output folder.
        seed: Of data, initial weights and training.
        epochs: Passes over the training words; by default 7 for synthetic and 12 for ocr.
        batch_size: Words a step; by default 16 for synthetic and 32 for ocr.
        learning_rate: Peak of the one-cycle schedule.
        transition_rate: Learning rate of the chain's own scores relative to the letter scorer's; by default 3, as
            forbidden letter pairs need large scores, and for pool-perceptron 0.1 (ocr) or 1 (synthetic words), as its
            best word jumps at first and would drag fast transitions along.
        width: Channels of the letter scorer; by default 32 for ocr and 16 for synthetic words.
        dropout: Of the letter scorer; by default 0.4 for ocr and 0.1 for synthetic words, and 0 for the pool ways,
            which it keeps from leaving the point where all scores are equal.
        distortion: Strength of random shifts and affine maps of the training images; by default 0.7 for ocr and
            none for synthetic words, which are distorted already.
        iterations: Unrolled iterations of belief propagation (way unroll).
        margin: Cost of a wrong letter (way pool-hinge).
        train_size: Use only so many training words; all by default.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
        segmentation: ``given``, or ``none``: the letters are pasted into one strip that nobody cut apart, and read with
            given segmentation, by CTC and by a graph transformer. The same as ``algonets train strips``; of
            the options it takes data, data_dir, output, resume, overwrite, seed, epochs, batch_size, learning_rate,
            width and train_size.
    """

    def __init__(
        self,
        data: Literal["synthetic", "ocr"] = "synthetic",
        way: Literal["all", "independent", "pool-perceptron", "pool-hinge", "unroll", "analytic"] = "analytic",
        split: Literal["large", "small", "disjoint"] = "large",
        fold: int = 0,
        data_dir: str | None = None,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        transition_rate: float | None = None,
        width: int | None = None,
        dropout: float | None = None,
        distortion: float | None = None,
        iterations: int = 3,
        margin: float = 1.0,
        train_size: int | None = None,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
        segmentation: Literal["given", "none"] = "given",
    ):
        self.strips: StripsExperiment | None = None
        if segmentation == "none":
            _reject_given(
                way=(way, "analytic"),
                split=(split, "large"),
                fold=(fold, 0),
                transition_rate=(transition_rate, None),
                dropout=(dropout, None),
                distortion=(distortion, None),
                iterations=(iterations, 3),
                margin=(margin, 1.0),
            )
            given = {"size": train_size, "epochs": epochs, "batch_size": batch_size, "width": width}
            options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            options |= {"data_dir": data_dir, "output": output, "resume": resume, "overwrite": overwrite}
            options |= {"seed": seed, "learning_rate": learning_rate, "config": config}
            self.strips = StripsExperiment(data, **options)
            return
        self.data, self.fold, self.data_dir = data, fold, data_dir
        self.split: OcrSplit = split
        self.ways: list[Way] = list(WAYS) if way == "all" else [way]
        check_folder(output, resume, overwrite)
        self.output = Path(output or f"runs/words-{data}")
        self.resume, self.overwrite = resume, overwrite
        self.seed = seed
        self.batch_size = _positive("--batch_size", DEFAULT_BATCH[data] if batch_size is None else batch_size)
        self.epochs = _positive("--epochs", DEFAULT_EPOCHS[data] if epochs is None else epochs)
        self.train_size = train_size if train_size is None else _positive("--train_size", train_size)
        self.dropout, self.transition_rate, self.config = dropout, transition_rate, config
        if learning_rate <= 0:
            raise RunError(f"--learning_rate must be positive, got {learning_rate}.")
        if margin <= 0:
            raise RunError(f"--margin must be positive, got {margin}.")
        if iterations < 0:
            raise RunError(f"--iterations must be at least 0, got {iterations}.")
        if dropout is not None and not 0 <= dropout < 1:
            raise RunError(f"--dropout must be in [0, 1), got {dropout}.")
        if transition_rate is not None and transition_rate < 0:
            raise RunError(f"--transition_rate must be at least 0, got {transition_rate}.")
        if distortion is not None and distortion < 0:
            raise RunError(f"--distortion must be at least 0, got {distortion}.")
        self.model_options = {
            "width": {"ocr": 32, "synthetic": 16}[data] if width is None else _positive("--width", width),
            "iterations": iterations,
            "margin": margin,
            "learning_rate": learning_rate,
            "distortion": {"ocr": 0.7, "synthetic": 0.0}[data] if distortion is None else distortion,
        }
        self.trainer_options = dict(trainer or {})
        if len(self.ways) > 1 and self.trainer_options.get("devices") not in (None, 1, "1", "auto"):
            raise RunError(
                "--way all trains one way after the other on one device. Choose one --way for several devices."
            )

    def run(self) -> dict[str, Any]:
        """Train, compare, report; returns the content of metrics.json."""
        if self.strips is not None:
            return self.strips.run()
        console = Console()
        open_folder(self.output)
        train, test = self._datasets()
        console.print(f"[bold]train[/] {train!r}\n[bold]test [/] {test!r}")
        readers: dict[str, WordReader] = {}
        readings: dict[str, Reading] = {}
        metrics: dict[str, Any] = {"data": self.data, "seed": self.seed, "epochs": self.epochs, "ways": {}}
        if self.data == "ocr":
            metrics |= {"split": self.split, "fold": self.fold}
        for way in self.ways:
            reader, seconds, main_process = self._train(way, train, console)
            if not main_process:  # a helper process of a distributed run
                return metrics
            reading = evaluate(reader, test)
            readers[way], readings[way] = reader, reading
            metrics["ways"][way] = {
                "letters": round(100 * reading.letter_accuracy, 3),
                "words": round(100 * reading.word_accuracy, 3),
                "train_seconds": round(seconds, 1),
            }
            if len(self.ways) > 1:
                write_json(self.output / way / "metrics.json", metrics["ways"][way])
        write_json(self.output / "metrics.json", metrics)
        console.print(_table(metrics))
        index = save_report(self.output / "report.png", test, readers, readings)
        save_strip(self.output / "example.png", test[index].images)
        best = max(self.ways, key=lambda way: metrics["ways"][way]["words"])
        checkpoint = checkpoint_path(self._folder(best))
        console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        console.print(f"Try: algonets read --checkpoint {checkpoint} {self.output / 'example.png'}", soft_wrap=True)
        return metrics

    def _folder(self, way: Way) -> Path:
        return self.output / way if len(self.ways) > 1 else self.output

    def _datasets(self) -> tuple[AbstractWordDataset, AbstractWordDataset]:
        if self.data == "ocr":
            train, test = (OcrLetters(self.split, self.fold, part, self.data_dir) for part in (True, False))
        else:
            train = SyntheticWords(True, self.train_size, self.seed)
            test = SyntheticWords(False, None, self.seed)
        return train, test

    def _train(self, way: Way, train: AbstractWordDataset, console: Console) -> tuple[WordReader, float, bool]:
        """Train one way, or go on, or read what is finished; the last result tells if this is the main process."""
        folder = self._folder(way)
        options = {**self.model_options, **self._options_of(way)}
        settings = {
            "data": self.data,
            "way": way,
            **({"split": self.split, "fold": self.fold} if self.data == "ocr" else {}),
            "seed": self.seed,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "train_size": self.train_size,
            **options,
            "trainer": {key: value for key, value in self.trainer_options.items() if key != "enable_progress_bar"},
        }
        if os.environ.get("LOCAL_RANK", "0") == "0":
            check_settings(folder, settings, self.resume, self.overwrite)
            if self.config is not None:
                (self.output / "config.yaml").write_text(self.config)
        torch.manual_seed(self.seed)
        reader = WordReader(way, train.image_shape, train.alphabet, **options)
        trainer = make_trainer(folder, self.epochs, self.seed, self.trainer_options, way)
        newest = checkpoint_path(folder)
        resuming = self.resume and newest.exists()
        if resuming:
            load_reader(newest)  # a clear error if it is damaged
        console.print(f"[bold]{way}[/]: {'going on from ' + str(newest) if resuming else 'training'} ...")
        data = _WordLoader(self._part(train), self.batch_size, self.seed)
        fit(trainer, reader, data, newest if resuming else None)
        clock = next(c for c in trainer.callbacks if isinstance(c, TrainingClock))  # pyright: ignore
        return reader, clock.elapsed(), trainer.is_global_zero

    def _options_of(self, way: Way) -> dict[str, Any]:
        """Return what has another default for each way."""
        dropout = 0.0 if way.startswith("pool") else {"ocr": 0.4, "synthetic": 0.1}[self.data]
        rate = {"ocr": 0.1, "synthetic": 1.0}[self.data] if way == "pool-perceptron" else 3.0
        return {
            "dropout": dropout if self.dropout is None else self.dropout,
            "transition_rate": rate if self.transition_rate is None else self.transition_rate,
        }

    def _part(self, train: AbstractWordDataset) -> Any:
        if self.train_size is None or self.data != "ocr":
            return train
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(self.seed))
        return torch.utils.data.Subset(train, order[: self.train_size].tolist())


class _WordLoader(lightning.LightningDataModule):
    """Batches of words; built late, when the trainer knows its processes."""

    def __init__(self, dataset: Any, batch_size: int, seed: int):
        super().__init__()
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed

    def train_dataloader(self) -> Any:
        """Return the loader of this process."""
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        return epoch_loader(self.dataset, self.batch_size, self.seed, rank, world, collate_words)


def _reject_given(**options: tuple[Any, Any]) -> None:
    for name, (value, default) in options.items():
        if value != default:
            raise RunError(f"--segmentation none does not know --{name}. Leave it out.")


def _positive(option: str, value: int) -> int:
    if value < 1:
        raise RunError(f"{option} must be at least 1, got {value}.")
    return value


def _table(metrics: dict[str, Any]) -> Table:
    where = (
        "synthetic words"
        if metrics["data"] == "synthetic"
        else f"OCR letters, {metrics['split']}, fold {metrics['fold']}"
    )
    table = Table(title=f"Held-out {where}, lexicon-free")
    for name in ("way", "letters %", "words %", "training s"):
        table.add_column(name, justify="left" if name == "way" else "right")
    best = max(result["words"] for result in metrics["ways"].values())
    for way, result in metrics["ways"].items():
        style = "bold" if result["words"] == best and len(metrics["ways"]) > 1 else ""
        row = (way, f"{result['letters']:.2f}", f"{result['words']:.2f}", f"{result['train_seconds']:.1f}")
        table.add_row(*row, style=style)
    return table
