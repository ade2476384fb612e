"""What can go wrong: a construct that has no relaxation, mass that is left in a loop."""

import ast

__all__ = ["RelaxSyntaxError", "ResidualMassWarning", "UnreachedPathsError"]


class RelaxSyntaxError(SyntaxError):
    """A construct that ``algonets.relax`` cannot relax: it names file, line, construct and what to write instead.

    Raised when a function is decorated, or when a helper that it calls is first met. Not differentiable.

    Example:
        >>> import algonets as an
        >>> issubclass(an.relax.RelaxSyntaxError, SyntaxError)
        True
    """


class ResidualMassWarning(UserWarning):
    """A relaxed loop or recursion was cut at its bound while some probability mass was still inside.

    What is left goes to the last state. Raise ``max_iterations`` (or ``max_depth``), or lower the scale.
    """


class UnreachedPathsError(RuntimeError):
    """Exact enumeration met more paths than ``max_paths``."""


def syntax_error(node: ast.AST, filename: str, lines: list[str], construct: str, instead: str) -> RelaxSyntaxError:
    """Build the error that points at a node of the user's source."""
    line = getattr(node, "lineno", 1)
    column = getattr(node, "col_offset", 0) + 1
    text = lines[line - 1] if 0 < line <= len(lines) else None
    message = f"algonets.relax cannot relax {construct}. {instead}"
    end_line, end_column = getattr(node, "end_lineno", None), getattr(node, "end_col_offset", None)
    stop = None if end_column is None else end_column + 1
    return RelaxSyntaxError(message, (filename, line, column, text, end_line, stop))
