"""Write the table of operations from the registry that drives the conformance suite; ``docs/conf.py`` calls it."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["write_table"]

HEADER = ("Operation", "What", "Ways", "Differentiability", "Backends", "Cost", "Reference")
INTRO = """# Operations

Every public operation, with the *ways* it offers into a network (pool, unroll, analytic), how often it can be
differentiated, the backends that run it, its cost in time for one example, and where it comes from. `T` is the number
of steps, `S` of states, `n` of elements. This page is generated from the registry in `tests/conformance`, by which
each of these promises is tested.
"""


def write_table(path: str | Path) -> None:
    """Write the Markdown page to ``path``."""
    operations = _operations()
    pages = [INTRO]
    for room, members in itertools.groupby(operations, lambda operation: operation.room):
        rows = [_line(HEADER), _line(["---"] * len(HEADER)), *map(_line, _rows(list(members)))]
        pages.append(f"## {room}\n\n" + "\n".join(rows) + "\n")
    Path(path).write_text("\n".join(pages), encoding="utf-8")


def _operations() -> list:
    root = str(Path(__file__).resolve().parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    from tests.conformance import registry

    operations = list(registry.operations())
    for room, error in registry.failures().items():
        raise ImportError(f"the operations of {room} cannot be listed") from error
    return operations


def _rows(operations: list) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row; operations that share a row are told apart only where their promises differ."""
    for name, group in itertools.groupby(operations, lambda operation: operation.row or operation.name):
        members = list(group)
        first = members[0]
        exceptions = [
            f"{member.name.removeprefix(name + '.')}: {member.differentiability}"
            for member in members
            if member.differentiability != first.differentiability
        ]
        level = first.differentiability + (f" ({', '.join(exceptions)})" if exceptions else "")
        backends = " + ".join(first.backends)
        yield f"`{name}`", first.summary, ", ".join(first.ways), level, backends, first.cost, first.reference


def _line(cells) -> str:
    return "| " + " | ".join(cell or "-" for cell in cells) + " |"


if __name__ == "__main__":
    write_table(Path(__file__).with_name("operations.md"))
