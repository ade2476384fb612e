"""A network that reads costs off a map, trained from paths."""

import time
from typing import Any, Literal

import lightning
import torch
from torch import Tensor
from torch.nn import functional

from algonets.data import TerrainMaps
from algonets.experiments._training import RunError
from algonets.experiments.paths.evaluate import evaluate, predict
from algonets.experiments.paths.methods import PathLoss
from algonets.nets import PathResNet

__all__ = ["PathLearner"]

_LEAST = 0.05  # of a cost: a free tile would leave the path undecided


class PathLearner(lightning.LightningModule):
    """Pictures of maps to costs of tiles; the baseline: to logits of the path.

    Args:
        loss: of costs and paths, see ``methods``.
        direct: the baseline, a whole ResNet that predicts the path itself.
        held_out: maps to measure on after every epoch.
        steps: of training in all, for the schedule.
        width: of the network.
        learning_rate: of Adam at its highest: it rises for a fifth of the steps, then falls to nothing.
        precision: the network computes in ``float32`` or, where it can, ``bfloat16``; solvers always in float32.
    """

    def __init__(
        self,
        loss: PathLoss,
        direct: bool,
        held_out: TerrainMaps,
        steps: int,
        width: int = 32,
        learning_rate: float = 5e-3,
        precision: Literal["float32", "bfloat16"] = "float32",
    ):
        super().__init__()
        self.loss, self.direct, self.held_out = loss, direct, held_out
        self.steps, self.learning_rate, self.precision = steps, learning_rate, precision
        self.network = PathResNet(held_out.side, width, whole=direct)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.step_seconds = 0.0
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._since = 0.0

    def forward(self, images: Tensor) -> Tensor:
        """Costs ``(N, side, side)`` of pictures ``(N, 3, H, W)`` in [0, 1]."""
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            scores = self.network(images)
        return scores.float() if self.direct else functional.softplus(scores.float()) + _LEAST

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step."""
        self._since = time.process_time()

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_index: int) -> Tensor:
        """One step of training; the true costs of the batch are not looked at."""
        images, _, paths = batch
        loss = self.loss(self(images), paths)
        value = loss.item()
        if not abs(value) < float("inf"):
            raise RunError(f"the loss became {value}. Try a lower --learning-rate.")
        self._losses.append(value)
        self.log("loss", value, prog_bar=True, batch_size=len(images))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop the clock of the step."""
        self.step_seconds += time.process_time() - self._since

    def on_train_epoch_end(self) -> None:
        """Measure on the held-out maps."""
        data = self.held_out
        score, _ = evaluate(predict(self, data.images), data.costs, data.paths, self.direct)
        self.curve.append(
            {
                "epoch": self.current_epoch + 1,
                "seconds": round(self.step_seconds, 2),
                "loss": round(sum(self._losses) / max(len(self._losses), 1), 6),
                "optimal": round(100 * score.optimal, 2),
                "exact": round(100 * score.exact, 2),
            }
        )
        self._losses = []
        self.log("optimal", 100 * score.optimal, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Adam, its rate in one cycle: with few steps worth six points of supervised costs against three levels."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, self.steps, pct_start=0.2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = {"points": self.curve, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"]["points"])
        self.step_seconds = checkpoint["curve"]["step_seconds"]
