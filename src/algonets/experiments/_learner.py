"""One Lightning module and one stream of batches for all short experiments."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

__all__ = ["Learner", "Stream"]


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
        after: Called as ``after(step)`` when a step is done.

    Attributes:
        curve: The losses so far.
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
        after: Callable[[int], None] | None = None,
    ):
        super().__init__()
        self.network, self.loss, self.steps = network, loss, steps
        self.learning_rate, self.one_cycle, self.weight_decay = learning_rate, one_cycle, weight_decay
        self.clip, self.after = clip, after
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

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Tell who wants to know."""
        if self.after is not None:
            self.after(batch_idx)

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
    """Batches that a function makes, step by step.

    Args:
        batches: The batch of a step.
        steps: How many.
    """

    def __init__(self, batches: Callable[[int], Any], steps: int):
        super().__init__()
        self.dataset = _Steps(batches, steps)

    def train_dataloader(self) -> DataLoader:
        """Return the loader."""
        return DataLoader(self.dataset, batch_size=None)


class _Steps(IterableDataset):
    def __init__(self, batches: Callable[[int], Any], steps: int):
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return (self.batches(step) for step in range(self.steps))
