"""Finding the algorithms in a model: laws, methods and layers that sit in attributes, not in ``modules()``."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from algonets._core.errors import reject_type

__all__ = ["Found", "find_algorithms"]

_DEPTH = 8


class Found(NamedTuple):
    """An object and the path that leads to it, for example ``loss.method.distribution``."""

    path: str
    value: Any


def find_algorithms(model: Any, kind: type | tuple[type, ...]) -> list[Found]:
    """Find all objects of a type in a model, each once, in the order of the model.

    It looks through submodules, and through attributes, lists, tuples and dictionaries that hold objects of algonets or
    of the type: a law inside a sorting network inside a loss is found.

    Args:
        model: A module, or any object with algorithms in its attributes.
        kind: A class or several: ``distributions.Distribution``, ``sort.SoftSort``, ``sort.Sort``.

    Returns:
        The objects with their paths.

    Raises:
        TypeError: if ``kind`` is no class.

    Cost: a walk over the attributes.

    Example:
        >>> from algonets import distributions, losses, sort
        >>> loss = losses.PermutationCrossEntropy(sort.OddEven(distributions.Cauchy(0.1)))
        >>> find_algorithms(loss, distributions.Distribution)[0].path
        'method.distribution'
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    for one in kinds:
        if not isinstance(one, type):
            reject_type("find_algorithms(kind)", "must be a class", one)
    return list(_walk("", model, kinds, set(), 0))


def _walk(path: str, value: Any, kinds: tuple[type, ...], seen: set[int], depth: int) -> Iterator[Found]:
    if id(value) in seen or depth > _DEPTH or isinstance(value, Tensor | str | bytes | int | float | type):
        return
    container = isinstance(value, list | tuple | dict)
    ours = isinstance(value, nn.Module) or type(value).__module__.split(".")[0] == "algonets"
    ours = ours or (object not in kinds and isinstance(value, kinds))
    if not (container or ours):
        return
    seen.add(id(value))
    if ours and isinstance(value, kinds):
        yield Found(path, value)
    for name, child in _children(value):
        yield from _walk(f"{path}.{name}" if path else str(name), child, kinds, seen, depth + 1)


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
    else:
        for name, child in vars(value).items() if hasattr(value, "__dict__") else ():
            if name == "_modules":
                yield from child.items()
            elif not name.startswith("_") or not isinstance(value, nn.Module):
                yield name, child
