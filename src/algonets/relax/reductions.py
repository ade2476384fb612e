"""Builtins that reduce or order numbers: min, max, argmin, argmax, abs, sum, any, all, sorted."""

import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.cells import as_tensor, stack_cells
from algonets.relax.values import UNREACHED, Bool, Integer, Unreached, as_integer, number

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["absolute", "any_relaxed", "maximum", "minimum", "ordered", "quantifier", "selection", "total"]


def any_relaxed(values: Sequence[Any]) -> bool:
    """Whether any value is one of the program, not a plain number."""
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
        if not any_relaxed(operands):
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


def selection(sign: int) -> Callable[..., Any]:
    """``argmax`` (sign 1) or ``argmin`` (-1): the position, soft in relaxed calls."""

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


def quantifier(is_all: bool) -> Callable[..., Any]:
    """``all`` or ``any``: the t-norm or t-conorm of many truth values."""

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
    if not any_relaxed(cells):
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
