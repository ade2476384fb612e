"""Write the table of sorting methods from what the classes promise; ``docs/conf.py`` calls it."""

from pathlib import Path

from algonets.sort import METHODS, ComparatorMethod, SortMethod

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
    has = "all" if method.abilities >= set(ABILITIES) else ", ".join(a for a in ABILITIES if a in method.abilities)
    sums = [_mark(promises.rows), _mark(promises.columns)] if "matrix" in method.abilities else ["-", "-"]
    values = [_mark(promises.sum_preserving), _mark(promises.monotone)] if "sort" in method.abilities else ["-", "-"]
    if issubclass(method, ComparatorMethod):
        values[1] = "by the law"
    name = f"{{class}}`~algonets.sort.{method.__name__}`"
    return [name, has, *sums, *values, _mark(promises.sparse), promises.differentiability, promises.cost]


def _mark(value: bool) -> str:
    return "yes" if value else "no"


def _line(cells) -> str:
    return "| " + " | ".join(cells) + " |"
