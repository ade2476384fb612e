"""Reads and writes of a running program, and what makes its values."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.cells import bad_index
from algonets.relax.values import Bool, Integer, Undefined

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = [
    "augmented",
    "count",
    "exact_slice",
    "get",
    "items",
    "set_deep",
    "set_index",
    "shifted",
    "store",
    "undefined",
]


def get(rt: "Runtime", a: Any, index: Any) -> Any:
    """``a[index]``."""
    if a.__class__ is Array:
        return a.get(index)
    if isinstance(a, Bool) and a.p.ndim > 1:
        part = Array(rt, a.p.shape[:-1], None, a.p).get(index)
        return part if isinstance(part, Bool) else Bool(rt, part.tensor_form() if isinstance(part, Array) else part)
    if isinstance(a, Bool) or a.__class__ is Tensor:
        raise TypeError("a number of each example cannot be indexed")
    if isinstance(a, tuple | list | range) and not isinstance(index, int | slice):
        if isinstance(a, range):
            a = list(a)
        return Array.listed(rt, a).get(index)
    if isinstance(a, Undefined):
        return a.complain()
    return a[index]


def store(rt: "Runtime", a: Any, index: Any, value: Any) -> None:
    """``a[index] = value``."""
    if not isinstance(a, Array):
        kind = "an argument list or tuple" if isinstance(a, tuple | list) else type(a).__name__
        raise TypeError(f"only arrays of the program can be written to, got {kind}. Make a copy: list(...).")
    a.set(index, value)


def set_index(rt: "Runtime", a: Any, index: Any, value: Any) -> None:
    """``a[index] = value`` for an array whose entries serve as indices."""
    if isinstance(a, Array):
        a.holds_indices = True
    rt.set(a, index, value)


def set_deep(rt: "Runtime", a: Any, outer: Any, inner: Any, value: Any) -> None:
    """``a[outer][inner] = value``; a row of an array is a view, as in torch."""
    if isinstance(a, Array) and not (a.cells and isinstance(a.cells[0], Array)):
        first = outer if isinstance(outer, tuple) else (outer,)
        second = inner if isinstance(inner, tuple) else (inner,)
        if any(isinstance(part, slice) for part in first):
            bad_index(slice(None))
        a.set(first + second, value)
    else:
        rt.set(rt.get(a, outer), inner, value)


def exact_slice(rt: "Runtime", *parts: Any) -> slice:
    """``start:stop:step`` with exact bounds."""
    for part in parts:
        if part is not None and not isinstance(part, int):
            raise TypeError("the bounds of a slice in a relaxed program must be exact integers. Write a loop.")
    return slice(*parts)


def undefined(rt: "Runtime", name: str) -> Undefined:
    """The value of a variable before its first assignment."""
    return Undefined(name)


def count(rt: "Runtime", value: Any) -> Any:
    """A truth value as 0 or 1."""
    if isinstance(value, Bool):
        return Integer(rt, [(value.p.long(), None)]) if value.exact else value.p
    return int(value) if isinstance(value, bool) else value


def items(rt: "Runtime", values: list) -> Array:
    """A list display."""
    return Array.listed(rt, values)


def shifted(rt: "Runtime", old: Any, by: int | float, new: Callable[[], Any]) -> Any:
    """``old += by`` for a plain number; a merge with ``old`` then needs the share of ``by`` only."""
    if old.__class__ is not Tensor:
        return rt.augmented(old, new())
    result = old + rt.constant(float(by), rt.dtype)
    rt.shifts[id(result)] = (result, old, by)  # held, so that the id stays its own
    return result


def augmented(rt: "Runtime", old: Any, new: Any) -> Any:
    """``old op= new``: in place where ``old`` is an array."""
    if isinstance(old, Array) and isinstance(new, Array) and old.shape == new.shape and not old.is_list:
        if old.is_view:
            old.set(slice(None), new)  # refuses
        old.write_whole(None if new.cells is None else list(new.cells), new.tensor)
        return old
    return new
