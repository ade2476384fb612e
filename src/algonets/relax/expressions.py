"""Translation of expressions: what depends on values goes by way of the runtime ``_rt``."""

import ast
from collections.abc import Callable
from typing import Any

from algonets.relax.errors import RelaxSyntaxError, syntax_error
from algonets.relax.exactness import Exactness

__all__ = ["ExpressionTranslator", "ask", "load"]

_COMPARISONS = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne"}
_RISKY = {
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.BitAnd: "bit_and",
    ast.BitOr: "bit_or",
    ast.BitXor: "bit_xor",
}
_REFUSED = {
    ast.Lambda: ("a lambda", "Define a function and call it."),
    ast.Dict: ("a dictionary", "Use variables or arrays."),
    ast.Set: ("a set", "Use an array of truth values."),
    ast.SetComp: ("a set comprehension", "Use an array of truth values."),
    ast.DictComp: ("a dictionary comprehension", "Use an array."),
    ast.GeneratorExp: ("a generator expression", "Write a list comprehension or a loop."),
    ast.Await: ("await", "Relaxed functions are synchronous."),
    ast.Yield: ("yield", "Collect the values in an array and return it."),
    ast.YieldFrom: ("yield from", "Collect the values in an array and return it."),
    ast.NamedExpr: ("an assignment expression (:=)", "Assign on a line of its own."),
    ast.Starred: ("a starred expression", "Write the items one by one."),
    ast.JoinedStr: ("an f-string", "Format outside of the function."),
}


def load(name: str) -> ast.Name:
    """A variable that is read."""
    return ast.Name(name, ast.Load())


def ask(method: str, *args: ast.expr, keywords: list[ast.keyword] | None = None, of: str = "_rt") -> ast.Call:
    """``of.method(*args)``."""
    return ast.Call(ast.Attribute(load(of), method, ast.Load()), list(args), keywords or [])


class ExpressionTranslator:
    """Translates the expressions of one function."""

    def __init__(self, filename: str, lines: list[str], local_names: set[str], indices: set[str], exactness: Exactness):
        self.filename = filename
        self.lines = lines
        self.local_names = local_names
        self.indices = indices
        self.exactness = exactness
        self.lanes: tuple[str, str] | None = None  # of a loop that runs on whole arrays: its object and its index
        self.as_index = False
        self._counter = 0

    def error(self, node: ast.AST, construct: str, instead: str) -> RelaxSyntaxError:
        """The error that points at a node."""
        return syntax_error(node, self.filename, self.lines, construct, instead)

    def fresh(self, stem: str) -> str:
        """A new name of the generated code."""
        self._counter += 1
        return f"_{stem}{self._counter}"

    def visit(self, node: ast.expr) -> ast.expr:
        """Translate an expression."""
        refused = _REFUSED.get(type(node))
        if refused:
            raise self.error(node, *refused)
        translate: Callable[[Any], ast.expr] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if translate is None:
            raise self.error(node, f"{type(node).__name__}", "Use plain arithmetic, comparisons, calls and indices.")
        return ast.copy_location(translate(node), node)

    def index_value(self, node: ast.expr) -> ast.expr:
        """Translate a value that serves as an index."""
        before, self.as_index = self.as_index, True
        try:
            return self.visit(node)
        finally:
            self.as_index = before

    def thunk(self, node: ast.expr) -> ast.Lambda:
        """A function without arguments."""
        empty = ast.arguments(
            posonlyargs=[], args=[], vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[]
        )
        return ast.copy_location(ast.Lambda(empty, node), node)

    def _constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, complex | bytes):
            raise self.error(node, f"the constant {node.value!r}", "Use real numbers.")
        return node

    def _name(self, node: ast.Name) -> ast.expr:
        return node if node.id in self.local_names else ask("outer", node)

    def _binop(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        if self.exactness.holds(node):
            return ast.BinOp(left, node.op, right)
        if isinstance(node.op, ast.LShift | ast.RShift):
            raise self.error(node, "a bit shift", "Multiply or divide by a power of two.")
        name = _RISKY.get(type(node.op))
        if name is None or _is_safe(node):
            return ast.BinOp(self._numeric(node.left, left), node.op, self._numeric(node.right, right))
        return ask(name, left, right)

    def _numeric(self, node: ast.expr, translated: ast.expr) -> ast.expr:
        """Truth values in arithmetic are 0 and 1, as in Python."""
        truth = isinstance(node, ast.Compare | ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        )
        return ask("count", translated) if truth else translated

    def _unaryop(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if self.exactness.holds(node):
            return ast.UnaryOp(node.op, operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return ask("invert", operand)
        return ast.UnaryOp(node.op, operand)

    def _boolop(self, node: ast.BoolOp) -> ast.expr:
        first, *others = (self.visit(value) for value in node.values)
        if self.exactness.holds(node):
            return ast.BoolOp(node.op, [first, *others])
        method = "conjoin" if isinstance(node.op, ast.And) else "disjoin"
        return ask(method, first, *(self.thunk(other) for other in others))

    def _compare(self, node: ast.Compare) -> ast.expr:
        parts: list[ast.expr] = []
        left = self.visit(node.left)
        if self.exactness.holds(node):
            return ast.Compare(left, node.ops, [self.visit(comparator) for comparator in node.comparators])
        for position, (op, comparator) in enumerate(zip(node.ops, node.comparators)):
            right = self.visit(comparator)
            here = right
            if position + 1 < len(node.ops) and not isinstance(comparator, ast.Name | ast.Constant):
                name = self.fresh("middle")
                here = ast.NamedExpr(ast.Name(name, ast.Store()), right)
                right = load(name)
            if isinstance(op, ast.Is | ast.IsNot):
                parts.append(ast.Compare(left, [op], [here]))
            elif type(op) in _COMPARISONS:
                parts.append(ask(_COMPARISONS[type(op)], left, here))
            else:
                raise self.error(node, "the operator 'in'", "Compare with == in a loop.")
            left = right
        # Nested from the right, so that a middle term that is evaluated once is seen by all that follow.
        chain = ast.copy_location(parts.pop(), node)
        while parts:
            chain = ast.copy_location(ask("conjoin", ast.copy_location(parts.pop(), node), self.thunk(chain)), node)
        return chain

    def _ifexp(self, node: ast.IfExp) -> ast.expr:
        test, body, orelse = self.visit(node.test), self.visit(node.body), self.visit(node.orelse)
        if self.exactness.holds(node.test):
            return ast.IfExp(test, body, orelse)
        flag = [ast.keyword("index", ast.Constant(True))] if self.as_index else []
        return ask("choose", test, self.thunk(body), self.thunk(orelse), keywords=flag)

    def _call(self, node: ast.Call) -> ast.expr:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.error(argument, "a starred argument", "Write the arguments one by one.")
        if any(keyword.arg is None for keyword in node.keywords):
            raise self.error(node, "** in a call", "Write the keywords one by one.")
        if isinstance(node.func, ast.Name) and node.func.id in ("super", "locals", "globals", "exec", "eval"):
            raise self.error(node, f"{node.func.id}()", "Pass what is needed as an argument.")
        args = [self._argument(argument) for argument in node.args]
        keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if isinstance(node.func, ast.Attribute) and not self._is_outside(node.func):
            return ask("method", self.visit(node.func.value), ast.Constant(node.func.attr), *args, keywords=keywords)
        if not isinstance(node.func, ast.Name | ast.Attribute):
            raise self.error(node, "a call of a computed function", "Call a function by its name.")
        return ask("call_index" if self.as_index else "call", node.func, *args, keywords=keywords)

    def _argument(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.GeneratorExp):  # sum(... for ...): the same as of a list
            return self.visit(ast.copy_location(ast.ListComp(node.elt, node.generators), node))
        return self.visit(node)

    def _is_outside(self, node: ast.expr) -> bool:
        """Whether an attribute belongs to a module or another object that is no variable."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id not in self.local_names

    def _attribute(self, node: ast.Attribute) -> ast.expr:
        if self._is_outside(node):
            return ask("outer", node)
        return ask("attribute", self.visit(node.value), ast.Constant(node.attr))

    def _subscript(self, node: ast.Subscript) -> ast.expr:
        if self.lanes is not None:
            lanes, index = self.lanes
            return ask("get", self.visit(node.value), _offset(node.slice, index), of=lanes)
        return ask("get", self.visit(node.value), self.index_value(node.slice))

    def _slice(self, node: ast.Slice) -> ast.expr:
        parts = [self.visit(p) if p else ast.Constant(None) for p in (node.lower, node.upper, node.step)]
        return ask("slice", *parts)

    def _tuple(self, node: ast.Tuple) -> ast.expr:
        return ast.Tuple([self.visit(element) for element in node.elts], ast.Load())

    def _list(self, node: ast.List) -> ast.expr:
        return ask("items", ast.List([self.visit(element) for element in node.elts], ast.Load()))

    def _listcomp(self, node: ast.ListComp) -> ast.expr:
        targets: set[str] = set()
        generators = []
        for part in node.generators:
            if part.ifs or part.is_async:
                raise self.error(node, "a comprehension with a condition", "Write a loop with an if.")
            source = ask("each", self.visit(part.iter))
            names = {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)} - self.local_names
            targets |= names
            self.local_names |= names
            generators.append(ast.comprehension(part.target, source, [], 0))
        element = self.visit(node.elt)
        self.local_names -= targets
        return ask("items", ast.ListComp(element, generators))


def _offset(index: ast.expr, name: str) -> ast.expr:
    """``c`` of an index ``i + c`` that was found to be one."""
    if isinstance(index, ast.BinOp) and isinstance(index.left, ast.Name) and index.left.id == name:
        return index.right if isinstance(index.op, ast.Add) else ast.UnaryOp(ast.USub(), index.right)
    return ast.Constant(0)


def _is_safe(node: ast.BinOp) -> bool:
    """Whether no operand can make the operation or its derivative infinite."""
    right = node.right
    if not isinstance(right, ast.Constant) or not isinstance(right.value, int | float) or not right.value:
        return False
    if isinstance(node.op, ast.Pow):
        return right.value >= 1
    return isinstance(node.op, ast.Div | ast.Mod)
