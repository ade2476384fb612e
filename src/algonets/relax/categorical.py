"""Equality of categorical vectors, such as the probabilities of two letters."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.values import Bool

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["equal", "relaxed_equal"]


def equal(p: Tensor, q: Tensor) -> Tensor:
    """Compare two categorical vectors: do they have the same most likely class?

    Inside a relaxed function the comparison is ``sech((1 - cos(p, q)) / scale)`` with the logistic law, and
    ``2 sqrt(F(2d) (1 - F(2d)))`` with ``d = 1 - cos(p, q)`` for any other, symmetric one. It is 1 for parallel vectors.
    In hard calls, and in plain Python, it is ``argmax(p) == argmax(q)``.

    Args:
        p: vector ``(C,)`` of an example, for instance class probabilities.
        q: vector ``(C,)``.

    Returns:
        In plain Python a bool tensor without dimensions; in a relaxed function a soft truth value.

    Raises:
        TypeError: if ``p`` or ``q`` is not a vector.

    Differentiability: as the law, through the cosine.
    Cost: O(C).
    References: Petersen, Borgelt, Kuehne, Deussen 2021, Learning with Algorithmic Supervision via Continuous
        Relaxations.

    Example:
        >>> import torch
        >>> equal(torch.tensor([0.1, 0.9]), torch.tensor([0.4, 0.6]))
        tensor(True)
    """
    if not isinstance(p, Tensor) or not isinstance(q, Tensor) or p.ndim != 1 or q.ndim != 1:
        raise TypeError("relax.equal(p, q) must be two vectors of shape (C,)")
    return p.argmax(-1) == q.argmax(-1)


def relaxed_equal(rt: "Runtime", args: tuple, kwargs: dict) -> Any:
    """:func:`equal` in a relaxed program."""
    p, q = args
    if not (isinstance(p, Array) and isinstance(q, Array) and len(p.shape) == len(q.shape) == 1):
        raise TypeError("relax.equal(p, q) must be two vectors of shape (C,)")
    x, y = p.floats(), q.floats()
    if rt.step:
        return Bool(rt, x.argmax(0) == y.argmax(0))
    return rt.decided(Bool(rt, _alike(rt, x, y)))


def _alike(rt: "Runtime", x: Tensor, y: Tensor) -> Tensor:
    """Compare two vectors; at the second row of an array that ``x`` meets, with all its rows at once."""
    rows = rt.rows_of.get(id(y), ())
    key = (id(x), id(rows))
    known = rt.alike.get(key) if len(rows) > 2 else None
    if known is not None and known[0] is rt.law:
        if known[1] is None:
            units = _unit(rt, rows, lambda: torch.stack([_unit(rt, row, lambda row=row: row) for row in rows]))
            cosines = (_unit(rt, x, lambda: x) * units).sum(1)
            held = {id(row): p for row, p in zip(rows, rt.law.alike(_one(rt) - cosines).unbind(0))}
            known = rt.alike[key] = (rt.law, held, x, rows)
        return known[1][id(y)]
    rt.alike[key] = (rt.law, None, x, rows)
    return rt.law.alike(_one(rt) - (_unit(rt, x, lambda: x) * _unit(rt, y, lambda: y)).sum(0))


def _one(rt: "Runtime") -> Tensor:
    return rt.full(1.0)


def _unit(rt: "Runtime", key: Any, make: Callable[[], Tensor]) -> Tensor:
    """``x / |x|`` over the vectors of ``make()``, computed once for each row of an array."""
    known = rt.units.get(id(key))
    if known is None:  # the key is held, so that its id stays its own
        x = make()
        known = rt.units[id(key)] = (
            key,
            x if isinstance(key, tuple) else torch.nn.functional.normalize(x, dim=0, eps=1e-8),
        )
    return known[1]
