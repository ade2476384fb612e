"""Write the table of sorting methods from what the classes promise; ``docs/conf.py`` calls it."""

from pathlib import Path

from algonets.sort import METHODS, SortMethod

__all__ = ["write_table"]

HEADER = (
    "Method",
    "Has",
    "Rows sum to 1",
    "Columns too",
    "Keeps the sum",
    "Monotone",
    "Sparse",
    "Differentiable",
    "Cost",
)
ABILITIES = ("sort", "matrix", "rank", "mask", "payload")


def write_table(path: str | Path) -> None:
    """Write the Markdown table to ``path``."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER)), *(_line(_cells(method)) for method in METHODS)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cells(method: type[SortMethod]) -> list[str]:
    promises = method.properties
    marks = (promises.rows, promises.columns, promises.sum_preserving, promises.monotone, promises.sparse)
    has = "all" if method.abilities >= set(ABILITIES) else ", ".join(a for a in ABILITIES if a in method.abilities)
    name = f"{{class}}`~algonets.sort.{method.__name__}`"
    return [name, has, *(_mark(mark) for mark in marks), promises.differentiability, promises.cost]


def _mark(value: bool | str) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"


def _line(cells) -> str:
    return "| " + " | ".join(cells) + " |"
