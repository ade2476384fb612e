"""A network that learns through a relaxed program; what the experiments with ``algonets.relax`` have in common."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from algonets.experiments._training import RunError
from algonets.experiments.relax.methods import Method

__all__ = ["Batches", "Learner", "Task"]


class Task(Protocol):
    """What an experiment teaches: its networks, its batches, its loss and its score."""

    score: str
    """The key of the score that counts in what :meth:`measure` returns."""

    def network(self, method: Method) -> nn.Module:
        """Make the network of a method; every method gets the same first weights where it has the same layers."""
        ...

    def batch(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw a batch."""
        ...

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], method: Method) -> Tensor:
        """The loss of a batch: through the program under the law of the method, or as the baseline."""
        ...

    def measure(self, network: nn.Module, final: bool) -> dict[str, float]:
        """Scores in percent on held-out data: on a part of it, or on all of it at the end."""
        ...


class Learner(lightning.LightningModule):
    """Trains the network of a task by one method."""

    def __init__(self, task: Task, method: Method, learning_rate: float, steps: int):
        super().__init__()
        self.task, self.method = task, method
        self.learning_rate, self.steps = learning_rate, steps
        self.network = task.network(method)
        self.step_seconds = 0.0
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._since = 0.0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step: processor time, as other programs should not count."""
        self._since = time.process_time()

    def training_step(self, batch: tuple[Tensor, ...], batch_index: int) -> Tensor:
        """One step of training; logs the loss."""
        loss = self.task.loss(self.network, batch, self.method)
        value = loss.item()
        if not value < float("inf"):
            raise RunError(f"{self.method.name}: the loss became {value}. Try a larger scale or a lower rate.")
        self._losses.append(value)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch[0]))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop the clock of the step: drawing data and measuring do not count."""
        self.step_seconds += time.process_time() - self._since

    def on_train_epoch_end(self) -> None:
        """Measure on a part of the held-out data."""
        found = self.measured(False)
        mean = sum(self._losses) / max(len(self._losses), 1)
        point = {"step": self.global_step, "seconds": round(self.step_seconds, 2), "loss": round(mean, 6)}
        self.curve.append({**point, **found})
        self._losses = []
        self.log(self.task.score, found[self.task.score], prog_bar=True)

    def measured(self, final: bool) -> dict[str, float]:
        """The scores of the task, rounded."""
        was_training = self.network.training
        self.network.eval()
        found = self.task.measure(self.network, final)
        self.network.train(was_training)
        return {key: round(value, 2) for key, value in found.items()}

    def configure_optimizers(self) -> Any:
        """Adam; the rate falls to nothing along a cosine."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = {"points": self.curve, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"]["points"])
        self.step_seconds = checkpoint["curve"]["step_seconds"]


class _Draws(IterableDataset[tuple[Tensor, ...]]):
    def __init__(self, draw: Callable[[torch.Generator], tuple[Tensor, ...]], count: int, seed: int):
        self.draw, self.count, self.seed = draw, count, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.seed)
        return (self.draw(generator) for _ in range(self.count))


class Batches(lightning.LightningDataModule):
    """Batches of a task; each epoch draws its own, from the seed and its number alone."""

    def __init__(self, task: Task, steps: int, interval: int, seed: int):
        super().__init__()
        self.task, self.steps, self.interval, self.seed = task, steps, interval, seed

    def train_dataloader(self) -> Any:
        """Return the loader of the epoch that the trainer is at."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        count = min(self.interval, self.steps - epoch * self.interval)
        return DataLoader(_Draws(self.task.batch, count, (self.seed << 20) + epoch + 1), batch_size=None)
