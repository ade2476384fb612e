"""The base of short experiments: options, folder, training, a table, criteria, JSON and a picture."""

import abc
import inspect
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console
from torch import Tensor, nn

from algonets.experiments._learner import Learner, Stream
from algonets.experiments._options import check_folder, one_device, open_folder
from algonets.experiments._report import Report, keep_report, show_report
from algonets.experiments._training import (
    AtomicCheckpoints,
    RunError,
    check_settings,
    checkpoint_path,
    fit,
    make_trainer,
    write_json,
)
from algonets.nets import Net, save_net

__all__ = ["AbstractExperiment", "minibatches"]

FINISHED = "finished.pt"  # the state of a network whose training is done
PROGRESS = "progress.json"  # what an experiment has found so far


class AbstractExperiment(abc.ABC):
    """One experiment: a subclass keeps its options and says how to :meth:`measure`.

    Args:
        output: Folder for the results; by default runs/<name>.
        resume: Go on with the interrupted run in the output folder: finished networks are read, the one that was
            interrupted goes on from its checkpoint.
        overwrite: Replace a run in the output folder.
        seed: Of data, first weights and training.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        trainer: Further arguments of lightning.Trainer.
        config: Text to keep as config.yaml in the output folder.
    """

    name: ClassVar[str]

    def __init__(
        self,
        output: str | None = None,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        data_dir: str | None = None,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        check_folder(output, resume, overwrite)
        if seed < 0:
            raise RunError(f"--seed must be at least 0, got {seed}.")
        self.trainer_options = one_device(self.name, trainer)
        self.output = Path(output or f"runs/{self.name}")
        self.resume, self.overwrite, self.seed = resume, overwrite, seed
        self.data_dir, self.config = data_dir, config
        self.options: dict[str, Any] = {}
        self.console = Console()

    def keep(self, **options: Any) -> None:
        """Keep options, which then are attributes; integers must be at least 1 and floats positive."""
        for name, value in options.items():
            for part in value if isinstance(value, list | tuple) else [value]:
                if isinstance(part, int) and not isinstance(part, bool) and part < 1:
                    raise RunError(f"--{name} must be at least 1, got {value}.")
                if isinstance(part, float) and not part > 0:
                    raise RunError(f"--{name} must be positive, got {value}.")
            if isinstance(value, list) and not value:
                raise RunError(f"--{name} must name at least one, got {value}.")
        self.options |= options

    def __getattr__(self, name: str) -> Any:
        """Return an option that is kept."""
        options = self.__dict__.get("options", {})
        if name in options:
            return options[name]
        raise AttributeError(f"{type(self).__name__} has no option {name!r}; it keeps {', '.join(options) or 'none'}.")

    @abc.abstractmethod
    def measure(self) -> Report:
        """Do it; returns what was found."""

    def run(self) -> dict[str, Any]:
        """Measure, write metrics.json, table.md and report.png, show them; returns the content of metrics.json."""
        start = time.perf_counter()
        settings = {"experiment": self.name, "seed": self.seed, **self.options}
        open_folder(self.output)
        check_settings(self.output, settings, self.resume, self.overwrite)
        if not self.resume:
            for old in (*self.output.glob(f"*/{FINISHED}"), *self.output.glob("*/checkpoints/*.ckpt")):
                old.unlink()
            (self.output / PROGRESS).unlink(missing_ok=True)
        if self.config is not None:
            (self.output / "config.yaml").write_text(self.config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            report = self.measure()
        metrics = keep_report(report, self.output, settings, time.perf_counter() - start)
        show_report(report, self.console)
        self.console.print(f"Picture: {self.output / 'report.png'}    figures: {self.output / 'metrics.json'}")
        return metrics

    def train(
        self,
        name: str,
        network: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        batches: Callable[[int], Any],
        steps: int,
        learning_rate: float = 1e-3,
        notes: Any = None,
        replay: bool = True,
        **options: Any,
    ) -> list[float]:
        """Train a network by Adam, save it as <name>.safetensors, and return the losses.

        A run that goes on makes the batches of the steps that are done again, and throws them away.

        Args:
            name: Of the files.
            network: Changed in place.
            loss: ``loss(network, batch)``.
            batches: The batch of a step, counted from 0; called in the order of steps.
            steps: How many.
            learning_rate: At its peak.
            notes: A list or dictionary that ``batches`` fills while the network learns; kept with the finished network.
            replay: Whether batches can be made again: not if they depend on the network. Then an interrupted network
                starts anew.
            options: More of :class:`~algonets.experiments._learner.Learner`.
        """
        return self.fit(name, Learner(network, loss, steps, learning_rate, **options), batches, steps, notes, replay)

    def fit(
        self,
        name: str,
        learner: Learner,
        batches: Callable[[int], Any],
        steps: int,
        notes: Any = None,
        replay: bool = True,
    ) -> list[float]:
        """Train what a learner holds; see :meth:`train`."""
        folder, network = self.output / name, learner.network
        finished, checkpoint = folder / FINISHED, checkpoint_path(folder)
        if self.resume and finished.exists():
            self.console.print(f"[bold]{name}[/]: finished before")
            state = torch.load(finished, weights_only=True)
            network.load_state_dict(state["network"])
            torch.set_rng_state(state["generator"])
            _restore(notes, state["notes"])
            network.eval()
            return state["curve"]
        old = checkpoint if self.resume and replay and checkpoint.exists() else None
        start = 0 if old is None else len(torch.load(old, weights_only=False)["curve"])
        stream = Stream(batches, steps, start)
        self.console.print(f"[bold]{name}[/]: {steps} steps{f', {start} of them done before' if start else ''} ...")
        trainer = make_trainer(folder, steps // stream.epoch, self.seed, self.trainer_options, name)
        network.train()
        fit(trainer, learner, stream, old)
        network.eval()
        if isinstance(network, Net):
            save_net(network, self.output / f"{name}.safetensors")
        curve = torch.stack(learner.curve).tolist()
        state = {"network": network.state_dict(), "curve": curve, "notes": notes, "generator": torch.get_rng_state()}
        AtomicCheckpoints().save_checkpoint(state, finished)
        return curve

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` gives, or gave before the run was interrupted: numbers, strings, lists, dictionaries."""
        path = self.output / PROGRESS
        kept = _read(path)
        if key in kept:
            self.console.print(f"[bold]{key}[/]: finished before")
            return kept[key]
        value = json.loads(json.dumps(make()))
        write_json(path, {**_read(path), key: value})  # make may have kept parts of its own
        return value

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if not inspect.isabstract(cls) and "name" not in vars(cls):
            raise TypeError(f"{cls.__name__}.name must be the name of the subcommand.")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text())) if path.exists() else {}
    except (ValueError, TypeError) as error:
        told = "must hold what the run has found so far, but is damaged"
        raise RunError(f"{path} {told} ({error}). Use --overwrite.") from error


def _restore(notes: Any, before: Any) -> None:
    if isinstance(notes, list):
        notes[:] = before
    elif isinstance(notes, dict):
        notes.update(before)


def minibatches(tensors: tuple[Tensor, ...], batch_size: int, seed: int = 0) -> Callable[[int], tuple[Tensor, ...]]:
    """Return a function of the step that gives minibatches, each example once in an epoch.

    Args:
        tensors: With the same first dimension.
        batch_size: Examples of a step; all if there are fewer. What is left at the end of an epoch is left out.
        seed: Of the order.
    """
    count = len(tensors[0])
    size = min(batch_size, count)

    def orders() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        while True:
            yield from torch.randperm(count, generator=generator)[: count // size * size].split(size)

    order = orders()

    def batch(step: int) -> tuple[Tensor, ...]:
        kept = next(order)
        return tuple(tensor[kept] for tensor in tensors)

    return batch
