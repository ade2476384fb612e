"""A classifier of small pictures, trained by cross-entropy or by its top-k relative."""

from collections.abc import Callable
from typing import Any

import lightning
import torch

from algonets.experiments._training import RunError
from algonets.experiments.topk.evaluate import evaluate
from algonets.nets import SmallCnn

__all__ = ["PictureClassifier"]


class PictureClassifier(lightning.LightningModule):
    """Pictures to class scores.

    Args:
        loss: Takes scores ``(B, classes)`` and labels ``(B,)``.
        images: The training pictures ``(N, C, H, W)`` uint8; their mean and spread scale what comes in.
        num_classes: Number of classes.
        held_out: Pictures and labels to measure on after every epoch.
        width: Of the network.
        learning_rate: Peak of the one-cycle schedule.
        flip: Mirror half of the training pictures.
    """

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        images: torch.Tensor,
        num_classes: int,
        held_out: tuple[torch.Tensor, torch.Tensor],
        width: int = 16,
        learning_rate: float = 3e-3,
        flip: bool = False,
    ):
        super().__init__()
        self.loss, self.held_out = loss, held_out
        self.learning_rate, self.flip = learning_rate, flip
        _, channels, height, breadth = images.shape
        self.network = SmallCnn((channels, height, breadth), num_classes, width)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        some = images[:: max(1, len(images) // 2000)].float()
        self.register_buffer("mean", some.mean((0, 2, 3), keepdim=True))
        self.register_buffer("spread", some.std((0, 2, 3), keepdim=True).clamp_min(1.0))
        self.curve: list[dict[str, Any]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score ``(B, C, H, W)`` uint8 pictures."""
        scaled = (images.float() - self.mean) / self.spread
        return self.network(scaled.contiguous(memory_format=torch.channels_last))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_index: int) -> torch.Tensor:
        """One step of training; logs the loss."""
        images, labels = batch
        if self.flip:
            mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(-1), images)
        loss = self.loss(self(images), labels)
        if not bool(loss.detach() < float("inf")):
            raise RunError(f"The loss became {loss.item()}. Try another scale of --method or a lower --learning-rate.")
        self.log("loss", loss, prog_bar=True, batch_size=len(labels))
        return loss

    def on_train_epoch_end(self) -> None:
        """Measure on the held-out pictures."""
        found = evaluate(self, *self.held_out)
        self.curve.append({"epoch": self.current_epoch + 1, "accuracies": [round(100 * a, 3) for a in found]})
        self.log("top1", 100 * found[0], prog_bar=True)
        self.log("top5", 100 * found[-1])

    def configure_optimizers(self) -> Any:
        """Adam with a one-cycle schedule over the whole run."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = self.curve

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"])
