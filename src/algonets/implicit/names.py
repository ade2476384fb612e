"""Solvers by name: ``"anderson"`` for ``Anderson()``, with its default settings."""

from collections.abc import Callable, Mapping
from typing import Any

from algonets._core.errors import require

__all__ = ["chosen"]


def chosen(call: str, choice: Any, known: Mapping[str, Callable[[], Any]]) -> Any:
    """Return the object that a name stands for; anything else as it is."""
    if not isinstance(choice, str):
        return choice
    names = ", ".join(f'"{name}"' for name in known)
    require(choice in known, call, f"must be one of {names}, or an object with settings", choice)
    return known[choice]()
