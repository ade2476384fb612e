"""Translation of loops and jumps."""

import ast
from typing import Any

from algonets.relax.analysis import Liveness, assigned, jump_kinds
from algonets.relax.build import assign, load_attribute, state, update
from algonets.relax.expressions import ExpressionTranslator, ask, load
from algonets.relax.independence import Independent, independent

__all__ = ["LoopMixin"]


class LoopMixin:
    """``for``, ``while``, ``break``, ``continue`` and ``return``."""

    x: ExpressionTranslator
    live: Liveness
    indices: set[str]
    loops: list[tuple[str, list[str], list[str]]]
    merged: set[str]
    returns_index: bool
    frame: str | None
    block: Any
    _store_value: Any
    _index_flags: Any

    def _for(self, node: ast.For) -> list[ast.stmt]:
        if node.orelse:
            raise self.x.error(node.orelse[0], "else after a loop", "Set a variable before break and test it.")
        header, target = self._target(node)
        source = ask("each", self.x.visit(node.iter))
        kinds = jump_kinds(node.body)
        if not kinds:
            found = independent(node, self.live.after[id(node)], self.indices, self.x.exactness.shadowed)
            if found is not None and self.x.lanes is None:
                return self._at_once(node, found)
            return [ast.For(target, source, [*header, *self.block(node.body)], [])]
        return self._loop(node, kinds, lambda loop, names: (ast.For(target, source, [], []), header))

    def _at_once(self, node: ast.For, found: Independent) -> list[ast.stmt]:
        """A loop of independent passes: on whole arrays where they fit, else pass by pass."""
        passes, lanes = self.x.fresh("passes"), self.x.fresh("at_once")
        read = [
            ast.Tuple([load(name), ast.Tuple([ast.Constant(c) for c in offsets], ast.Load())], ast.Load())
            for name, offsets in found.read.items()
        ]
        parts = (state(list(found.written)), ast.Tuple(list(read), ast.Load()), state(list(found.sums)))
        target = node.target.id  # pyright: ignore[reportAttributeAccessIssue]
        kept = {name: self.x.fresh(f"{name}_") for name in found.sums}
        self.x.lanes = (lanes, target)
        whole: list[ast.stmt] = [assign(load(copy), load(name)) for name, copy in kept.items()]
        whole += [assign(load(name), ast.Constant(0)) for name in kept]
        whole += self.block(node.body)
        whole += [assign(load(name), ask("total", load(copy), load(name), of=lanes)) for name, copy in kept.items()]
        whole.append(ast.Expr(ask("finish", of=lanes)))
        self.x.lanes = None
        loop = ast.For(ast.Name(target, ast.Store()), load(passes), self.block(node.body), [])
        return [
            assign(load(passes), self.x.visit(node.iter)),
            assign(load(lanes), ask("lanes", load(passes), *parts)),
            ast.Expr(ast.Constant("These passes do not depend on each other: all at once, where the arrays fit.")),
            ast.If(load(lanes), whole, [loop]),
        ]

    def _target(self, node: ast.For) -> tuple[list[ast.stmt], ast.expr]:
        if isinstance(node.target, ast.Name):
            return [], ast.Name(node.target.id, ast.Store())
        name = self.x.fresh("item")
        return self._store_value(node.target, load(name)), ast.Name(name, ast.Store())

    def _while(self, node: ast.While) -> list[ast.stmt]:
        if node.orelse:
            raise self.x.error(node.orelse[0], "else after a loop", "Set a variable before break and test it.")

        def head(loop: str, names: list[str]):
            return ast.While(ask("test", self.x.visit(node.test), state(names), of=loop), [], []), []

        return self._loop(node, jump_kinds(node.body), head)

    def _loop(self, node: ast.For | ast.While, kinds: set[str], head) -> list[ast.stmt]:
        own = assigned([node])
        after = [name for name in own if name in self.live.after[id(node)]]
        again = [name for name in own if name in self.live.head[id(node)]]
        again = [*after, *(name for name in again if name not in after)]
        self.merged |= {*after, *(again if "continue" in kinds else ())}
        loop = self.x.fresh("loop")
        self.loops.append((loop, after, again))
        statement, body = head(loop, after)
        if "continue" in kinds:
            body = [*body, ast.Expr(ask("begin", of=loop))]
        body = [*body, *self.block(node.body)]
        if "continue" in kinds:
            body.append(update(again, ask("next", state(again), self._index_flags(again), of=loop)))
        if kinds:
            stop = ast.UnaryOp(ast.Not(), load_attribute(loop, "running"))
            body.append(ast.If(stop, [ast.Break()], []))
        self.loops.pop()
        statement.body = body
        return [
            assign(load(loop), ask("loop", self._index_flags(after), ast.Constant(node.lineno))),
            statement,
            update(after, ask("finish", state(after), of=loop)),
        ]

    def _break(self, node: ast.Break) -> list[ast.stmt]:
        loop, after, _ = self.loops[-1]
        return [ast.Expr(ask("leave", state(after), of=loop))]

    def _continue(self, node: ast.Continue) -> list[ast.stmt]:
        loop, _, again = self.loops[-1]
        return [ast.Expr(ask("skip", state(again), of=loop))]

    def _return(self, node: ast.Return) -> list[ast.stmt]:
        value: ast.expr = ast.Constant(None)
        if node.value is not None:
            value = self.x.index_value(node.value) if self.returns_index else self.x.visit(node.value)
        return [ast.Expr(ask("give", value, of=self.frame))] if self.frame else [ast.Return(value)]
