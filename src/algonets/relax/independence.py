"""Loops whose passes provably do not depend on each other: they run as one operation on whole arrays."""

import ast
from collections.abc import Callable, Iterable, Sequence

from algonets.relax.analysis import assigned

__all__ = ["Independent", "independent"]

_POINTWISE = {"exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sigmoid", "relu", "square"}


class Independent:
    """What a loop over ``i`` does.

    Attributes:
        written: arrays written at ``i``, and read nowhere else.
        read: arrays that are only read, with the offsets from ``i``.
        sums: variables that every pass adds to, or subtracts from, and that nothing else in the loop reads.
    """

    def __init__(self) -> None:
        self.written: dict[str, None] = {}
        self.read: dict[str, list[int]] = {}
        self.sums: dict[str, None] = {}


def independent(
    node: ast.For, after: set[str], indices: set[str], shadowed: Callable[[str], bool]
) -> Independent | None:
    """Return what a loop does, or None where its passes may depend on each other.

    Args:
        node: the loop.
        after: variables that are read after it.
        indices: variables whose integers may serve as indices; sums of them are not touched.
        shadowed: whether a name of a builtin means something else.
    """
    source = node.iter
    plain = isinstance(source, ast.Call) and isinstance(source.func, ast.Name) and source.func.id == "range"
    if not plain or shadowed("range") or not isinstance(node.target, ast.Name) or node.target.id in after:
        return None
    try:
        return _Reader(node, after, indices, shadowed).found
    except _Dependent:
        return None


class _Dependent(Exception):
    """A pass may depend on another, or does something that has no form for whole arrays."""


class _Reader:
    def __init__(self, node: ast.For, after: set[str], indices: set[str], shadowed: Callable[[str], bool]):
        self.found = Independent()
        self.index = node.target.id  # pyright: ignore[reportAttributeAccessIssue]
        self.assigned = set(assigned(node.body))
        self.indices, self.shadowed = indices, shadowed
        stores = (n for statement in node.body for n in ast.walk(statement) if isinstance(n, ast.Subscript))
        self.targets = {n.value.id for n in stores if isinstance(n.ctx, ast.Store) and isinstance(n.value, ast.Name)}
        self.found.sums = dict.fromkeys(self._sums(node.body))
        if self.index in self.assigned or (self.assigned - set(self.found.sums)) & after:
            raise _Dependent
        self._block(node.body, set(), False)
        if set(self.found.written) & set(self.found.read) or not (self.found.written or self.found.sums):
            raise _Dependent

    def _sums(self, body: Sequence[ast.stmt]) -> Iterable[str]:
        """Names that are only ever the target of ``+=`` or ``-=``."""
        walked = [item for statement in body for item in ast.walk(statement)]
        for name in sorted(self.assigned):
            uses = [n for n in walked if isinstance(n, ast.Name) and n.id == name]
            steps = [
                n
                for n in walked
                if isinstance(n, ast.AugAssign)
                and isinstance(n.target, ast.Name)
                and n.target.id == name
                and isinstance(n.op, ast.Add | ast.Sub)
            ]
            if len(uses) == len(steps) and name not in self.indices:
                yield name

    def _block(self, body: Sequence[ast.stmt], known: set[str], inside: bool) -> set[str]:
        """Check statements; returns the temporary variables that are set for sure after them."""
        for node in body:
            known = self._statement(node, known, inside)
        return known

    def _statement(self, node: ast.stmt, known: set[str], inside: bool) -> set[str]:
        if isinstance(node, ast.Pass):
            return known
        if isinstance(node, ast.If):
            self._value(node.test, known)
            lone = not node.orelse
            then = self._block(node.body, set(known), lone)
            return then & self._block(node.orelse, set(known), False)
        if isinstance(node, ast.AugAssign):
            self._value(node.value, known)
            self._refuse_truth(node.value)
            if isinstance(node.target, ast.Name):
                if node.target.id not in self.found.sums and node.target.id not in known:
                    raise _Dependent
                return known
            self._target(node.target)
            return known
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            self._value(value, known)
            self._refuse_truth(value)
            if isinstance(target, ast.Name):
                if target.id in self.found.sums or isinstance(value, ast.Constant):
                    raise _Dependent
                return known | {target.id}
            # An integer that is stored for sure would stay an integer in a loop.
            if isinstance(value, ast.Constant) and not (isinstance(value.value, float) or inside):
                raise _Dependent
            self._target(target)
            return known
        raise _Dependent

    @staticmethod
    def _refuse_truth(value: ast.expr) -> None:
        """Arrays of numbers do not take truth values."""
        for part in (value, getattr(value, "body", value), getattr(value, "orelse", value)):
            negation = isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not)
            truth = isinstance(part, ast.Constant) and isinstance(part.value, bool)
            if isinstance(part, ast.Compare | ast.BoolOp) or negation or truth:
                raise _Dependent

    def _target(self, target: ast.expr) -> None:
        if not isinstance(target, ast.Subscript) or self._element(target) != 0:
            raise _Dependent
        self.found.written[target.value.id] = None  # pyright: ignore[reportAttributeAccessIssue]

    def _element(self, node: ast.Subscript) -> int:
        """The offset ``c`` of ``a[i + c]``."""
        base, at, sign = node.value, node.slice, 1
        if not isinstance(base, ast.Name) or base.id in self.assigned or base.id == self.index:
            raise _Dependent
        if isinstance(at, ast.BinOp) and isinstance(at.op, ast.Add | ast.Sub) and isinstance(at.right, ast.Constant):
            sign = 1 if isinstance(at.op, ast.Add) else -1
            offset, at = at.right.value, at.left
        else:
            offset = 0
        if not isinstance(at, ast.Name) or at.id != self.index or type(offset) is not int:
            raise _Dependent
        return sign * offset

    def _value(self, node: ast.expr, known: set[str]) -> None:
        """Check an expression and note what it reads."""
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, int | float):
                raise _Dependent
        elif isinstance(node, ast.Name):
            carried = node.id in self.assigned and node.id not in known
            if node.id == self.index or carried:
                raise _Dependent
        elif isinstance(node, ast.Subscript):
            offset = self._element(node)
            name = node.value.id  # pyright: ignore[reportAttributeAccessIssue]
            if offset or name not in self.targets:
                self.found.read.setdefault(name, []).append(offset)
        elif isinstance(node, ast.Call):
            self._call(node)
            self._value(node.args[0], known)
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp):
            if isinstance(node, ast.BinOp) and not isinstance(
                node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow
            ):
                raise _Dependent
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
                raise _Dependent
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._value(child, known)
        else:
            raise _Dependent

    def _call(self, node: ast.Call) -> None:
        function = node.func
        builtin = isinstance(function, ast.Name) and function.id == "abs" and not self.shadowed("abs")
        pointwise = (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id in ("torch", "math")
            and function.attr in _POINTWISE
        )
        if not (builtin or pointwise) or len(node.args) != 1 or node.keywords:
            raise _Dependent
