"""Builtins of Python and functions of torch that have a relaxation of their own, by identity."""

import builtins
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.categorical import equal, relaxed_equal
from algonets.relax.cells import as_tensor
from algonets.relax.merging import merge
from algonets.relax.reductions import absolute, any_relaxed, maximum, minimum, ordered, quantifier, selection, total
from algonets.relax.values import Bool, Integer, Unreached, as_integer, gather_atoms, number

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["BUILTINS", "METHODS", "argmax", "argmin"]


def length(rt: "Runtime", args: tuple, kwargs: dict) -> int:
    """``len``."""
    (values,) = args
    if isinstance(values, Tensor | Bool | Integer):
        raise TypeError("a number of each example has no length")
    return len(values)


def exact_range(rt: "Runtime", args: tuple, kwargs: dict) -> range:
    """``range`` with exact bounds."""
    if any_relaxed(args):
        raise TypeError(
            "range(...) in a relaxed program needs exact integers, got one that differs between examples or paths. "
            "Write a while loop, or loop to a fixed bound and break."
        )
    return range(*args)


def _rows(rt: "Runtime", values: Any) -> Any:
    return list(rt.each(values))


def pairs(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``zip``."""
    return zip(*(_rows(rt, a) for a in args), **kwargs)


def numbered(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``enumerate``."""
    return enumerate(_rows(rt, args[0]), *args[1:], **kwargs)


def turned(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``reversed``."""
    return list(reversed(_rows(rt, args[0]))) if isinstance(args[0], Array) else reversed(args[0])


def as_list(rt: "Runtime", args: tuple, kwargs: dict) -> Array:
    """``list``: a copy."""
    if args and isinstance(args[0], Array):
        copy = args[0].copy() if len(args[0].shape) == 1 else Array.listed(rt, list(args[0].rows()))
        copy.is_list = True
        return copy
    return Array.listed(rt, list(*args))


def as_tuple(rt: "Runtime", args: tuple, kwargs: dict) -> tuple:
    """``tuple``."""
    return tuple(_rows(rt, args[0])) if args else ()


def as_float(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``float``."""
    (value,) = args
    if isinstance(value, Bool | Integer):
        return as_tensor(rt, number(rt, value)).to(rt.dtype)
    return value if isinstance(value, Tensor) else float(value)


def as_int(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``int`` of what is an integer already; a real number is cut in hard calls only."""
    value = args[0]
    integer = as_integer(rt, value)
    if integer is not None:
        return integer
    if isinstance(value, Bool):
        return Integer(rt, gather_atoms([(1, value.mass()), (0, value.negated().mass())]))
    if isinstance(value, Tensor):
        if rt.step:
            return Integer(rt, [(value.trunc().long(), None)])
        raise TypeError("int(...) of a real number has no relaxation. Count with a loop, or keep the real number.")
    return int(*args)


def _whole(function: Callable[[Any], Any], on_tensor: Callable[[Tensor], Tensor], integral: bool) -> Callable[..., Any]:
    """``math.floor`` and its like: of real numbers in hard calls only."""

    def whole(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
        value = args[0]
        if isinstance(value, Integer | Unreached):
            return value
        if isinstance(value, Tensor) and len(args) == 1 and rt.step:
            result = on_tensor(value)
            return Integer(rt, [(result.long(), None)]) if integral else result
        if isinstance(value, Tensor | Array | Bool):
            raise TypeError(f"{function.__name__}(...) of a real number has no relaxation. Keep the real number.")
        return function(*args)

    return whole


def quotient_and_rest(rt: "Runtime", args: tuple, kwargs: dict) -> tuple:
    """``divmod``."""
    return rt.floor_divide(*args), rt.modulo(*args)


def as_bool(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``bool``."""
    return rt.truth(args[0])


def where(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``torch.where(condition, a, b)`` with a relaxed condition."""
    condition, yes, no = args
    chance = rt.truth(condition)
    return merge(rt, chance, yes, no) if isinstance(chance, Bool) else (yes if chance else no)


def argmin(values: Any) -> Any:
    """Return the position of the smallest number; in a relaxed function a soft index.

    Relaxed, position k has the weight ``softmax(-values / scale)_k``; reading an array at it is a mean.

    Args:
        values: vector ``(n,)`` or a sequence of numbers.

    Returns:
        An integer: the first position of the minimum.

    Differentiability: relaxed, as the softmax; else none.
    Cost: O(n).

    Example:
        >>> import algonets as an
        >>> an.relax.argmin([3.0, 1.0, 2.0])
        1
    """
    return builtins.min(range(len(values)), key=lambda k: values[k])


def argmax(values: Any) -> Any:
    """Return the position of the largest number; everything else as :func:`argmin`.

    Example:
        >>> import algonets as an
        >>> an.relax.argmax([3.0, 1.0, 2.0])
        0
    """
    return builtins.max(range(len(values)), key=lambda k: values[k])


def _copy(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    return args[0].copy() if isinstance(args[0], Array) else args[0]


def _logical(name: str) -> Callable[..., Any]:
    import operator

    op = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}[name]
    return lambda rt, args, kwargs: rt.bitwise(op, *args)


BUILTINS: dict[Any, Callable[..., Any]] = {
    min: minimum,
    max: maximum,
    abs: absolute,
    sum: total,
    any: quantifier(False),
    all: quantifier(True),
    sorted: ordered,
    len: length,
    range: exact_range,
    zip: pairs,
    enumerate: numbered,
    reversed: turned,
    list: as_list,
    tuple: as_tuple,
    float: as_float,
    int: as_int,
    bool: as_bool,
    divmod: quotient_and_rest,
    pow: lambda rt, args, kwargs: rt.power(*args) if len(args) == 2 else rt.modulo(rt.power(*args[:2]), args[2]),
    equal: relaxed_equal,
    argmin: selection(-1),
    argmax: selection(1),
    torch.argmin: selection(-1),
    torch.argmax: selection(1),
    torch.where: where,
    torch.clone: _copy,
    torch.logical_and: _logical("and"),
    torch.logical_or: _logical("or"),
    torch.logical_xor: _logical("xor"),
    torch.logical_not: lambda rt, args, kwargs: rt.invert(args[0]),
    math.fabs: absolute,
    math.floor: _whole(math.floor, torch.floor, True),
    math.ceil: _whole(math.ceil, torch.ceil, True),
    math.trunc: _whole(math.trunc, torch.trunc, True),
    round: _whole(round, torch.round, False),
}
"""Functions with a relaxation of their own, by identity."""

METHODS: dict[str, Callable[..., Any]] = {
    "argmin": selection(-1),
    "argmax": selection(1),
    "clone": _copy,
    "copy": _copy,
    "any": quantifier(False),
    "all": quantifier(True),
}
"""Methods of arrays, by name."""
