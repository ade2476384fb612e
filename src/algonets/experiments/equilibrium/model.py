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
GAIN = 0.9


class Step(nn.Module):
    """``z <- tanh(W * z + x)``, a circular convolution that is kept a contraction, so that there is an equilibrium.

    Args:
        channels: Of z.
        size: Height and width of z.
    """

    def __init__(self, channels: int, size: int = 8):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        nn.init.orthogonal_(self.weight)
        self.size = size

    def contraction(self) -> Tensor:
        """Return W, scaled down where its largest gain exceeds 0.9; the gains are those of its Fourier transform."""
        symbol = torch.fft.fft2(self.weight, s=(self.size, self.size)).permute(2, 3, 0, 1)
        gain = torch.linalg.svdvals(symbol).max()
        return self.weight * (GAIN / gain).clamp_max(1)

    def forward(self, z: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Return the next z ``(B, channels, size, size)``, by a weight from ``contraction``."""
        return torch.tanh(functional.conv2d(functional.pad(z, (1, 1, 1, 1), "circular"), weight) + x)


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
        weight = self.step.contraction()  # once, not in every iteration
        if self.equilibrium is None:
            return unroll(self.step, self.depth)(torch.zeros_like(x), x, weight)
        solution = self.equilibrium.solve(x, weight)
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
