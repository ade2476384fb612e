"""The machinery of these experiments: seeds, mean and deviation, a table, a picture, files."""

import abc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console
from rich.table import Table

from algonets.experiments._options import check_folder
from algonets.experiments._training import RunError, check_settings, write_json

__all__ = ["Study", "best_setting", "entry", "summarise"]


class Study(abc.ABC):
    """Something measured for several seeds.

    A subclass sets :attr:`name`, gives its options as ``super().__init__(locals())`` first of all, and writes
    :meth:`measure`, :meth:`criteria`, :meth:`rows` and :meth:`draw`.
    """

    name: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any]):
        settings = {key: value for key, value in settings.items() if key not in ("self", "__class__", "trainer")}
        self.config, self.overwrite = settings.pop("config"), settings.pop("overwrite")
        output = settings.pop("output")
        check_folder(output, False, False)
        self.output = Path(output or f"runs/{self.name}")
        self.seeds: int = settings["seeds"]
        for key, value in settings.items():
            if isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise RunError(f"--{key.replace('_', '-')} must be at least 1, got {value}.")
        self.settings = settings

    @abc.abstractmethod
    def measure(self, seed: int) -> dict[str, Any]:
        """Run everything for one seed: nested dictionaries of numbers and of lists of numbers."""

    @abc.abstractmethod
    def criteria(self, mean: Any) -> dict[str, bool]:
        """What the experiment is to show, on the means."""

    @abc.abstractmethod
    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """The table: headings, and a row of cells for each method."""

    @abc.abstractmethod
    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Draw into a matplotlib figure."""

    def prepare(self, console: Console) -> dict[str, Any]:
        """What is chosen once for all seeds, such as learning rates; goes into metrics.json."""
        return {}

    def run(self) -> dict[str, Any]:
        """Measure, report; returns the content of metrics.json."""
        console, start = Console(), time.perf_counter()
        try:
            check_settings(self.output, self.settings, False, self.overwrite)
            if self.config:
                (self.output / "config.yaml").write_text(self.config)
        except OSError as error:
            raise RunError(f"--output must be a folder that can be written, got {self.output} ({error}).") from error
        before = torch.get_rng_state()
        try:
            chosen = self.prepare(console)
            found = []
            for seed in range(self.seeds):
                begin = time.perf_counter()
                torch.manual_seed(seed)
                found.append(self.measure(seed))
                console.print(f"seed {seed}: done after {time.perf_counter() - begin:.0f} s")
        finally:
            torch.set_rng_state(before)
        mean, deviation = summarise(found)
        metrics = {
            **self.settings,
            "chosen": chosen,
            "mean": mean,
            "deviation": deviation,
            "criteria": self.criteria(mean),
            "seconds": round(time.perf_counter() - start, 1),
        }
        write_json(self.output / "metrics.json", metrics)
        self._picture(mean, deviation)
        self._show(console, metrics)
        return metrics

    def _picture(self, mean: Any, deviation: Any) -> None:
        import matplotlib.figure

        figure = matplotlib.figure.Figure(figsize=(10, 3.8), layout="constrained", dpi=110)
        self.draw(figure, mean, deviation)
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(self.output / "report.png")

    def _show(self, console: Console, metrics: dict[str, Any]) -> None:
        headings, rows = self.rows(metrics["mean"], metrics["deviation"])
        table = Table(title=f"{self.name}: mean and deviation of {self.seeds} seeds")
        for heading in headings:
            table.add_column(heading, justify="left" if heading == headings[0] else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        lines = [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]
        (self.output / "table.md").write_text("\n".join(lines) + "\n")
        for name, good in metrics["criteria"].items():
            console.print(f"[{'green' if good else 'red'}]{'yes' if good else 'no '}[/] {name}")
        console.print(f"{metrics['seconds']:.0f} s. Files: {self.output}/metrics.json, report.png, table.md")


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
