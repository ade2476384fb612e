"""Comparisons and logic of a running program."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets.relax.arrays import Array
from algonets.relax.cells import as_tensor
from algonets.relax.mass import Path
from algonets.relax.values import UNREACHED, Bool, Integer, Unreached, as_integer, number
from algonets.tconorms import Probabilistic

__all__ = ["LogicMixin"]

_PLAIN = frozenset((int, float, bool))
_ABOVE = {operator.gt, operator.ge}
_BELOW = {operator.lt, operator.le}


class LogicMixin:
    """Comparisons by the law of the call, and logic by its t-norms."""

    step: bool
    masks: bool
    dtype: torch.dtype
    law: Any
    chooser: Any
    options: Any
    guarded: bool
    path: Path | None
    log: Any

    # ---- comparisons

    def gt(self, a: Any, b: Any) -> Any:
        """``a > b``."""
        return self.compare(operator.gt, a, b)

    def ge(self, a: Any, b: Any) -> Any:
        """``a >= b``."""
        return self.compare(operator.ge, a, b)

    def lt(self, a: Any, b: Any) -> Any:
        """``a < b``."""
        return self.compare(operator.lt, a, b)

    def le(self, a: Any, b: Any) -> Any:
        """``a <= b``."""
        return self.compare(operator.le, a, b)

    def eq(self, a: Any, b: Any) -> Any:
        """``a == b``."""
        return self.compare(operator.eq, a, b)

    def ne(self, a: Any, b: Any) -> Any:
        """``a != b``."""
        return self.compare(operator.ne, a, b)

    def compare(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """Compare two values; plain numbers and exact integers exactly, real numbers by the law."""
        if a.__class__ is Tensor and b.__class__ is Tensor:
            return self.decided(self.relation(op, a, b))
        if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
            return op(a, b)
        if isinstance(a, Unreached) or isinstance(b, Unreached):
            return UNREACHED
        if isinstance(a, Array) or isinstance(b, Array):
            return self._compare_arrays(op, a, b)
        if isinstance(a, bool | Bool) and isinstance(b, bool | Bool) and op in (operator.eq, operator.ne):
            return self._compare_truths(op, a, b)
        left: Any = as_integer(self, a)  # pyright: ignore[reportArgumentType]
        right: Any = as_integer(self, b)  # pyright: ignore[reportArgumentType]
        if left is not None and right is not None:
            difference = left - right  # exact, or a mixture
            return difference.chance(lambda v: op(v, 0)) if isinstance(difference, Integer) else op(difference, 0)
        if not all(isinstance(x, int | float | Tensor | Bool | Integer) for x in (a, b)):
            return op(a, b)  # strings, None, shapes
        for one, other, flip in ((a, b, False), (b, a, True)):
            if isinstance(one, Integer) and one.exact is None:
                return self._compare_mixture(op, one, other, flip)
        return self.decided(self.relation(op, self._real(a), self._real(b)))

    def _real(self, value: Any) -> Tensor:
        tensor = as_tensor(self, number(self, value))  # pyright: ignore[reportArgumentType]
        return tensor if tensor.is_floating_point() else tensor.to(self.dtype)

    def relation(self, op: Callable[[Any, Any], Any], x: Tensor, y: Tensor) -> Bool:
        """Compare real numbers: a step function in hard calls, else the law."""
        if self.step:
            return Bool(self, op(x, y))  # pyright: ignore[reportArgumentType]
        difference = y - x if op in _BELOW else x - y
        if self.guarded:  # inf - inf
            difference = torch.where(x == y, torch.zeros_like(difference), difference)
        if op in _ABOVE or op in _BELOW:
            p = self.law.above(difference)
        else:
            p = self.law.near(difference)
            if op is operator.ne:
                p = 1 - p
        if self.log is not None:
            self.note(p)  # pyright: ignore[reportAttributeAccessIssue]
        return Bool(self, p)  # pyright: ignore[reportArgumentType]

    def decided(self, chance: Bool) -> Any:
        """Let the merge of the call decide on a comparison, where it enumerates or samples paths."""
        return chance if self.chooser is None or chance.exact else self.chooser(self, chance)

    def _compare_arrays(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        tensors = [x.tensor_form() if isinstance(x, Array) else as_tensor(self, x) for x in (a, b)]  # pyright: ignore
        if not any(t.is_floating_point() for t in tensors):
            return Array.of(self, op(*(t.long() for t in tensors)))  # pyright: ignore[reportArgumentType]
        chance = self.relation(op, *(t.to(self.dtype) for t in tensors))
        return self.decided(chance)

    def _compare_truths(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        if not isinstance(a, Bool):
            a, b = b, a
        if not isinstance(b, Bool):
            same = a if b else a.negated()
        elif a.exact and b.exact:
            same = Bool(self, a.p == b.p)  # pyright: ignore[reportArgumentType]
        else:
            p, q = a.mass(), b.mass()
            same = Bool(self, p * q + (1 - p) * (1 - q))  # pyright: ignore[reportArgumentType]
        return same if op is operator.eq else same.negated()

    def _compare_mixture(self, op: Callable[[Any, Any], Any], mixture: Integer, other: Any, flip: bool) -> Bool:
        total: Any = None
        for value, weight in mixture.atoms:
            pair = (other, value) if flip else (value, other)
            part = self.compare(op, *pair)
            part = part.mass() if isinstance(part, Bool) else float(part)
            part = part if weight is None else part * weight
            total = part if total is None else total + part
        return Bool(self, total)  # pyright: ignore[reportArgumentType]

    # ---- logic

    def truth(self, value: Any) -> Any:
        """The truth value of a condition: a Python ``bool``, or a :class:`Bool`."""
        if value.__class__ is bool or value.__class__ is Bool:
            return value
        if isinstance(value, Tensor):
            return self.compare(operator.ne, value, 0.0)
        if isinstance(value, Integer):
            return value.chance(lambda v: v != 0)
        if isinstance(value, Array):
            if value.is_list:
                return len(value) > 0
            tensor = value.tensor_form()
            if value.is_soft_bool:
                return Bool(self, tensor)  # pyright: ignore[reportArgumentType]
            return self._compare_arrays(operator.ne, value, 0.0)
        return bool(value)

    def invert(self, value: Any) -> Any:
        """``not value``."""
        chance = self.truth(value)
        return chance.negated() if isinstance(chance, Bool) else not chance

    def conjoin(self, first: Any, *others: Callable[[], Any]) -> Any:
        """``first and ...``: an operand is evaluated where those before it may hold, and gets their mass."""
        for other in others:
            chance = self.truth(first)
            if not isinstance(chance, Bool):
                if not chance:
                    return first
                first = other()
                continue
            first = self._joined(chance, other, True)
        return first

    def disjoin(self, first: Any, *others: Callable[[], Any]) -> Any:
        """``first or ...``."""
        for other in others:
            chance = self.truth(first)
            if not isinstance(chance, Bool):
                if chance:
                    return first
                first = other()
                continue
            first = self._joined(chance, other, False)
        return first

    def _joined(self, chance: Bool, other: Callable[[], Any], conjunction: bool) -> Any:
        before = self.path
        if chance.p.ndim == 1:
            self.path = Path(before, chance.p, not conjunction)
        if self.masks and self.negligible(self.mass()):  # pyright: ignore[reportAttributeAccessIssue]
            self.path = before
            return chance
        second = self.truth(other())
        self.path = before
        if not isinstance(second, Bool):
            if conjunction:
                return chance if second else False
            return True if second else chance
        return self.both(chance, second) if conjunction else self.either(chance, second)

    def both(self, a: Bool, b: Bool) -> Bool:
        """The soft "and" of the call."""
        if a.exact or b.exact or isinstance(self.options.conjunction, Probabilistic):
            if a.exact != b.exact:  # a selection, so that what has no mass leaks nothing
                mask, value = (a, b) if a.exact else (b, a)
                return Bool(self, torch.where(mask.p, value.p, torch.zeros_like(value.p)))  # pyright: ignore
            return Bool(self, a.p * b.p)  # pyright: ignore[reportArgumentType]
        return Bool(self, self.options.conjunction.tnorm(a.p, b.p))  # pyright: ignore[reportArgumentType]

    def either(self, a: Bool, b: Bool) -> Bool:
        """The soft "or" of the call."""
        if a.exact and b.exact:
            return Bool(self, a.p | b.p)  # pyright: ignore[reportArgumentType]
        if a.exact or b.exact:
            mask, value = (a, b) if a.exact else (b, a)
            return Bool(self, torch.where(mask.p, torch.ones_like(value.p), value.p))  # pyright: ignore
        if isinstance(self.options.conjunction, Probabilistic):
            return Bool(self, a.p + b.p - a.p * b.p)  # pyright: ignore[reportArgumentType]
        return Bool(self, self.options.conjunction(a.p, b.p))  # pyright: ignore[reportArgumentType]

    def choose(self, condition: Any, yes: Callable[[], Any], no: Callable[[], Any], index: bool = False) -> Any:
        """``yes if condition else no``."""
        branch = self.branch(condition, (None,), (0,) if index else (), False, False)  # pyright: ignore
        if branch.then():
            branch.end((yes(),))
        if branch.orelse():
            branch.end((no(),))
        return branch.join()[0]

    def bitwise(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """``a & b``, ``a | b``, ``a ^ b``: logic, element by element."""
        if not any(isinstance(x, Bool | Array) for x in (a, b)):
            left, right = as_integer(self, a), as_integer(self, b)  # pyright: ignore[reportArgumentType]
            if isinstance(left, Integer) and isinstance(right, int):
                return left.mapped(lambda v: op(v, right))
            return op(a, b)
        left, right = (self._as_bool(x) for x in (a, b))
        if op is operator.and_:
            result = self.both(left, right)
        elif op is operator.or_:
            result = self.either(left, right)
        else:
            result = self._compare_truths(operator.ne, left, right)
        return self._shaped(result)

    def _as_bool(self, value: Any) -> Bool:
        chance = self.truth(value)
        return chance if isinstance(chance, Bool) else Bool(self, as_tensor(self, chance))  # pyright: ignore

    def _shaped(self, chance: Bool) -> Any:
        return chance
