"""From a Python function to a generated one that runs on the runtime; compiled once."""

import ast
import inspect
import linecache
import textwrap
import types
import weakref
from collections.abc import Mapping
from typing import Any

from algonets._core.errors import reject_type
from algonets.relax.errors import RelaxSyntaxError
from algonets.relax.statements import StatementTranslator

__all__ = ["Program", "program_of"]

_programs: "weakref.WeakKeyDictionary[types.FunctionType, Program]" = weakref.WeakKeyDictionary()


class Program:
    """The generated code of a function.

    Attributes:
        original: the function.
        function: the generated one; its first argument is the runtime.
        source: its text.
        line: where the function begins in its file.
        guards: it computes with infinities, so paths without mass need care.
    """

    def __init__(self, original: types.FunctionType, returns_index: bool = False):
        self.original = original
        self.returns_index = returns_index
        self.signature = inspect.signature(original)
        self.line = original.__code__.co_firstlineno
        self._indexed: Program | None = None
        definition, filename, lines = _definition(original)
        self.guards = any(
            (isinstance(n, ast.Attribute) and n.attr in ("inf", "infty")) or
            (isinstance(n, ast.Constant) and n.value in ("inf", "-inf", "Infinity")) or
            (isinstance(n, ast.Name) and n.id in ("inf", "INF", "Infinity", "INFINITY"))
            for n in ast.walk(definition)
        )  # fmt: skip
        parameters = list(self.signature.parameters)
        taken = {*original.__globals__, *original.__code__.co_freevars}
        translator = StatementTranslator(
            definition.body, parameters, filename, lines, returns_index, lambda name: name in taken
        )
        body = translator.translate()
        arguments = ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in ("_rt", *parameters)], vararg=None,
            kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[],
        )  # fmt: skip
        generated = ast.copy_location(
            ast.FunctionDef(name=definition.name, args=arguments, body=body, decorator_list=[], **_TYPE_PARAMS),
            definition,
        )
        ast.fix_missing_locations(generated)
        self.source = ast.unparse(generated)
        self.function = _function(generated, original, filename)

    def variant(self, index: bool) -> "Program":
        """The program whose result serves as an index."""
        if not index or self.returns_index:
            return self
        if self._indexed is None:
            self._indexed = Program(self.original, True)
        return self._indexed

    def bind(self, args: tuple, kwargs: Mapping[str, Any], rt: Any = None) -> list[Any]:
        """Order the arguments as the generated function takes them."""
        bound = self.signature.bind(*args, **kwargs)
        missing = [name for name in self.signature.parameters if name not in bound.arguments]
        if not missing:
            return list(bound.arguments.values())
        bound.apply_defaults()
        values = bound.arguments
        return [rt.outer(value) if rt and name in missing else value for name, value in values.items()]


_TYPE_PARAMS: dict[str, Any] = {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


def program_of(function: Any) -> Program:
    """Return the program of a function, translated at the first call."""
    if not isinstance(function, types.FunctionType):
        reject_type("relax(function)", "must be a Python function written with def", function)
    program = _programs.get(function)
    if program is None:
        program = _programs[function] = Program(function)
    return program


def _definition(function: types.FunctionType) -> tuple[ast.FunctionDef, str, list[str]]:
    """Parse the source of a function, with the positions that it has in its file."""
    name = getattr(function, "__qualname__", repr(function))
    filename = inspect.getsourcefile(function) or function.__code__.co_filename
    try:
        block, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        message = f"algonets.relax cannot read the source of {name}. Define it in a file or a notebook cell."
        raise RelaxSyntaxError(message, (filename, function.__code__.co_firstlineno, 1, None)) from None
    text = "".join(block)
    lines = linecache.getlines(filename) or ["\n"] * (first - 1) + list(block)
    indent = len(text) - len(text.lstrip())
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        tree = None
    definition = tree.body[0] if tree and tree.body else None
    if not isinstance(definition, ast.FunctionDef):
        what = (
            "async def" if isinstance(definition, ast.AsyncFunctionDef) else "a lambda or a function in an expression"
        )
        raise RelaxSyntaxError(
            f"algonets.relax cannot relax {what}. Write a plain function with def.", (filename, first, 1, block[0])
        )
    ast.increment_lineno(definition, first - 1)
    for node in ast.walk(definition):
        if hasattr(node, "col_offset"):
            node.col_offset += indent  # pyright: ignore[reportAttributeAccessIssue]
            if getattr(node, "end_col_offset", None) is not None:
                node.end_col_offset += indent  # pyright: ignore[reportAttributeAccessIssue]
    return definition, filename, [line.rstrip("\n") for line in lines]


def _function(generated: ast.FunctionDef, original: types.FunctionType, filename: str) -> types.FunctionType:
    """Compile with the globals and the closure cells of the original, so that names stay bound late."""
    cells = dict(zip(original.__code__.co_freevars, original.__closure__ or ()))
    # Under a name of its own, or the factory would hide a global of the same name from a recursive function.
    name, generated.name = generated.name, "_relaxed"
    body = [generated, ast.Return(ast.Name(generated.name, ast.Load()))]
    factory = ast.FunctionDef(
        name="_factory", args=ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in cells], vararg=None,
        kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[]), body=body,
        decorator_list=[], **_TYPE_PARAMS,
    )  # fmt: skip
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, generated)], []))
    # The file is the user's, so that a traceback shows the line that he wrote.
    code = compile(module, filename, "exec")
    outer = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    inner = next(c for c in outer.co_consts if isinstance(c, types.CodeType) and c.co_name == generated.name)
    inner = inner.replace(co_name=name, co_qualname=original.__qualname__)
    closure = tuple(cells[name] for name in inner.co_freevars)
    return types.FunctionType(inner, original.__globals__, name, None, closure)
