"""Static facts about plain numbers: what is an ordinary Python number on every path and needs no relaxation."""

import ast
from collections.abc import Callable, Iterable, Sequence

__all__ = ["Exactness"]

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div)


class Exactness:
    """Which variables of a function are plain numbers of Python wherever they are read.

    They come from constants, ``range``, ``len``, shapes and the arithmetic of such, and no branch or loop that real
    numbers decide on merges them. Comparisons of them need no runtime.

    Args:
        body: the statements.
        merged: variables that some branch or loop may merge.
        parameters: names of the arguments, which may be anything.
        shadowed: whether a name of a builtin means something else here.
    """

    def __init__(
        self,
        body: Sequence[ast.stmt],
        merged: Iterable[str],
        parameters: Iterable[str],
        shadowed: Callable[[str], bool],
    ):
        self.shadowed = shadowed
        pairs = list(_assignments(body))
        barred = {*merged, *parameters}
        self.names = {name for target, _ in pairs for name in _names(target)} - barred
        size = -1
        while size != len(self.names):  # from all of them down to those that follow from each other
            size = len(self.names)
            for target, value in pairs:
                self.names -= self._doubtful(target, value)

    def holds(self, node: ast.expr) -> bool:
        """Whether an expression is a plain number or truth value."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int | float)
        if isinstance(node, ast.Name):
            return node.id in self.names
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, _OPERATORS) and self.holds(node.left) and self.holds(node.right)
        if isinstance(node, ast.UnaryOp):
            return not isinstance(node.op, ast.Invert) and self.holds(node.operand)
        if isinstance(node, ast.BoolOp):
            return all(self.holds(value) for value in node.values)
        if isinstance(node, ast.Compare):
            plain = not any(isinstance(op, ast.In | ast.NotIn | ast.Is | ast.IsNot) for op in node.ops)
            return plain and all(self.holds(operand) for operand in (node.left, *node.comparators))
        if isinstance(node, ast.IfExp):
            return all(self.holds(part) for part in (node.test, node.body, node.orelse))
        if isinstance(node, ast.Subscript):  # a.shape[0]
            return _is_shape(node.value) and isinstance(node.slice, ast.Constant)
        if isinstance(node, ast.Call) and not node.keywords and len(node.args) > 0:
            if self._calls(node, "len"):
                return True
            return self._calls(node, "min", "max", "abs", "int", "float", "bool") and all(map(self.holds, node.args))
        return False

    def _calls(self, node: ast.expr, *names: str) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in names
            and not self.shadowed(node.func.id)
        )

    def _doubtful(self, target: ast.expr, value: "ast.expr | _Items") -> set[str]:
        """The names of a target that are not sure to get a plain number."""
        if isinstance(value, _Items):
            return self._doubtful_items(target, value.of)
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                pairs = zip(target.elts, value.elts, strict=True)
                return {name for t, v in pairs for name in self._doubtful(t, v)}
            return set() if _is_shape(value) else set(_names(target))
        return set() if isinstance(target, ast.Name) and self.holds(value) else set(_names(target))

    def _doubtful_items(self, target: ast.expr, source: ast.expr) -> set[str]:
        """The same for a loop over ``source``."""
        if isinstance(source, ast.Tuple | ast.List):
            return {name for item in source.elts for name in self._doubtful(target, item)}
        if self._calls(source, "range"):
            return set()  # bounds that are not exact are refused when it runs
        if self._calls(source, "enumerate") and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            start = source.args[1:]  # pyright: ignore[reportAttributeAccessIssue]
            first = () if all(map(self.holds, start)) else _names(target.elts[0])
            return {*first, *_names(target.elts[1])}
        return set(_names(target))


class _Items:
    """The items of an iterable, one after the other."""

    def __init__(self, of: ast.expr):
        self.of = of


def _assignments(body: Iterable[ast.stmt]) -> Iterable[tuple[ast.expr, "ast.expr | _Items"]]:
    """Every target of a function with what it gets."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign):
                yield from ((target, node.value) for target in node.targets)
            elif isinstance(node, ast.AugAssign):
                yield node.target, ast.BinOp(_read(node.target), node.op, node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                yield node.target, node.value
            elif isinstance(node, ast.For | ast.comprehension):
                yield node.target, _Items(node.iter)


def _read(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def _names(target: ast.expr) -> list[str]:
    """Variables that a target binds; the base of ``a[i]`` is not bound, but it holds an array, not a number."""
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _is_shape(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "shape"
