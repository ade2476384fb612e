"""``algonets list``: what is in the library."""

import importlib
import inspect
import re

from algonets.experiments import EXPERIMENTS

__all__ = ["show_list"]

_ROOMS = (
    *("sort", "dp", "graph", "render", "logic", "relax", "memory", "equations", "gradients", "implicit", "projections"),
    *("losses", "training", "semirings", "tconorms", "distributions", "nets", "data"),
)


def show_list() -> int:
    """Print the experiments and the public names of each room with their first lines."""
    print("Experiments (algonets train NAME --help)")
    for name, target in EXPERIMENTS.items():
        module, _, attribute = target.partition(":")
        print(f"  {name:22} {_summary(getattr(importlib.import_module(module), attribute))}")
    for room in _ROOMS:
        module = importlib.import_module(f"algonets.{room}")
        print(f"\nalgonets.{room}: {_summary(module)}")
        for name in module.__all__:
            item = getattr(module, name)
            if callable(item):
                print(f"  {name:22} {_summary(item)}")
    return 0


def _summary(item: object) -> str:
    line = (item.__doc__ or "").strip().split("\n")[0]
    plain = re.sub(r":\w+:`([^`]*)`", r"\1", line).replace("``", "")  # without the markup of the docs
    return f"{plain} (base class)" if inspect.isabstract(item) else plain
