"""Static facts about a function: what is assigned where, what is read later, which integers serve as indices."""

import ast
import builtins
from collections.abc import Iterable, Sequence

__all__ = [
    "Liveness",
    "assigned",
    "calls_functions",
    "has_jump",
    "index_names",
    "jump_kinds",
    "names_read",
    "surely_assigned",
]


def assigned(nodes: Iterable[ast.AST]) -> list[str]:
    """Variables that statements assign, in order of appearance; comprehension targets are not among them."""
    found: dict[str, None] = {}
    for node in nodes:
        inner = {n.id for c in ast.walk(node) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)
                 if isinstance(n, ast.Name)}  # fmt: skip
        for item in ast.walk(node):
            if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store) and item.id not in inner:
                found[item.id] = None
    return list(found)


def names_read(node: ast.AST | None) -> set[str]:
    """Variables that an expression reads."""
    if node is None:
        return set()
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def jump_kinds(nodes: Iterable[ast.stmt]) -> set[str]:
    """The jumps in statements that lead out of them: ``break``, ``continue``, ``return``."""
    kinds: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Break):
            kinds.add("break")
        elif isinstance(node, ast.Continue):
            kinds.add("continue")
        elif isinstance(node, ast.Return):
            kinds.add("return")
        elif isinstance(node, ast.If):
            kinds |= jump_kinds(node.body) | jump_kinds(node.orelse)
        elif isinstance(node, ast.With):
            kinds |= jump_kinds(node.body)
        elif isinstance(node, ast.For | ast.While):
            kinds |= jump_kinds(node.body) & {"return"}
    return kinds


def has_jump(node: ast.stmt) -> bool:
    """Whether a statement may send mass elsewhere."""
    return bool(jump_kinds([node]))


def calls_functions(nodes: Iterable[ast.stmt]) -> bool:
    """Whether statements call anything but builtins and attributes of modules: it may recurse."""
    for node in nodes:
        for item in ast.walk(node):
            if isinstance(item, ast.Call):
                target = item.func
                if isinstance(target, ast.Name) and not hasattr(builtins, target.id):
                    return True
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    return True
    return False


class Liveness:
    """Which variables are read after a statement; what is not read need not be merged."""

    def __init__(self, body: Sequence[ast.stmt], at_end: set[str]):
        self.after: dict[int, set[str]] = {}
        self.before_else: dict[int, set[str]] = {}
        self.head: dict[int, set[str]] = {}
        self._block(body, at_end, set(), set())

    def _block(self, body: Sequence[ast.stmt], live: set[str], after_loop: set[str], head: set[str]) -> set[str]:
        for node in reversed(body):
            self.after[id(node)] = self.after.get(id(node), set()) | live
            live = self._statement(node, live, after_loop, head)
        return live

    def _statement(self, node: ast.stmt, live: set[str], after_loop: set[str], head: set[str]) -> set[str]:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            written = {n.id for t in targets for n in _plain_targets(t)}
            reads = names_read(node.value).union(*(names_read(t) for t in targets))
            return (live - written) | reads
        if isinstance(node, ast.If):
            then = self._block(node.body, live, after_loop, head)
            other = self._block(node.orelse, live, after_loop, head)
            self.before_else[id(node)] = self.before_else.get(id(node), set()) | other
            return then | other | names_read(node.test)
        if isinstance(node, ast.With):
            inner = self._block(node.body, live, after_loop, head)
            return inner.union(*(names_read(item.context_expr) for item in node.items))
        if isinstance(node, ast.For | ast.While):
            source = node.iter if isinstance(node, ast.For) else node.test
            top = live | names_read(source)
            written = {n.id for n in _plain_targets(node.target)} if isinstance(node, ast.For) else set()
            for _ in range(2):  # the second pass sees what the next round reads
                top = top | (self._block(node.body, top, live, top) - written)
            self.head[id(node)] = self.head.get(id(node), set()) | top
            return top
        if isinstance(node, ast.Break):
            return live | after_loop
        if isinstance(node, ast.Continue):
            return live | head
        extra = names_read(node)
        if isinstance(node, ast.AugAssign):
            extra |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        return live | extra


def _plain_targets(target: ast.expr) -> list[ast.Name]:
    if isinstance(target, ast.Name):
        return [target]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for element in target.elts for name in _plain_targets(element)]
    return []


def surely_assigned(body: Sequence[ast.stmt]) -> set[str]:
    """Variables that a plain assignment at the top of a function binds before anything else mentions them."""
    found: set[str] = set()
    for node in body:
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr):
            break
        found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def index_names(body: Sequence[ast.stmt], returns_index: bool) -> set[str]:
    """Variables whose integers may become an index or decide a comparison, with the arrays that hold such integers.

    These keep the probability of each value when branches differ; any other integer becomes its mean.
    """
    nodes = [item for node in body for item in ast.walk(node)]
    found: set[str] = set()
    for item in nodes:
        if isinstance(item, ast.Subscript):
            found |= names_read(item.slice)
        elif isinstance(item, ast.Call) and not _is_builtin_call(item):
            for argument in item.args:
                if isinstance(argument, ast.Name | ast.BinOp):
                    found |= names_read(argument)
        elif isinstance(item, ast.Compare):
            for operand in (item.left, *item.comparators):
                if isinstance(operand, ast.Name | ast.BinOp):
                    found |= names_read(operand)
        elif returns_index and isinstance(item, ast.Return):
            found |= names_read(item.value)
    size = -1
    while size != len(found):
        size = len(found)
        for item in nodes:
            for target, value in _pairs(item):
                base = target
                while isinstance(base, ast.Subscript):
                    base = base.value
                if isinstance(base, ast.Name) and base.id in found:
                    found |= names_read(value)
    return found


def _is_builtin_call(call: ast.Call) -> bool:
    return not isinstance(call.func, ast.Name) or hasattr(builtins, call.func.id)


def _pairs(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """Targets with the values that are assigned to them."""
    if isinstance(node, ast.AugAssign):
        return [(node.target, node.value)]
    if isinstance(node, ast.AnnAssign):
        return [(node.target, node.value)] if node.value else []
    if not isinstance(node, ast.Assign):
        return []
    pairs = []
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs += list(zip(target.elts, node.value.elts))
        elif isinstance(target, ast.Tuple):
            pairs += [(element, node.value) for element in target.elts]
        else:
            pairs.append((target, node.value))
    return pairs
