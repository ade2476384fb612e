"""Builtins of Python and selections of torch that have a relaxation of their own."""

import builtins
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.categorical import equal, relaxed_equal
from algonets.relax.cells import as_tensor, stack_cells
from algonets.relax.merging import merge
from algonets.relax.values import UNREACHED, Bool, Integer, Unreached, as_integer, gather_atoms, number

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["BUILTINS", "METHODS", "argmax", "argmin"]


def _relaxed(values: Sequence[Any]) -> bool:
    return any(isinstance(v, Tensor | Bool | Integer | Array) for v in values)


def _operands(values: tuple[Any, ...]) -> list:
    if len(values) != 1:
        return list(values)
    (only,) = values
    return list(only.cell_list()) if isinstance(only, Array) else list(only)


def _stacked(rt: "Runtime", values: Sequence[Any]) -> Tensor:
    return stack_cells(rt, [number(rt, v) for v in values]).to(rt.dtype)


def _extreme(rt: "Runtime", sign: int, values: tuple, kwargs: dict) -> Any:
    plain = builtins.max if sign > 0 else builtins.min
    if kwargs:
        raise TypeError(f"{plain.__name__} in a relaxed program takes no keywords. Write the loop.")
    if len(values) == 1 and isinstance(values[0], Array) and values[0].cells is None and len(values[0].shape) == 1:
        operands, x = None, values[0].tensor_form()
    else:
        operands = _operands(values)
        if any(isinstance(v, Unreached) for v in operands):
            return UNREACHED
        if not _relaxed(operands):
            return plain(operands)
        if any(isinstance(v, Array) for v in operands):
            raise TypeError(f"{plain.__name__} compares numbers. Use torch.{plain.__name__}imum for arrays.")
        if rt.step and all(as_integer(rt, v) is not None for v in operands):
            x = stack_cells(rt, [as_tensor(rt, as_integer(rt, v)) for v in operands])
            return Integer(rt, [(x.amax(0) if sign > 0 else x.amin(0), None)])
        x = _stacked(rt, operands)
    if not x.is_floating_point():
        return Array.of(rt, x.amax(0) if sign > 0 else x.amin(0))
    if rt.step:
        return x.amax(0) if sign > 0 else x.amin(0)
    return (_preference(rt, x, sign) * x).sum(0)


def _preference(rt: "Runtime", x: Tensor, sign: int) -> Tensor:
    """``softmax(sign x / scale)`` over the first dimension."""
    if rt.guarded:  # the most extreme of infinite numbers
        bound = torch.finfo(x.dtype).max / 4
        x = x.clamp(-bound, bound)
    steepness = rt.law.steepness
    return torch.softmax(x * (steepness if sign > 0 else -steepness), 0)


def minimum(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``min``: the mean of the values under ``softmax(-values / scale)``."""
    return _extreme(rt, -1, args, kwargs)


def maximum(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``max``: the mean of the values under ``softmax(values / scale)``."""
    return _extreme(rt, 1, args, kwargs)


def _select(sign: int) -> Callable[..., Any]:
    def select(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
        (values,) = args
        if kwargs or (isinstance(values, Array) and len(values.shape) > 1):
            raise TypeError("argmin and argmax of a relaxed program take one vector. Write the loop over rows.")
        x = values.floats() if isinstance(values, Array) else _stacked(rt, list(values))
        if rt.step:
            # the first one among ties, as in Python
            best = x.amax(0) if sign > 0 else x.amin(0)
            positions = torch.arange(x.shape[0], device=rt.device).unsqueeze(-1)
            first = torch.where(x == best, positions, x.shape[0]).amin(0)
            return Integer(rt, [(first, None)])
        weights = _preference(rt, x, sign)
        return Integer(rt, list(enumerate(weights.unbind(0))))

    return select


def absolute(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``abs``: ``x (2 F(x) - 1)``."""
    (x,) = args
    if isinstance(x, Bool):
        return x
    if isinstance(x, Integer):
        return x.mapped(abs)
    if isinstance(x, Array):
        tensor = x.tensor_form()
        return Array.of(rt, _soft_abs(rt, tensor) if tensor.is_floating_point() else tensor.abs())
    return _soft_abs(rt, x) if isinstance(x, Tensor) else x if isinstance(x, Unreached) else abs(x)


def _soft_abs(rt: "Runtime", x: Tensor) -> Tensor:
    return x.abs() if rt.step else x * (2 * rt.law.above(x) - 1)


def total(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``sum``, of an array's first dimension or a sequence."""
    values, start = args[0], args[1] if len(args) > 1 else kwargs.get("start", 0)
    if isinstance(values, Array) and values.cells is None:
        result = Array.of(rt, values.numbers().sum(0))
        return result + start if start != 0 else result
    result = start
    for value in values.rows() if isinstance(values, Array) else values:
        result = result + value
    return result


def _quantifier(is_all: bool) -> Callable[..., Any]:
    def quantify(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
        (values,) = args
        items = list(values.rows()) if isinstance(values, Array) else values
        if isinstance(items, Bool):
            mask = items.p
            if mask.ndim < 2:
                raise TypeError("any and all take a sequence")
            if items.exact:
                return Bool(rt, mask.all(0) if is_all else mask.any(0))
            reduce = rt.options.conjunction.reduce_tnorm if is_all else rt.options.conjunction.reduce
            return Bool(rt, reduce(mask, 0))
        result: Any = is_all
        for item in items:
            chance = rt.truth(item)
            joined = rt.conjoin if is_all else rt.disjoin
            result = joined(result, lambda chance=chance: chance)
        return result

    return quantify


def ordered(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """``sorted``: an odd-even network of relaxed comparisons; exact in hard calls."""
    (values,) = args
    reverse = kwargs.pop("reverse", False)
    if kwargs:
        raise TypeError("sorted in a relaxed program takes reverse= only")
    cells = list(values.cell_list()) if isinstance(values, Array) else list(values)
    if not _relaxed(cells):
        return Array.listed(rt, sorted(cells, reverse=reverse))
    x = _stacked(rt, cells)
    if rt.step:
        integral = all(as_integer(rt, c) is not None for c in cells)
        ranked = torch.sort(x, 0, descending=reverse).values
        result = Array.of(rt, ranked.long() if integral else ranked)
        result.is_list = True
        return result
    n = len(cells)
    for layer in range(n):
        first = layer % 2
        pairs = (n - first) // 2
        if not pairs:
            continue
        end = first + 2 * pairs
        a, b = x[first:end:2], x[first + 1 : end : 2]
        p = rt.law.above(a - b if not reverse else b - a)
        low, high = torch.lerp(a, b, p), torch.lerp(b, a, p)
        x = torch.cat([x[:first], torch.stack([low, high], 1).flatten(0, 1), x[end:]])
    result = Array.of(rt, x)
    result.is_list = True
    return result


def length(rt: "Runtime", args: tuple, kwargs: dict) -> int:
    """``len``."""
    (values,) = args
    if isinstance(values, Tensor | Bool | Integer):
        raise TypeError("a number of each example has no length")
    return len(values)


def exact_range(rt: "Runtime", args: tuple, kwargs: dict) -> range:
    """``range`` with exact bounds."""
    if _relaxed(args):
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
    any: _quantifier(False),
    all: _quantifier(True),
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
    equal: relaxed_equal,
    argmin: _select(-1),
    argmax: _select(1),
    torch.argmin: _select(-1),
    torch.argmax: _select(1),
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
    "argmin": _select(-1),
    "argmax": _select(1),
    "clone": _copy,
    "copy": _copy,
    "any": _quantifier(False),
    "all": _quantifier(True),
}
"""Methods of arrays, by name."""
