"""One convolution, applied a number of times or until nothing changes, and a linear classifier of the result."""

import time
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.implicit import DEQ, Anderson, Implicit, unroll

__all__ = ["EquilibriumClassifier", "Step"]

TOLERANCE = 1e-3
MAX_ITERATIONS = 50


class Step(nn.Module):
    """``z <- tanh(W * z + x)``; the first W is a contraction, so that there is an equilibrium to begin with.

    Args:
        channels: Of z, which has the size of the picture.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.orthogonal_(self.inner.weight.view(channels, -1))
        with torch.no_grad():
            self.inner.weight.mul_(0.6)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the next z."""
        return torch.tanh(self.inner(z) + x)


class EquilibriumClassifier(lightning.LightningModule):
    """Digits ``(B, 1, 8, 8)`` to scores ``(B, 10)``.

    Args:
        depth: Iterations that are unrolled; 0 for the equilibrium.
        channels: Of the state.
        learning_rate: Peak of the one-cycle schedule.
    """

    def __init__(self, depth: int, channels: int = 16, learning_rate: float = 5e-3):
        super().__init__()
        self.save_hyperparameters()
        self.learning_rate, self.depth = learning_rate, depth
        self.inject = nn.Conv2d(1, channels, 3, padding=1)
        self.step = Step(channels)
        self.classify = nn.Linear(channels * 16, 10)
        self.equilibrium = None
        if depth == 0:
            self.equilibrium = DEQ(
                self.step,
                solver=Anderson(),
                backward=Implicit(tolerance=TOLERANCE, max_iterations=MAX_ITERATIONS),
                tolerance=TOLERANCE,
                max_iterations=MAX_ITERATIONS,
                event_dims=3,
            )
        self.step_seconds = 0.0
        self._started = 0.0
        self.iterations: list[float] = []
        self.converged: list[float] = []

    def state(self, images: Tensor) -> Tensor:
        """Return z after all iterations, ``(B, channels, 8, 8)``."""
        x = self.inject(2 * images - 1)
        if self.equilibrium is None:
            return unroll(self.step, self.depth)(torch.zeros_like(x), x)
        solution = self.equilibrium.solve(x)
        self.iterations.append(solution.iterations.float().mean().item())
        self.converged.append(solution.converged.float().mean().item())
        return solution.value

    def forward(self, images: Tensor) -> Tensor:
        """Return scores."""
        return self.classify(functional.avg_pool2d(self.state(images), 2).flatten(1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy."""
        loss = functional.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of a step."""
        self._started = time.process_time()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add up processor seconds: the machine may be shared."""
        self.step_seconds += time.process_time() - self._started

    def configure_optimizers(self) -> Any:
        """Adam, one cycle."""
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, max(steps, 2))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the clock."""
        checkpoint["step_seconds"] = self.step_seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the clock."""
        self.step_seconds = checkpoint["step_seconds"]
