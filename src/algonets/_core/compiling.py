"""What ``torch.compile`` needs to know, without importing the compiler (a second of processor time)."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["constant_result"]

Function = TypeVar("Function", bound=Callable)


def constant_result(function: Function) -> Function:
    """Mark a function whose result is a constant of the traced graph.

    It does what ``torch.compiler.assume_constant_result`` does, which imports the compiler to set this attribute.
    """
    function._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
    return function
