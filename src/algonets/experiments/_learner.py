"""One Lightning module and one stream of batches for all short experiments."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

__all__ = ["Learner", "Stream", "epoch_of"]


class Learner(lightning.LightningModule):
    """A network, a loss, and Adam with a one-cycle schedule.

    Args:
        network: What is trained.
        loss: ``loss(network, batch)``.
        steps: How many there will be.
        learning_rate: At its peak.
        one_cycle: Rise and fall; otherwise the learning rate stays.
        weight_decay: Of AdamW.
        clip: Bound of the gradient's norm; 0 for none.

    Attributes:
        curve: The losses so far; a checkpoint keeps them.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        steps: int,
        learning_rate: float = 1e-3,
        one_cycle: bool = True,
        weight_decay: float = 0.0,
        clip: float = 0.0,
    ):
        super().__init__()
        self.network, self.loss, self.steps = network, loss, steps
        self.learning_rate, self.one_cycle, self.weight_decay = learning_rate, one_cycle, weight_decay
        self.clip = clip
        self.curve: list[Tensor] = []

    def training_step(self, batch: Any, step: int) -> Tensor:
        """Return the loss of a batch."""
        value = self.loss(self.network, batch)
        self.note(value)
        return value

    def note(self, value: Tensor) -> None:
        """Keep a loss for the curve."""
        self.curve.append(value.detach().cpu())
        self.log("loss", value.detach(), prog_bar=True)

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Bound the gradient."""
        if self.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = self.curve

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"])

    def configure_optimizers(self) -> Any:
        """Return AdamW and the schedule."""
        optimizer = torch.optim.AdamW(self.network.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        if not self.one_cycle:
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share_of_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share_of_rate(self, step: int) -> float:
        """Rise over a fifth of the steps, fall by a cosine."""
        rise = max(1.0, 0.2 * self.steps)
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rise) / max(1.0, self.steps - rise)))


class Stream(lightning.LightningDataModule):
    """Batches that a function makes, step by step, cut into epochs, after each of which there is a checkpoint.

    Args:
        batches: The batch of a step; called in the order of steps, each once.
        steps: How many.
        start: Steps that a checkpoint holds already: their batches are made, so that generators come to the same
            place, and thrown away.
        epoch: Steps of an epoch; by default :func:`epoch_of` the steps.

    Attributes:
        epoch: Steps of an epoch.
    """

    def __init__(self, batches: Callable[[int], Any], steps: int, start: int = 0, epoch: int | None = None):
        super().__init__()
        self.epoch = epoch_of(steps) if epoch is None else epoch
        self.dataset = _Steps(batches, self.epoch)
        for _ in range(start):
            self.dataset.draw()

    def train_dataloader(self) -> DataLoader:
        """Return the loader."""
        return DataLoader(self.dataset, batch_size=None)


def epoch_of(steps: int) -> int:
    """Return the length of an epoch: the largest divisor of ``steps`` up to 250, all of them if it is below 20.

    >>> epoch_of(2400), epoch_of(4500), epoch_of(1601)
    (240, 250, 1601)
    """
    divisor = max(d for d in range(1, min(steps, 250) + 1) if steps % d == 0)
    return divisor if divisor >= 20 else steps


class _Steps(IterableDataset):
    def __init__(self, batches: Callable[[int], Any], epoch: int):
        self.batches, self.epoch, self.step = batches, epoch, 0

    def __len__(self) -> int:
        return self.epoch

    def draw(self) -> Any:
        self.step += 1
        return self.batches(self.step - 1)

    def __iter__(self) -> Iterator[Any]:
        return (self.draw() for _ in range(self.epoch))
