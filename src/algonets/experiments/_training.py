"""What all experiments share: a Lightning trainer that can be interrupted anywhere and resumed exactly."""

import json
import logging
import os
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader, Dataset, DistributedSampler

__all__ = [
    "AtomicCheckpoints",
    "EpochSeed",
    "RunError",
    "TrainingClock",
    "check_settings",
    "checkpoint_path",
    "epoch_loader",
    "fit",
    "make_trainer",
    "write_json",
]


class RunError(Exception):
    """A run that cannot start or go on, with the remedy; the command line shows it without a traceback."""


class EpochSeed(Callback):
    """Seed the global generators at the start of each epoch, so that a resumed epoch repeats the lost one."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed by run, epoch and process: at the first batch, as making its loader draws numbers, too."""
        if batch_idx == 0:
            torch.manual_seed(hash((self.seed, trainer.current_epoch, trainer.global_rank)) % 2**63)


class AtomicCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside its place, then rename: a reader sees the old file or the new one, never a part.

    Lightning's own writing goes through the system's folder for temporary files, from which it can only be copied
    where that is another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save as ``path``."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}")
        with part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)


class TrainingClock(Callback):
    """Seconds of training, summed over interruptions."""

    def __init__(self):
        self.seconds = 0.0
        self._since: float | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds so far."""
        return self.seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop the clock."""
        self.seconds, self._since = self.elapsed(), None

    def state_dict(self) -> dict[str, Any]:
        """Save the seconds so far."""
        return {"seconds": self.elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the saved seconds."""
        self.seconds = state_dict["seconds"]


def epoch_loader(dataset: Dataset, batch_size: int, seed: int, rank: int, world: int, collate: Any) -> DataLoader:
    """Return a loader whose order depends on (seed, epoch) alone; Lightning tells the sampler the epoch."""
    sampler = DistributedSampler(dataset, num_replicas=world, rank=rank, shuffle=True, seed=seed)
    return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=collate)


def checkpoint_path(folder: Path) -> Path:
    """Return where a run keeps its newest checkpoint."""
    return folder / "checkpoints" / "last.ckpt"


def make_trainer(folder: Path, epochs: int, seed: int, options: Mapping[str, Any], name: str) -> lightning.Trainer:
    """Build the trainer of a run: a checkpoint after every epoch, TensorBoard, a progress bar with rates.

    Args:
        folder: Where everything of the run goes.
        epochs: How many passes over the data.
        seed: See :class:`EpochSeed`.
        options: More arguments of ``lightning.Trainer``, as the user gave them; they win.
        name: Shown in the logs.
    """
    _quiet()
    saver = ModelCheckpoint(
        checkpoint_path(folder).parent,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    own = [saver, EpochSeed(seed), TrainingClock()]
    if options.get("enable_progress_bar") is not False:
        own.append(RichProgressBar(leave=False))
    arguments: dict[str, Any] = {
        "max_epochs": epochs,
        "default_root_dir": folder,
        "logger": TensorBoardLogger(folder, name="tensorboard", version=""),
        "log_every_n_steps": 10,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "accelerator": "cpu",
        "devices": 1,
        "num_sanity_val_steps": 0,
        **{key: value for key, value in options.items() if value is not None and key not in ("callbacks", "plugins")},
    }
    arguments["plugins"] = [AtomicCheckpoints(), *(options.get("plugins") or [])]
    arguments["callbacks"] = own + list(options.get("callbacks") or [])
    return lightning.Trainer(**arguments)


class HeldInterrupt(Callback):
    """Remember Ctrl-C until the run has stopped: code that swallows ``KeyboardInterrupt`` cannot make it get lost."""

    def __init__(self):
        self.pending = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Watch the signal in this block; elsewhere than in the main thread Python allows no handler."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.pending = True
        raise KeyboardInterrupt

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stop here if an interrupt came that did not stop the run at once."""
        if self.pending:
            raise KeyboardInterrupt


def fit(
    trainer: lightning.Trainer,
    model: lightning.LightningModule,
    data: lightning.LightningDataModule,
    resume: Path | None,
) -> None:
    """Train, from a checkpoint if given; Ctrl-C arrives as ``KeyboardInterrupt`` after Lightning has cleaned up."""
    interrupt = HeldInterrupt()
    trainer.callbacks.append(interrupt)  # type: ignore[attr-defined]
    try:
        with interrupt.listening():
            trainer.fit(model, data, ckpt_path=None if resume is None else str(resume), weights_only=False)
    except SystemExit as stop:  # what Lightning turns an interrupt into
        raise KeyboardInterrupt from stop


def _quiet() -> None:
    """Silence advice that does not concern a small CPU experiment."""
    warnings.filterwarnings("ignore", module="lightning", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*IterableDataset. has .__len__. defined.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*number of training batches.*smaller than the logging interval.*")
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)


def check_settings(folder: Path, settings: Mapping[str, Any], resume: bool, overwrite: bool) -> None:
    """Guard what a folder holds: continue it only with the same settings, replace it only when told to."""
    path = folder / "settings.json"
    if path.exists() and not overwrite:
        if not resume:
            raise RunError(
                f"{folder} holds a run already. Pass --resume to go on with it, --overwrite to replace it, "
                "or another --output."
            )
        try:
            before = json.loads(path.read_text())
            before.keys()
        except (ValueError, AttributeError, OSError) as error:
            raise RunError(
                f"{path} must hold the settings of a run, but is damaged ({error}). Use --overwrite."
            ) from error
        now = json.loads(json.dumps(settings))
        different = [
            f"{key}: {before.get(key)!r} before, {now.get(key)!r} now" for key in now if before.get(key) != now[key]
        ]
        if different:
            raise RunError(
                f"--resume goes on with the settings of {folder}, but these differ: {'; '.join(different)}. "
                "Give the same options, or --overwrite to start anew."
            )
    if overwrite and path.exists():  # what a run writes, nothing else
        for name in ("checkpoints", "tensorboard"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ("metrics.json", "report.png", "example.png"):
            (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)
