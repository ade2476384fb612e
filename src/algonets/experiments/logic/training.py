"""Training, in intervals that an interruption cannot undo, and its record."""

import time
from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets import logic
from algonets.experiments._experiment import minibatches
from algonets.experiments._learner import Stream
from algonets.experiments.logic.tasks import Preset, Task

__all__ = ["GateLearner", "Rows", "accuracy", "intervals"]


def accuracy(score: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, batch: int = 2000) -> float:
    """Percent of the rows whose largest score is at their label."""
    right = sum(
        int((score(rows).argmax(-1).cpu() == wanted).sum())
        for rows, wanted in zip(x.split(batch), labels.split(batch), strict=True)
    )
    return 100 * right / max(len(labels), 1)


def intervals(steps: int, marks: int) -> list[int]:
    """Steps of each of ``marks`` intervals; accuracies are measured and a checkpoint is written after each."""
    ends = [round(steps * k / marks) for k in range(marks + 1)]
    return [end - start for start, end in zip(ends, ends[1:], strict=False)]  # noqa: RUF007


class GateLearner(lightning.LightningModule):
    """Adam on cross-entropy, the rate falling to 0 by a cosine; soft and hard accuracy after every interval.

    The test accuracy is recorded, never used to choose.

    Args:
        network: An encoder, then what is trained.
        task: Its test part is measured.
        size: Steps, rate.
        report: Called with each entry of the record.

    Attributes:
        history: The record.
        step_seconds: Wall seconds of training steps so far.
        step_processor_seconds: Seconds of all threads of this process in them.
    """

    def __init__(self, network: logic.Sequential, task: Task, size: Preset, report: Callable[[dict[str, Any]], None]):
        super().__init__()
        self.network, self.task, self.size, self.report = network, task, size, report
        self._body = (logic.Sequential(*list(network)[1:]),)  # no module of its own in the state
        self.history: list[dict[str, Any]] = []
        self.step_seconds = self.step_processor_seconds = 0.0
        self._since = (0.0, 0.0)
        self._loss = torch.zeros(())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step."""
        self._since = (time.perf_counter(), time.process_time())

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        """Return the loss of rows whose bits were made once."""
        bits, labels = batch
        self._loss = functional.cross_entropy(self._body[0](bits.to(torch.float32)), labels)
        return self._loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop the clock of the step."""
        self.step_seconds += time.perf_counter() - self._since[0]
        self.step_processor_seconds += time.process_time() - self._since[1]

    def on_train_epoch_end(self) -> None:
        """Measure."""
        entry = {
            "step": self.global_step,
            "seconds": round(self.step_seconds, 2),
            "processor_seconds": round(self.step_processor_seconds, 2),
            "loss": round(float(self._loss.detach()), 4),
            **_measure(self.network, self.task, self.device),
        }
        self.history.append(entry)
        self.log_dict({name: float(entry[name]) for name in ("loss", "soft", "hard")}, prog_bar=True)
        self.report(entry)

    def configure_optimizers(self) -> Any:
        """Return Adam and its schedule."""
        optimizer = torch.optim.Adam(self.network.parameters(), self.size.rate, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.size.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the record."""
        checkpoint["record"] = {
            "history": self.history,
            "seconds": self.step_seconds,
            "processor_seconds": self.step_processor_seconds,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the record."""
        record = checkpoint["record"]
        self.history, self.step_seconds = list(record["history"]), record["seconds"]
        self.step_processor_seconds = record["processor_seconds"]


class Rows(lightning.LightningDataModule):
    """Bits and labels, batch by batch; the order of an interval depends on the seed and its number alone.

    Args:
        encoder: Makes the bits, once.
        task: Its training part.
        batch: Rows of a step.
        seed: Of the order.
        lengths: Steps of the intervals.
    """

    def __init__(self, encoder: nn.Module, task: Task, batch: int, seed: int, lengths: list[int]):
        super().__init__()
        parts = task.train.split(5000)
        self.tensors = (torch.cat([encoder(part).to(torch.uint8) for part in parts]), task.train_labels)
        self.batch, self.seed, self.lengths = batch, seed, lengths

    def train_dataloader(self) -> Any:
        """Return the loader of the interval that the trainer is at."""
        interval = self.trainer.current_epoch if self.trainer else 0
        batches = minibatches(self.tensors, self.batch, (self.seed << 32) + interval)
        steps = self.lengths[interval]
        return Stream(batches, steps, epoch=steps).train_dataloader()


def _measure(network: logic.Sequential, task: Task, device: torch.device) -> dict[str, float]:
    training = network.training
    network.eval()
    with torch.no_grad():
        soft = accuracy(lambda rows: network(rows.to(device)), task.test, task.test_labels)
    circuit = logic.compile(network, task.test[:1], verify=False)
    network.train(training)
    return {"soft": round(soft, 2), "hard": round(accuracy(circuit, task.test, task.test_labels), 2)}
