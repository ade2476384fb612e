"""The machinery of these experiments: seeds, mean and deviation of everything, a run that can go on."""

import abc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._pictures import new_figure
from algonets.experiments._report import Criterion, Report

__all__ = ["Study", "best_setting", "entry", "summarise"]


class Study(AbstractExperiment):
    """Something measured for several seeds.

    A subclass has an option ``seeds`` and writes :meth:`measure_seed`, :meth:`criteria`, :meth:`rows` and
    :meth:`draw`. A run that goes on reads what was chosen and the seeds that were finished from progress.json.

    Attributes:
        chosen: What :meth:`prepare` returned.
    """

    seeds: int
    chosen: dict[str, Any]

    @abc.abstractmethod
    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Run everything for one seed: nested dictionaries of numbers and of lists of numbers."""

    @abc.abstractmethod
    def criteria(self, mean: Any) -> list[Criterion]:
        """What the experiment is to show, on the means."""

    @abc.abstractmethod
    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """The table: headings, and a row of cells for each method."""

    @abc.abstractmethod
    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Draw into a matplotlib figure."""

    def prepare(self) -> dict[str, Any]:
        """What is chosen once for all seeds, such as learning rates: strings, numbers, lists, dictionaries."""
        return {}

    def measure(self) -> Report:
        """Measure every seed; summarise."""
        self.chosen = self.once("chosen", self.prepare)
        seeds = range(self.seed, self.seed + self.seeds)
        found = [self.once(f"seed {seed}", lambda seed=seed: self._measure_seed(seed)) for seed in seeds]
        mean, deviation = summarise(found)
        headings, cells = self.rows(mean, deviation)
        figure = new_figure(10, 3.8)
        self.draw(figure, mean, deviation)
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        title = f"{self.name}: mean and deviation of {self.seeds} seeds"
        rows = [dict(zip(headings, row, strict=True)) for row in cells]
        figures = {"chosen": self.chosen, "mean": mean, "deviation": deviation}
        return Report(title, rows, self.criteria(mean), figure, figures)

    def _measure_seed(self, seed: int) -> dict[str, Any]:
        begin = time.perf_counter()
        torch.manual_seed(seed)
        found = self.measure_seed(seed)
        self.console.print(f"seed {seed}: done after {time.perf_counter() - begin:.0f} s")
        return found


def summarise(found: list[Any]) -> tuple[Any, Any]:
    """Mean and sample deviation over seeds, leaf by leaf."""
    first = found[0]
    if isinstance(first, dict):
        pairs = {key: summarise([one[key] for one in found]) for key in first}
        return {k: pair[0] for k, pair in pairs.items()}, {k: pair[1] for k, pair in pairs.items()}
    if isinstance(first, list):
        both = [summarise(list(values)) for values in zip(*found, strict=True)]
        return [pair[0] for pair in both], [pair[1] for pair in both]
    values = [float(value) for value in found]
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return round(statistics.fmean(values), 6), round(deviation, 6)


def entry(mean: float, deviation: float, digits: int = 3) -> str:
    """A cell: ``0.924 ± 0.003``."""
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def best_setting(
    score: Callable[..., float], grid: list[tuple[Any, ...]], seeds: Sequence[int] = (1000,)
) -> tuple[Any, ...]:
    """The setting with the lowest ``score(*setting, seed)``, on seeds that are not reported; NaN never wins."""
    scores = []
    for setting in grid:
        values = []
        for seed in seeds:
            torch.manual_seed(seed)
            values.append(score(*setting, seed))
        mean = statistics.fmean(values)
        scores.append(mean if mean == mean else float("inf"))
    return grid[scores.index(min(scores))]
