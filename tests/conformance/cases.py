"""Turn the registry into pytest parameters, and what the conformance tests share."""

from collections.abc import Callable

import pytest
import torch

import algonets as an
from tests.conformance.registry import Argument, Operation, operations

__all__ = ["argument_cases", "cases", "close", "differentiable", "needs_native", "promises"]

needs_native = pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")


def _param(check: str, operation: Operation, *more, gaps=None, name=""):
    gaps = operation.gaps if gaps is None else gaps
    marks = [pytest.mark.xfail(strict=True, reason=gaps[check])] if check in gaps else []
    marks += [pytest.mark.slow] if check in operation.slow else []
    return pytest.param(operation, *more, id=name or operation.name, marks=marks)


def cases(check: str, select: Callable[[Operation], bool] = lambda operation: True):
    """Return the selected operations as parameters; a declared gap in ``check`` must fail."""
    return [_param(check, operation) for operation in operations() if select(operation)]


def argument_cases(check: str, select: Callable[[Argument], bool] = lambda argument: True):
    """Return (operation, index of argument) parameters; a declared gap in ``check`` must fail."""
    return [
        _param(check, operation, k, gaps=operation.gaps | argument.gaps, name=f"{operation.name}-{argument.call}")
        for operation in operations()
        for k, argument in enumerate(operation.arguments)
        if select(argument)
    ]


def promises(*levels: str) -> Callable[[Operation], bool]:
    """Select the operations of some levels of differentiability."""
    return lambda operation: operation.differentiability in levels


def close(ours, theirs, tolerance: float = 1e-12) -> None:
    """Compare tuples of tensors, with shapes and dtypes."""
    torch.testing.assert_close(tuple(ours), tuple(theirs), rtol=tolerance, atol=tolerance, equal_nan=True)


def differentiable(operation: Operation, args) -> tuple[torch.Tensor, ...]:
    """Return the arguments, detached, the floating ones requiring gradients."""
    pairs = zip(args, operation.arguments, strict=True)
    return tuple(a.detach().clone() if which.integer else a.detach().clone().requires_grad_() for a, which in pairs)
