"""The habits of Lightning: annealing and monitoring as callbacks. Importing this module imports ``lightning``."""

from collections.abc import Callable
from typing import Any

try:
    import lightning
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.utilities import rank_zero_warn
except ImportError as error:
    raise ImportError(
        "algonets.training.callbacks needs Lightning. Install it with: pip install 'algonets[experiments]'. Without it "
        "use algonets.training.Annealing and GradientMonitor in your own loop."
    ) from error

from algonets.training.annealing import Annealing
from algonets.training.gradient_monitor import GradientMonitor, GradientReport

__all__ = ["Anneal", "MonitorGradients"]


class Anneal(Callback):
    """:class:`~algonets.training.Annealing` while a Lightning trainer runs; resumes where a checkpoint was.

    Args:
        kind: As in ``Annealing``; found in the Lightning module when training starts.
        schedule: As in ``Annealing``.
        attribute: As in ``Annealing``.
        relative: As in ``Annealing``.
        steps: Length of the schedule; by default all steps that the trainer plans.

    Example:
        >>> from algonets import distributions
        >>> from algonets.training import GeometricSchedule
        >>> callback = Anneal(distributions.Distribution, GeometricSchedule(1.0, 0.05))
    """

    def __init__(
        self,
        kind: type | tuple[type, ...],
        schedule: Callable[[float], float],
        attribute: str | None = None,
        relative: bool = False,
        steps: int | None = None,
    ):
        self.kind, self.schedule, self.attribute, self.relative, self.steps = kind, schedule, attribute, relative, steps
        self._annealing: Annealing | None = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Find the algorithms."""
        self._annealing = Annealing(pl_module, self.kind, self.schedule, self.attribute, self.relative)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the values of this step, and log them."""
        if self._annealing is None:
            return
        total = self.steps or max(int(trainer.estimated_stepping_batches), 1)
        for path, value in self._annealing.set(min(trainer.global_step / total, 1.0)).items():
            pl_module.log(f"anneal/{path}", value)


class MonitorGradients(Callback):
    """:class:`~algonets.training.GradientMonitor` while a Lightning trainer runs: logs gains, and warns once a layer.

    Args:
        layers: As in ``GradientMonitor``.
        every: Report after so many steps.
        low: As in ``GradientMonitor``.
        high: As in ``GradientMonitor``.
        uneven: As in ``GradientMonitor``.

    Attributes:
        reports: What the last report said.

    Example:
        >>> callback = MonitorGradients(every=100)
    """

    def __init__(
        self,
        layers: type | tuple[type, ...] | None = None,
        every: int = 50,
        low: float = 1e-4,
        high: float = 1e3,
        uneven: float = 1e3,
    ):
        self.every = every
        self._options: dict[str, Any] = {"layers": layers, "low": low, "high": high, "uneven": uneven}
        self._monitor: GradientMonitor | None = None
        self._warned: set[tuple[str, str]] = set()
        self.reports: list[GradientReport] = []

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start watching."""
        self._monitor = GradientMonitor(pl_module, **self._options)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report now and then."""
        if self._monitor is None or trainer.global_step % self.every:
            return
        self.reports = self._monitor.report()
        for report in self.reports:
            pl_module.log(f"gain/{report.layer}", report.gain)
            if report.verdict != "ok" and (report.layer, report.verdict) not in self._warned:
                self._warned.add((report.layer, report.verdict))
                rank_zero_warn(
                    f"{report.layer}: gradients are {report.verdict} (gain {report.gain:.1e}). {report.advice}"
                )

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop watching."""
        if self._monitor is not None:
            self._monitor.close()
