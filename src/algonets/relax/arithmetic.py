"""Arithmetic of arrays, element by element; lists join and repeat."""

import operator
from collections.abc import Callable
from typing import Any

from torch import Tensor

from algonets.relax.values import _BINARY, Bool, Integer, Operators, as_integer, number

__all__ = ["ArrayArithmetic"]

_INTEGER_OPS = {operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod}


class ArrayArithmetic(Operators):
    """The operators of :class:`~algonets.relax.arrays.Array`."""

    is_list: bool
    of: Callable[..., Any]
    listed: Callable[..., Any]
    numbers: Callable[[], Tensor]
    cell_list: Callable[[], list]

    def combined(self, op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """Apply a binary operator with an array on either side."""
        left, right = self._operand(a), self._operand(b)
        if left is NotImplemented or right is NotImplemented:
            return NotImplemented
        kinds = [x.dtype.is_floating_point if isinstance(x, Tensor) else isinstance(x, float) for x in (left, right)]
        if any(kinds) or op not in _INTEGER_OPS:
            dtype = self.rt.dtype
            left, right = (x.to(dtype) if isinstance(x, Tensor) else x for x in (left, right))
        return self.of(self.rt, op(left, right))

    def _operand(self, value: Any) -> Any:
        if isinstance(value, ArrayArithmetic):
            return value.numbers()
        value = as_integer(self.rt, value) if isinstance(value, Integer | Bool) and _certain(value) else value
        if isinstance(value, Integer):
            exact = value.exact
            return value.expectation() if exact is None else exact
        value = number(self.rt, value)
        return value if isinstance(value, Tensor | int | float) else NotImplemented

    def repeated(self, times: Any) -> Any:
        """``[...] * times`` of a list."""
        if times.__class__ is not int:
            raise TypeError("a list can be repeated an exact integer number of times only")
        return self.listed(self.rt, self.cell_list() * times)


def _certain(value: Bool | Integer) -> bool:
    return value.exact if isinstance(value, Bool) else value.exact is not None


def _operators() -> None:
    def forward(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def apply(self: ArrayArithmetic, other: Any) -> Any:
            if self.is_list and op is operator.mul:
                return self.repeated(other)
            if self.is_list and op is operator.add and isinstance(other, ArrayArithmetic) and other.is_list:
                return self.listed(self.rt, [*self.cell_list(), *other.cell_list()])
            return self.combined(op, self, other)

        return apply

    def backward(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def apply(self: ArrayArithmetic, other: Any) -> Any:
            if self.is_list and op is operator.mul:
                return self.repeated(other)
            return self.combined(op, other, self)

        return apply

    for name, op in _BINARY.items():
        setattr(ArrayArithmetic, f"__{name}__", forward(op))
        setattr(ArrayArithmetic, f"__r{name}__", backward(op))
    setattr(ArrayArithmetic, "__neg__", lambda self: self.combined(operator.mul, self, -1))  # noqa: B010
    setattr(ArrayArithmetic, "__pos__", lambda self: self)  # noqa: B010


_operators()
