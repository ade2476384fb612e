"""Pieces of generated code."""

import ast

from algonets.relax.expressions import load

__all__ = ["assign", "load_attribute", "state", "targets", "update"]


def assign(target: ast.Name, value: ast.expr) -> ast.stmt:
    """``name = value``."""
    return ast.Assign([ast.Name(target.id, ast.Store())], value)


def state(names: list[str]) -> ast.expr:
    """The tuple of variables."""
    return ast.Tuple([load(name) for name in names], ast.Load())


def targets(names: list[str]) -> ast.expr:
    """The same tuple, to be assigned."""
    return ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())


def update(names: list[str], value: ast.expr) -> ast.stmt:
    """``names = value``, for its effect where there are none."""
    return ast.Assign([targets(names)], value) if names else ast.Expr(value)


def load_attribute(base: str, name: str) -> ast.expr:
    """``base.name``."""
    return ast.Attribute(load(base), name, ast.Load())
