"""Training a refiner: every iteration should be near the mask, the last ones most."""

import time
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn import functional

from algonets.experiments.refine.evaluate import Maps, evaluate
from algonets.experiments.refine.networks import Method, build_network

__all__ = ["MapRefiner"]


class MapRefiner(lightning.LightningModule):
    """Coarse logits ``(B, 1, H, W)`` and pictures ``(B, 3, H, W)`` to the maps of all iterations.

    Args:
        method: Which refiner.
        iterations: Of those that iterate.
        held_out: Pictures to measure on after every epoch.
        learning_rate: Peak of the one-cycle schedule.
        crop: Side of the random crops that are trained on, turned and mirrored at random; 0 for whole pictures.
    """

    def __init__(self, method: Method, iterations: int, held_out: Maps, learning_rate: float = 5e-3, crop: int = 0):
        super().__init__()
        self.save_hyperparameters("method", "iterations", "learning_rate", "crop")
        self.network = build_network(method, iterations)
        self.held_out, self.learning_rate, self.crop = held_out, learning_rate, crop
        self.curve: list[dict[str, float]] = []
        self.step_seconds = 0.0
        self._started = 0.0

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return the maps of all iterations ``(iterations + 1, B, 1, H, W)``, the coarse one first."""
        return self.network(coarse, image)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Mean cross-entropy over iterations, weighted up to the last."""
        maps = Maps(*(self._cropped(batch) if self.crop else batch))
        steps = self(maps.coarse, maps.images)[1:]
        weight = torch.linspace(1 / len(steps), 1, len(steps), device=steps.device).view(-1, 1, 1, 1, 1)
        loss = functional.binary_cross_entropy_with_logits(steps, maps.masks.expand_as(steps), reduction="none")
        total = (weight * maps.known * loss).sum() / (weight * maps.known.expand_as(loss)).sum().clamp_min(1)
        self.log("loss", total, prog_bar=True)
        return total

    def _cropped(self, batch: list[Tensor]) -> list[Tensor]:
        joined = torch.cat(batch, 1)
        height, width = joined.shape[-2:]
        side, crops = self.crop, []
        for picture in joined:
            y, x, turns, mirror = (int(torch.randint(n, ())) for n in (height - side + 1, width - side + 1, 4, 2))
            crop = picture[:, y : y + side, x : x + side].rot90(turns, (1, 2))
            crops.append(crop.flip(-1) if mirror else crop)
        return list(torch.stack(crops).split([part.shape[1] for part in batch], 1))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of a step."""
        self._started = time.process_time()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add up processor seconds: the machine may be shared."""
        self.step_seconds += time.process_time() - self._started

    def on_train_epoch_end(self) -> None:
        """Measure on held-out pictures."""
        found = evaluate(self.network, self.held_out)
        self.network.train()
        self.curve.append({"step": self.global_step, "iou": round(100 * found.iou[-1], 2)})
        self.log("IoU", 100 * found.iou[-1], prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Adam, one cycle."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, max(steps, 2), pct_start=0.2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **options: Any) -> None:
        """Keep one bad step from throwing the equation into a regime where it explodes."""
        torch.nn.utils.clip_grad_norm_(self.parameters(), 0.2)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = {"points": self.curve, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"]["points"])
        self.step_seconds = checkpoint["curve"]["step_seconds"]
