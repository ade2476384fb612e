"""What a program's variables hold besides plain numbers: soft booleans, integers of an example, and nothing yet.

Inside a program a number of an example is a floating tensor of shape ``(B,)``, or ``(1,)`` where the batch shares it:
the batch is the last dimension, so that broadcasting follows the rules of one example.
"""

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from algonets.relax.runtime import Runtime

__all__ = ["UNREACHED", "Bool", "Integer", "Undefined", "Unreached", "alike", "arithmetic", "number"]

_EXACT = {
    operator.add,
    operator.sub,
    operator.mul,
    operator.floordiv,
    operator.mod,
}


class Undefined:
    """A variable that no statement has assigned yet; using it is what it is in Python."""

    def __init__(self, name: str):
        self.name = name

    def complain(self, *_: Any) -> Any:
        """Raise the error of Python."""
        raise UnboundLocalError(f"variable {self.name!r} is used before any statement assigned it")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.complain()


class Unreached:
    """The value of a recursion that was cut: it absorbs arithmetic, and merges drop it."""

    def absorb(self, *_: Any) -> "Unreached":
        """Return itself."""
        return self


UNREACHED = Unreached()


def alike(like: Any, items: Iterable[Any]) -> Any:
    """A tuple or list of the type of another; named tuples keep their names."""
    return type(like)(*items) if hasattr(like, "_fields") else type(like)(items)


class Operators:
    """Arithmetic and comparison operators by way of :func:`arithmetic` and the runtime."""

    rt: "Runtime"

    def __bool__(self) -> bool:
        raise TypeError(
            f"a relaxed {type(self).__name__.lower()} has no single truth value here: "
            "use it in if, while, and, or, not of a relaxed function."
        )


def _install(cls: type, functions: dict[str, Callable[[Any, Any], Any]]) -> None:
    def forward(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, other: arithmetic(self.rt, op, self, other)

    def backward(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, other: arithmetic(self.rt, op, other, self)

    for name, op in functions.items():
        setattr(cls, f"__{name}__", forward(op))
        setattr(cls, f"__r{name}__", backward(op))
    setattr(cls, "__neg__", lambda self: arithmetic(self.rt, operator.mul, self, -1))  # noqa: B010
    setattr(cls, "__pos__", lambda self: self)  # noqa: B010


_BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
}


class Bool(Operators):
    """A truth value of each example: exact (a bool tensor) or a probability (a floating tensor)."""

    __slots__ = ("p", "rt")

    def __init__(self, rt: "Runtime", p: Tensor):
        self.rt = rt
        self.p = p

    @property
    def exact(self) -> bool:
        """Whether each example's value is certain."""
        return self.p.dtype == torch.bool

    def mass(self) -> Tensor:
        """The probability of being true, as a floating tensor."""
        return self.p.to(self.rt.dtype) if self.p.dtype == torch.bool else self.p

    def negated(self) -> "Bool":
        """The opposite truth value."""
        return Bool(self.rt, ~self.p if self.p.dtype == torch.bool else 1 - self.p)


class Integer(Operators):
    """An integer of each example: a mixture of ``(value, weight)``, where one weight ``None`` means certain.

    A value is an ``int`` that all examples share or an integer tensor. The weights of an example sum to 1.
    """

    __slots__ = ("atoms", "rt")

    def __init__(self, rt: "Runtime", atoms: list[tuple[int | Tensor, Tensor | None]]):
        self.rt = rt
        self.atoms = atoms

    @property
    def exact(self) -> Tensor | None:
        """The integer tensor where each example's value is certain."""
        value, weight = self.atoms[0]
        return value if weight is None and isinstance(value, Tensor) else None

    def expectation(self) -> Tensor:
        """``sum_k w_k k``, the number that this is where no index is asked for."""
        dtype = self.rt.dtype
        parts: list[Any] = [
            (value.to(dtype) if isinstance(value, Tensor) else value) if weight is None else value * weight
            for value, weight in self.atoms
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total  # pyright: ignore[reportReturnType]

    def mapped(self, function: Callable[[Any], Any]) -> "Integer":
        """Apply an exact function to every value."""
        return Integer(self.rt, gather_atoms([(function(value), weight) for value, weight in self.atoms]))

    def paired(self, other: "Integer", function: Callable[[Any, Any], Any]) -> "Integer":
        """Apply an exact function to this and another, as if they were independent."""
        atoms = [
            (function(a, b), v if w is None else w if v is None else w * v)
            for a, w in self.atoms
            for b, v in other.atoms
        ]
        return Integer(self.rt, gather_atoms(atoms))

    def chance(self, test: Callable[[Any], Any]) -> Bool:
        """The probability that a test of the value holds."""
        if self.exact is not None:
            return Bool(self.rt, test(self.exact))
        total: Any = 0.0
        for value, weight in self.atoms:
            held = test(value)
            if isinstance(held, Tensor):
                total = total + (held.to(self.rt.dtype) if weight is None else weight * held)
            elif held:
                total = total + (1.0 if weight is None else weight)
        return Bool(self.rt, total if isinstance(total, Tensor) else self.rt.full(float(total)))


for _class in (Bool, Integer):
    _install(_class, _BINARY)

for _name in (*(f"__{n}__" for n in _BINARY), *(f"__r{n}__" for n in _BINARY), "__neg__", "__pos__", "__getitem__"):
    setattr(Undefined, _name, Undefined.complain)
    setattr(Unreached, _name, Unreached.absorb)


def gather_atoms(atoms: list[tuple[int | Tensor, Tensor | None]]) -> list[tuple[int | Tensor, Tensor | None]]:
    """Add up the weights of equal shared values, in the order of their first appearance."""
    if len(atoms) == 1:
        return atoms
    shared: dict[int, Any] = {}
    rest: list[tuple[int | Tensor, Tensor | None]] = []
    for value, weight in atoms:
        if isinstance(value, Tensor):
            rest.append((value, weight))
        else:
            shared[value] = weight if value not in shared else shared[value] + weight
    return [*shared.items(), *rest]


def number(rt: "Runtime", value: Any) -> Any:
    """Return what arithmetic works on: soft booleans and mixed integers become their expectation."""
    if isinstance(value, Bool):
        return value.mass()
    if isinstance(value, Integer):
        return value.expectation()
    return value


def as_integer(rt: "Runtime", value: Any) -> "int | Integer | None":
    """Return an exact integer or a mixture of them, or None for any other number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | Integer):
        return value
    if isinstance(value, Bool) and value.exact:
        return Integer(rt, [(value.p.long(), None)])
    return None


def arithmetic(rt: "Runtime", op: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Apply a binary operator where an operand is a soft boolean or an integer of each example."""
    if hasattr(a, "tensor_form") or hasattr(b, "tensor_form"):
        return NotImplemented
    if isinstance(a, Unreached) or isinstance(b, Unreached):
        return UNREACHED
    if op in _EXACT or (op is operator.pow and b.__class__ is int and b >= 0):
        left, right = as_integer(rt, a), as_integer(rt, b)
        if left is not None and right is not None:
            if isinstance(left, Integer) and isinstance(right, Integer):
                return left.paired(right, op)
            if isinstance(left, Integer):
                return left.mapped(lambda value: op(value, right))
            if isinstance(right, Integer):
                return right.mapped(lambda value: op(left, value))
            return op(left, right)
    return op(number(rt, a), number(rt, b))
