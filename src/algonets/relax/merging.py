"""Merging what two or more paths leave behind: a mean by probability, or a selection where it is certain."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.cells import as_tensor, stack_cells
from algonets.relax.values import Bool, Integer, Undefined, Unreached, alike, as_integer, gather_atoms

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["merge", "merge_columns", "merge_many", "merge_tensors"]

_MISSING = (Undefined, Unreached)


def merge(rt: "Runtime", chance: Bool, yes: Any, no: Any, index: bool = False) -> Any:
    """``chance * yes + (1 - chance) * no``; a selection where the chance is exact.

    Args:
        rt: the runtime of the call.
        chance: the probability of each example.
        yes: the value of one path; an :class:`Undefined` one gives way to the other.
        no: the value of the other path.
        index: integers become a mixture that can be an index, not their mean.
    """
    if yes is no or isinstance(no, _MISSING):
        return yes
    if isinstance(yes, _MISSING):
        return no
    if yes.__class__ is Tensor and no.__class__ is Tensor:
        shift = rt.shifts.get(id(yes))
        if shift is not None and shift[1] is no and not chance.exact and not rt.guarded:
            return no + _blend(rt, chance.p, shift[2], 0.0)
        return merge_tensors(rt, chance.p, yes, no)
    if isinstance(yes, tuple | list) and type(yes) is type(no) and len(yes) == len(no):
        return alike(yes, (merge(rt, chance, a, b, index) for a, b in zip(yes, no)))
    if isinstance(yes, dict) and isinstance(no, dict) and yes.keys() == no.keys():
        return {key: merge(rt, chance, yes[key], no[key], index) for key in yes}
    if isinstance(yes, Array) or isinstance(no, Array):
        return _merge_arrays(rt, chance, yes, no)
    if isinstance(yes, bool | Bool) and isinstance(no, bool | Bool):
        return _merge_bools(rt, chance, yes, no)
    left, right = as_integer(rt, yes), as_integer(rt, no)
    if left is not None and right is not None:
        merged = _merge_integers(rt, chance, left, right, index)
        if merged is not None:
            return merged
    if _is_number(yes) and _is_number(no):
        if isinstance(yes, Bool | Integer) or isinstance(no, Bool | Integer) or chance.exact:
            return merge_tensors(rt, chance.p, as_tensor(rt, yes), as_tensor(rt, no))
        return _blend(rt, chance.p, yes, no)
    if yes == no:
        return yes
    raise TypeError(f"the branches leave {yes!r} and {no!r}, which have no mean. Make both numbers or tensors.")


def merge_tensors(rt: "Runtime", p: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """:func:`merge` of tensors; ``p`` is a bool tensor where it is certain."""
    if yes.dtype != no.dtype or (p.dtype != torch.bool and not yes.is_floating_point()):
        yes, no = yes.to(rt.dtype), no.to(rt.dtype)
    if p.dtype == torch.bool:
        return torch.where(p, yes, no)
    if rt.guarded:
        # Where one path has no mass its value and its gradient, inf and NaN too, must not count.
        same = yes == no
        left = torch.where((p == 0) | same, no, yes)
        right = torch.where(p == 1, left, no)
        return p * left + (1 - p) * right
    return torch.lerp(no, yes, p)


def _blend(rt: "Runtime", p: Tensor, yes: Any, no: Any) -> Tensor:
    """Merge where at least one value is a plain number."""
    if not isinstance(yes, Tensor) and not isinstance(no, Tensor) and abs(yes) < 1e30 and abs(no) < 1e30:
        rise = float(yes) - float(no)
        if rise == -1.0:
            return rt.constant(float(no), rt.dtype) - p
        part = p if rise == 1.0 else p * rt.constant(rise, rt.dtype)
        return part + rt.constant(float(no), rt.dtype) if no else part
    return merge_tensors(rt, p, as_tensor(rt, yes), as_tensor(rt, no))


def _merge_bools(rt: "Runtime", chance: Bool, yes: Any, no: Any) -> Any:
    if isinstance(yes, bool) and isinstance(no, bool):
        if yes == no:
            return yes
        return chance if yes else chance.negated()
    if not chance.exact:
        if yes is True and isinstance(no, Bool):  # p + (1 - p) q
            return Bool(rt, torch.lerp(no.mass(), rt.ones(), chance.p))
        if no is False and isinstance(yes, Bool):
            return Bool(rt, chance.p * yes.mass())
    return Bool(rt, merge_tensors(rt, chance.p, as_tensor(rt, yes), as_tensor(rt, no)))


def _merge_integers(rt: "Runtime", chance: Bool, yes: Any, no: Any, index: bool) -> Any:
    if not isinstance(yes, Integer) and not isinstance(no, Integer) and yes == no:
        return yes
    certain = all(not isinstance(x, Integer) or x.exact is not None for x in (yes, no))
    if chance.exact and certain:
        return Integer(rt, [(torch.where(chance.p, as_tensor(rt, yes), as_tensor(rt, no)), None)])
    if not index and not isinstance(yes, Integer) and not isinstance(no, Integer):
        return _blend(rt, chance.mass(), yes, no)
    if not index and certain:
        return merge_tensors(rt, chance.p, as_tensor(rt, yes), as_tensor(rt, no))
    return mix_integers(rt, [(chance.mass(), yes), (chance.negated().mass(), no)])


def mix_integers(rt: "Runtime", parts: Sequence[tuple[Tensor, Any]]) -> Integer:
    """A mixture of integers by weights that sum to 1."""
    atoms = []
    for weight, value in parts:
        for atom, share in value.atoms if isinstance(value, Integer) else [(value, None)]:
            atoms.append((atom, weight if share is None else weight * share))
    return Integer(rt, gather_atoms(atoms))


def _merge_arrays(rt: "Runtime", chance: Bool, yes: Any, no: Any) -> Array:
    scalar_condition = chance.p.ndim == 1
    if isinstance(yes, Array) and isinstance(no, Array) and scalar_condition:
        if yes.cells is not None and no.cells is not None and yes.shape == no.shape:
            index = yes.holds_indices or no.holds_indices
            cells = [merge(rt, chance, a, b, index) for a, b in zip(yes.cells, no.cells)]
            array = Array(rt, yes.shape, cells)
            array.holds_indices, array.is_list = index, yes.is_list
            return array
        if yes.shape != no.shape and (yes.is_list or no.is_list):
            raise TypeError(f"the branches leave lists of lengths {len(yes)} and {len(no)}, which have no mean.")
    left = yes.tensor_form() if isinstance(yes, Array) else as_tensor(rt, yes)
    right = no.tensor_form() if isinstance(no, Array) else as_tensor(rt, no)
    return Array.of(rt, merge_tensors(rt, chance.p, left, right))


def merge_many(
    rt: "Runtime", weights: Sequence[Tensor], values: Sequence[Any], total: Tensor | None, index: bool
) -> Any:
    """``sum_k w_k v_k / total``: what several exits leave behind; ``total=None`` where the weights sum to 1.

    Weights that are bool tensors are disjoint and select.
    """
    first = values[0]
    if all(value is first for value in values):
        return first
    kept = [(w, v) for w, v in zip(weights, values) if not isinstance(v, _MISSING)]
    if len(kept) < len(values):
        if not kept:
            return first
        weights, values = zip(*kept)
        total = _sum(rt, weights)
    if len(values) == 1:
        return values[0]
    if all(w.dtype == torch.bool for w in weights):
        merged = values[-1]
        for weight, value in zip(reversed(weights[:-1]), reversed(values[:-1])):
            merged = merge(rt, Bool(rt, weight), value, merged, index)
        return merged
    first = values[0]
    if isinstance(first, tuple | list):
        columns = zip(*values, strict=True)
        return alike(first, (merge_many(rt, weights, column, total, index) for column in columns))
    if isinstance(first, dict):
        return {key: merge_many(rt, weights, [v[key] for v in values], total, index) for key in first}
    elementwise = any(w.ndim > 1 for w in weights) and all(_is_number(v) or isinstance(v, Array) for v in values)
    if elementwise or any(isinstance(v, Array) for v in values):
        return _many_arrays(rt, weights, values, total)
    if all(isinstance(v, int | float | bool) and v == first and type(v) is type(first) for v in values):
        return first
    shares = _shares(rt, weights, total)
    integers = [as_integer(rt, v) for v in values]
    if index and all(v is not None for v in integers) and not all(isinstance(v, bool | Bool) for v in values):
        return mix_integers(rt, list(zip(shares, integers)))
    if not all(_is_number(v) for v in values):
        if all(v == first for v in values):
            return first
        raise TypeError(f"the paths leave {list(values)!r}, which have no mean. Make all of them numbers or tensors.")
    mean = _weighted(rt, _stacked_shares(rt, weights, shares), stack_cells(rt, list(values)).to(rt.dtype))
    return Bool(rt, mean) if all(isinstance(v, bool | Bool) for v in values) else mean


def merge_columns(
    rt: "Runtime", weights: Sequence[Tensor], columns: Sequence[list], total: Tensor | None, index: Sequence[bool]
) -> list[Any]:
    """:func:`merge_many` of every column; those of real numbers together."""
    real = [
        k
        for k, column in enumerate(columns)
        if all(v.__class__ is Tensor for v in column) and any(v is not column[0] for v in column)
    ]
    if len(real) < 2 or all(w.dtype == torch.bool for w in weights) or any(w.ndim > 1 for w in weights):
        return [merge_many(rt, weights, column, total, flag) for column, flag in zip(columns, index)]
    shares = _stacked_shares(rt, weights, _shares(rt, weights, total))
    cells = stack_cells(rt, [value for k in real for value in columns[k]])
    stacked = cells.unflatten(0, (len(real), len(weights))).transpose(0, 1)
    means = dict(zip(real, _weighted(rt, shares.unsqueeze(1), stacked).unbind(0)))
    return [
        means[k] if k in means else merge_many(rt, weights, column, total, flag)
        for k, (column, flag) in enumerate(zip(columns, index))
    ]


def _shares(rt: "Runtime", weights: Sequence[Tensor], total: Tensor | None) -> list[Tensor]:
    shares = [w.to(rt.dtype) for w in weights]
    if total is None:
        return shares
    floor = torch.finfo(rt.dtype).tiny
    return [w / total.clamp_min(floor) for w in shares]


def _stacked_shares(rt: "Runtime", weights: Sequence[Tensor], shares: list[Tensor]) -> Tensor:
    """Stack weights, once for all variables that the same exits leave behind."""
    key = tuple(map(id, weights))
    if rt.stacked is None or rt.stacked[0] != key:
        rt.stacked = (key, stack_cells(rt, shares), weights)
    return rt.stacked[1]


def _weighted(rt: "Runtime", weights: Tensor, stacked: Tensor) -> Tensor:
    if rt.guarded:
        stacked = torch.where(weights == 0, torch.zeros_like(stacked), stacked)
    return (weights * stacked).sum(0)


def _many_arrays(rt: "Runtime", weights: Sequence[Tensor], values: Sequence[Any], total: Tensor | None) -> Array:
    arrays = [v for v in values if isinstance(v, Array)]
    scalar_weights = all(w.ndim == 1 for w in weights)
    celled = len(arrays) == len(values) and all(a.cells is not None and a.shape == arrays[0].shape for a in arrays)
    if scalar_weights and celled:
        index = any(a.holds_indices for a in arrays)
        columns = zip(*(a.cells for a in arrays))  # pyright: ignore[reportArgumentType]
        merged = Array(rt, arrays[0].shape, [merge_many(rt, weights, column, total, index) for column in columns])
        merged.holds_indices, merged.is_list = index, arrays[0].is_list
        return merged
    shares = torch.stack(torch.broadcast_tensors(*[w.to(rt.dtype) for w in weights]))
    if total is not None:
        shares = shares / total.clamp_min(torch.finfo(rt.dtype).tiny)
    forms = [v.floats() if isinstance(v, Array) else as_tensor(rt, v).to(rt.dtype) for v in values]
    stacked = torch.stack(torch.broadcast_tensors(*forms))
    ndim = max(shares.ndim, stacked.ndim)  # both broadcast from the right, behind the paths
    shares, stacked = (x.reshape(len(x), *[1] * (ndim - x.ndim), *x.shape[1:]) for x in (shares, stacked))
    return Array.of(rt, _weighted(rt, shares, stacked))


def _sum(rt: "Runtime", weights: Sequence[Tensor]) -> Tensor:
    total = weights[0].to(rt.dtype)
    for weight in weights[1:]:
        total = total + weight
    return total


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Tensor | Bool | Integer)
