"""What an experiment found: a table, criteria, a picture, figures; how they are shown and kept."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from algonets.experiments._training import write_json

__all__ = ["Criterion", "Report", "at_least", "at_most", "keep_report", "show_report"]


class Criterion(NamedTuple):
    """What an experiment must show.

    Attributes:
        name: What was measured.
        value: The figure.
        rule: ``>=`` or ``<=``.
        bound: What it is compared with.
    """

    name: str
    value: float
    rule: str
    bound: float

    @property
    def passed(self) -> bool:
        """Whether the rule holds."""
        return self.value >= self.bound if self.rule == ">=" else self.value <= self.bound


def at_least(name: str, value: float, bound: float) -> Criterion:
    """Require ``value >= bound``."""
    return Criterion(name, float(value), ">=", bound)


def at_most(name: str, value: float, bound: float) -> Criterion:
    """Require ``value <= bound``."""
    return Criterion(name, float(value), "<=", bound)


@dataclass
class Report:
    """What an experiment found.

    Attributes:
        title: Above the table.
        rows: Of the table, one for each system; all with the same keys.
        criteria: What had to be shown.
        figure: A ``matplotlib`` figure.
        figures: More numbers, for the JSON.
    """

    title: str
    rows: list[dict[str, Any]]
    criteria: list[Criterion]
    figure: Any
    figures: dict[str, Any] = field(default_factory=dict)


def keep_report(report: Report, folder: Path, settings: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Write metrics.json, table.md and report.png; returns the content of metrics.json."""
    metrics = {
        **settings,
        "rows": _rounded(report.rows),
        "criteria": [{**_rounded(c._asdict()), "passed": c.passed} for c in report.criteria],
        "figures": _rounded(report.figures),
        "seconds": round(seconds, 1),
    }
    write_json(folder / "metrics.json", metrics)
    lines = [list(report.rows[0]), ["---"] * len(report.rows[0]), *(_cells(row) for row in report.rows)]
    (folder / "table.md").write_text("".join(f"| {' | '.join(cells)} |\n" for cells in lines))
    report.figure.savefig(folder / "report.png")
    return metrics


def show_report(report: Report, console: Console) -> None:
    """Print the table, and for each criterion whether it holds."""
    table = Table(title=report.title)
    for i, name in enumerate(report.rows[0]):
        table.add_column(name, justify="right" if i else "left")
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for c in report.criteria:
        shown = f"{c.name}: {c.value:.4g} {c.rule} {c.bound:g}"
        console.print(f"[{'green' if c.passed else 'red'}]{'yes' if c.passed else 'no '}[/] {shown}")


def _cells(row: dict[str, Any]) -> list[str]:
    return [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()]


def _rounded(value: Any) -> Any:
    """Round numbers to five digits, however deep."""
    if isinstance(value, dict):
        return {str(key): _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
