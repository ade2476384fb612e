"""A network that scores numbers, trained from the order of small sets."""

import time
from typing import Any, Literal

import lightning
import torch
from torch.nn import functional

from algonets import losses
from algonets.data import NumberBatch, NumberSets
from algonets.experiments._training import RunError
from algonets.experiments.sort_digits.evaluate import evaluate
from algonets.experiments.sort_digits.methods import Baseline
from algonets.nets import DigitRanker
from algonets.sort import SortMethod, soft_rank

__all__ = ["NumberSorter", "order_loss"]

_FEATURES_AT_ONCE = 10_000_000  # values of the first convolution; more at once leave the caches and take twice as long


def order_loss(method: SortMethod | Baseline, scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of scores ``(B, n)`` whose order should be that of ``values``.

    A method with a matrix: binary cross-entropy of ``P`` and the true permutation matrix. A method with ranks only
    (FastSort): half the squared error of its ranks. ``"pairwise"``: the logistic loss of every pair. ``"regression"``:
    squared error of the scores themselves and the true ranks, centred and divided by ``n``.
    """
    n = scores.shape[-1]
    order = values.argsort(-1)
    ranks = order.argsort(-1)
    if method == "pairwise":
        lower, upper = torch.tril_indices(n, n, -1, device=scores.device).flip(0)
        in_order = scores.gather(-1, order)
        return functional.softplus(in_order[:, lower] - in_order[:, upper]).mean()
    if method == "regression":
        return functional.mse_loss(scores, (ranks - (n - 1) / 2) / n)
    if not isinstance(method, SortMethod):
        raise TypeError(f"order_loss(method) must be a SortMethod, 'pairwise' or 'regression', got {method!r}.")
    if "matrix" in method.abilities:
        return losses.PermutationCrossEntropy(method)(scores, values)
    return 0.5 * functional.mse_loss(soft_rank(scores, method), ranks + 1.0)


class NumberSorter(lightning.LightningModule):
    """Images of numbers to scores.

    Args:
        method: How the order of a set trains the scores, see :func:`order_loss`.
        image_shape: ``(1, H, W)`` of a number.
        held_out: Sets to measure on after every epoch.
        width: Of the network.
        learning_rate: Of Adam.
        precision: The network computes in ``float32`` or, where it can, ``bfloat16``; what sorts is always float32.
    """

    def __init__(
        self,
        method: SortMethod | Baseline,
        image_shape: tuple[int, int, int],
        held_out: NumberSets,
        width: int = 32,
        learning_rate: float = 10**-3.5,
        precision: Literal["float32", "bfloat16"] = "float32",
    ):
        super().__init__()
        self.method: SortMethod | Baseline = method
        self.held_out = held_out
        self.learning_rate, self.precision = learning_rate, precision
        self.ranker = DigitRanker(image_shape, width)
        self.ranker.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.at_once = max(1, _FEATURES_AT_ONCE // (width * image_shape[1] * image_shape[2]))
        self.step_seconds = 0.0
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._since = 0.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score ``(*batch, 1, H, W)`` images: ``(*batch)`` float32."""
        flat = images.flatten(0, -4).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            parts = flat.split(self.at_once) if flat.device.type == "cpu" else (flat,)
            scores = torch.cat([self.ranker(part) for part in parts])
        return scores.float().reshape(images.shape[:-3])

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step."""
        self._since = self._now()

    def _now(self) -> float:
        """Processor time, as other programs should not count; wall time where a GPU computes."""
        return time.process_time() if self.device.type == "cpu" else time.perf_counter()

    def training_step(self, batch: NumberBatch, batch_index: int) -> torch.Tensor:
        """One step of training; logs the loss."""
        loss = order_loss(self.method, self(batch.images), batch.values)
        value = loss.item()
        if not value < float("inf"):
            raise RunError(f"{self.method!r}: the loss became {value}. Try another scale or a lower --learning-rate.")
        self._losses.append(value)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.values))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop the clock of the step: drawing data and measuring do not count."""
        self.step_seconds += self._now() - self._since

    def on_train_epoch_end(self) -> None:
        """Measure on the held-out sets."""
        found = evaluate(self, self.held_out)
        self.curve.append(
            {
                "step": self.global_step,
                "seconds": round(self.step_seconds, 2),
                "loss": round(sum(self._losses) / max(len(self._losses), 1), 6),
                "em": round(100 * found.exact_match, 2),
                "ew": round(100 * found.element_wise, 2),
            }
        )
        self._losses = []
        self.log("EM", 100 * found.exact_match, prog_bar=True)
        self.log("EW", 100 * found.element_wise)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam at a constant rate, as in the papers."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = {"points": self.curve, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curve."""
        self.curve = list(checkpoint["curve"]["points"])
        self.step_seconds = checkpoint["curve"]["step_seconds"]
