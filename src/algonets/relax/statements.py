"""Translation of statements: branches, loops and jumps become calls of the runtime ``_rt``."""

import ast
from collections.abc import Callable, Sequence

from algonets.relax.analysis import (
    Liveness,
    assigned,
    calls_functions,
    has_jump,
    index_names,
    jump_kinds,
    surely_assigned,
)
from algonets.relax.build import assign, load_attribute, state, targets, update
from algonets.relax.exactness import Exactness
from algonets.relax.expressions import ExpressionTranslator, ask, load
from algonets.relax.loops import LoopMixin

__all__ = ["StatementTranslator"]

_REFUSED = {
    ast.FunctionDef: ("a function in a function", "Define it at the top of the module and call it."),
    ast.AsyncFunctionDef: ("async def", "Define a plain function."),
    ast.ClassDef: ("a class", "Define it at the top of the module."),
    ast.Delete: ("del", "Leave the variable as it is."),
    ast.Try: ("try", "Test for the case with if."),
    ast.Raise: ("raise", "Check the arguments before the call."),
    ast.Assert: ("assert", "Check the arguments before the call."),
    ast.Global: ("global", "Return the value."),
    ast.Nonlocal: ("nonlocal", "Return the value."),
    ast.Import: ("import", "Import at the top of the module."),
    ast.ImportFrom: ("import", "Import at the top of the module."),
    ast.Match: ("match", "Write if and elif."),
    ast.AsyncFor: ("async for", "Write a plain loop."),
    ast.AsyncWith: ("async with", "Write plain statements."),
}


class StatementTranslator(LoopMixin):
    """Translates the body of one function.

    Args:
        body: the statements.
        parameters: names of the arguments.
        filename: file of the function.
        lines: lines of that file.
        returns_index: the caller uses the result as an index.
        shadowed: whether a name of a builtin means something else in the module.
    """

    def __init__(
        self,
        body: Sequence[ast.stmt],
        parameters: list[str],
        filename: str,
        lines: list[str],
        returns_index: bool,
        shadowed: Callable[[str], bool] = lambda name: False,
    ):
        self.body = body
        self.variables = [name for name in assigned(body) if name not in parameters]
        self.indices = index_names(body, returns_index)
        self.live = Liveness(body, set())
        self.returns_index = returns_index
        names = {*parameters, *self.variables}
        exactness = Exactness(body, self._mergeable(), parameters, lambda name: name in names or shadowed(name))
        self.x = ExpressionTranslator(filename, lines, names, self.indices, exactness)
        self.loops: list[tuple[str, list[str], list[str]]] = []
        self.merged: set[str] = set()
        returns = sum(isinstance(n, ast.Return) for node in body for n in ast.walk(node))
        self.frame = None
        if returns > 1 or (returns == 1 and not (body and isinstance(body[-1], ast.Return))):
            self.frame = "_frame"

    def _mergeable(self) -> set[str]:
        """Variables that a branch or loop may merge."""
        found: set[str] = set()
        for node in (item for statement in self.body for item in ast.walk(statement)):
            if isinstance(node, ast.If):
                live = self.live.after[id(node)] | self.live.before_else[id(node)]
                found |= live.intersection(assigned([*node.body, *node.orelse]))
            elif isinstance(node, ast.While) or (isinstance(node, ast.For) and jump_kinds(node.body)):
                live = self.live.after[id(node)] | self.live.head[id(node)]
                found |= live.intersection(assigned([node]))
        return found

    def translate(self) -> list[ast.stmt]:
        """Return the statements of the generated function."""
        body = self.block(self.body)
        unsure = self.merged - surely_assigned(self.body)
        lines: list[ast.stmt] = [
            assign(load(name), ask("undefined", ast.Constant(name))) for name in self.variables if name in unsure
        ]
        if self.frame:
            lines.append(assign(load(self.frame), ask("frame", *([ast.Constant(True)] if self.returns_index else []))))
        lines += body
        if self.frame:
            lines.append(ast.Return(ask("result", of=self.frame)))
        return lines

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Translate statements; what follows a jump runs for those who are left."""
        lines: list[ast.stmt] = []
        for position, node in enumerate(body):
            lines += [ast.copy_location(line, node) for line in self.statement(node)]
            if isinstance(node, ast.Break | ast.Continue | ast.Return):
                break
            following = body[position + 1 :]
            if following and has_jump(node):
                rest = self.block(following)
                lines.append(ast.copy_location(ast.If(load_attribute("_rt", "live"), rest, []), following[0]))
                break
        return lines or [ast.Pass()]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """Translate one statement."""
        refused = _REFUSED.get(type(node))
        if refused:
            raise self.x.error(node, *refused)
        translate = getattr(self, f"_{type(node).__name__.lower()}", None)
        if translate is None:
            raise self.x.error(
                node, f"a {type(node).__name__} statement", "Use assignments, if, while, for and return."
            )
        return translate(node)

    # ---- assignments

    def _pass(self, node: ast.Pass) -> list[ast.stmt]:
        return [node]

    def _expr(self, node: ast.Expr) -> list[ast.stmt]:
        return [ast.Pass()] if isinstance(node.value, ast.Constant) else [ast.Expr(self.x.visit(node.value))]

    def _assign(self, node: ast.Assign) -> list[ast.stmt]:
        if len(node.targets) == 1:
            return self.store(node.targets[0], node.value)
        name = self.x.fresh("value")
        lines = [assign(load(name), self._value(node.targets, node.value))]
        for target in node.targets:
            lines += self._store_value(target, load(name))
        return lines

    def _annassign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        return self.store(node.target, node.value) if node.value else [ast.Pass()]

    def _augassign(self, node: ast.AugAssign) -> list[ast.stmt]:
        if isinstance(node.target, ast.Name):
            name = node.target.id
            sum_ = ast.copy_location(ast.BinOp(ast.copy_location(load(name), node), node.op, node.value), node)
            new = self.x.index_value(sum_) if name in self.indices else self.x.visit(sum_)
            step = node.value
            if isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub):
                step = step.operand
            plain = isinstance(step, ast.Constant) and type(step.value) in (int, float)
            if plain and isinstance(node.op, ast.Add | ast.Sub):
                by = node.value if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), node.value)
                return [assign(load(name), ask("shifted", load(name), by, self.x.thunk(new)))]
            return [assign(load(name), ask("augmented", load(name), new))]
        if not isinstance(node.target, ast.Subscript):
            raise self.x.error(node, "an assignment to an attribute", "Assign to a variable and return it.")
        if self.x.lanes is not None:
            item = ast.Subscript(node.target.value, node.target.slice, ast.Load())
            new = ast.copy_location(ast.BinOp(ast.copy_location(item, node), node.op, node.value), node)
            return self._store_value(node.target, self.x.visit(ast.fix_missing_locations(new)))
        base, index = self.x.fresh("array"), self.x.fresh("index")
        array, outer = node.target.value, None
        if isinstance(array, ast.Subscript):
            outer = self.x.fresh("index")
            array, row = array.value, array.slice
        lines = [assign(load(base), self.x.visit(_as_load(array)))]
        lines += [assign(load(outer), self.x.index_value(row))] if outer else []
        lines += [assign(load(index), self.x.index_value(node.target.slice))]
        self.x.local_names |= {base, index, *([outer] if outer else ())}
        item = ast.Subscript(load(base), load(outer), ast.Load()) if outer else load(base)
        item = ast.Subscript(item, load(index), ast.Load())
        new = ast.copy_location(ast.BinOp(item, node.op, node.value), node)
        translated = self.x.visit(ast.fix_missing_locations(new))
        if outer:
            return [*lines, ast.Expr(ask("set_deep", load(base), load(outer), load(index), translated))]
        return [*lines, ast.Expr(ask(self._setter(node.target), load(base), load(index), translated))]

    def _value(self, targets: list[ast.expr], value: ast.expr) -> ast.expr:
        indexing = any(name in self.indices for target in targets for name in assigned([target]))
        return self.x.index_value(value) if indexing else self.x.visit(value)

    def store(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        """``target = value``."""
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            if len(target.elts) != len(value.elts):
                raise self.x.error(target, f"{len(value.elts)} values for {len(target.elts)} targets", "Match them.")
            names = [self.x.fresh("value") for _ in target.elts]
            pairs = zip(target.elts, value.elts)
            values: list[ast.expr] = [self._value([element], item) for element, item in pairs]
            left = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
            lines: list[ast.stmt] = [ast.Assign([left], ast.Tuple(values, ast.Load()))]
            for element, name in zip(target.elts, names):
                lines += self._store_value(element, load(name))
            return lines
        return self._store_value(target, self._value([target], value))

    def _store_value(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        if isinstance(target, ast.Name):
            return [ast.Assign([ast.Name(target.id, ast.Store())], value)]
        if isinstance(target, ast.Tuple | ast.List):
            if any(isinstance(element, ast.Starred) for element in target.elts):
                raise self.x.error(target, "a starred target", "Take slices.")
            names = [self.x.fresh("value") for _ in target.elts]
            left = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
            lines: list[ast.stmt] = [ast.Assign([left], ask("unpack", value, ast.Constant(len(names))))]
            for element, name in zip(target.elts, names):
                lines += self._store_value(element, load(name))
            return lines
        if isinstance(target, ast.Subscript):
            base = target.value
            if self.x.lanes is not None:
                return [ast.Expr(ask("set", self.x.visit(_as_load(base)), value, of=self.x.lanes[0]))]
            index = self.x.index_value(target.slice)
            if isinstance(base, ast.Subscript):
                outer = self.x.visit(_as_load(base.value))
                return [ast.Expr(ask("set_deep", outer, self.x.index_value(base.slice), index, value))]
            return [ast.Expr(ask(self._setter(target), self.x.visit(_as_load(base)), index, value))]
        raise self.x.error(target, "an assignment to an attribute", "Assign to a variable and return it.")

    def _setter(self, target: ast.Subscript) -> str:
        base = target.value
        return "set_index" if isinstance(base, ast.Name) and base.id in self.indices else "set"

    # ---- branches

    def _if(self, node: ast.If) -> list[ast.stmt]:
        if self.x.exactness.holds(node.test):  # every example, and every path, goes the same way
            return [
                ast.If(self.x.visit(node.test), self.block(node.body), self.block(node.orelse) if node.orelse else [])
            ]
        names = [n for n in assigned([*node.body, *node.orelse]) if n in self.live.after[id(node)]]
        kept = [n for n in assigned(node.body) if n not in names and n in self.live.before_else[id(node)]]
        self.merged |= {*names, *kept}
        branch = self.x.fresh("if")
        flags = [ast.keyword("index", self._index_flags(names))] if any(n in self.indices for n in names) else []
        if jump_kinds([node]):
            flags.append(ast.keyword("jumps", ast.Constant(True)))
        if calls_functions([*node.body, *node.orelse]):
            flags.append(ast.keyword("probe", ast.Constant(True)))
        lines: list[ast.stmt] = [
            assign(load(branch), ask("branch", self.x.visit(node.test), state(names), keywords=flags))
        ]
        saved = {name: self.x.fresh(f"{name}_") for name in kept}
        lines += [assign(load(copy), load(name)) for name, copy in saved.items()]
        end = ast.Expr(ask("end", state(names), of=branch))
        lines.append(ast.If(ask("then", of=branch), [*self.block(node.body), end], []))
        if node.orelse:
            start: list[ast.stmt] = [assign(load(name), load(copy)) for name, copy in saved.items()]
            if names:
                start.append(ast.Assign([targets(names)], load_attribute(branch, "start")))
            end = ast.Expr(ask("end", state(names), of=branch))
            lines.append(ast.If(ask("orelse", of=branch), [*start, *self.block(node.orelse), end], []))
        lines.append(update(names, ask("join", of=branch)))
        return lines

    def _index_flags(self, names: list[str]) -> ast.expr:
        flags = [ast.Constant(k) for k, name in enumerate(names) if name in self.indices]
        return ast.Tuple(list(flags), ast.Load())

    def _with(self, node: ast.With) -> list[ast.stmt]:
        (item, *more) = node.items
        call = item.context_expr
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute)
        last = ast.unparse(call.func).split(".")[-1] if named else ""  # pyright: ignore[reportAttributeAccessIssue]
        if more or item.optional_vars or last != "scale":
            raise self.x.error(node, "a with statement", "Only `with algonets.relax.scale(...):` changes what it runs.")
        inner = ast.withitem(ask("within", ask("scale", *(self.x.visit(a) for a in call.args))), None)  # pyright: ignore
        return [ast.With([inner], self.block(node.body))]


def _as_load(node: ast.expr) -> ast.expr:
    return ast.copy_location(load(node.id), node) if isinstance(node, ast.Name) else node
