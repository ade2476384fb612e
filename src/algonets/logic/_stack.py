"""Runs of layers of gates, one after the other: the plain-torch reference, and the choice of a kernel.

A stack is its input ``x (B, in)``, the coefficients ``(gates, 4)`` and the wiring ``first``, ``second (gates)`` of all
layers in a row, their ``widths``, and ``groups``: 0 gives the last layer ``(B, width)``, else the sums of so many equal
parts of it, ``(B, groups)``.
"""

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]

from algonets._core.backend import active_backend, use_native
from algonets._core.checks import carries_tangent

__all__ = ["coefficients16", "plain", "reference", "stack", "wrapped"]


def reference(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int) -> Tensor:
    """Feature-major: a signal is a row of all samples, so that a wire copies memory in one piece."""
    h = x.mT.contiguous()
    start = 0
    for width in widths:
        here = slice(start, start + width)
        c0, c1, c2, c3 = coefficients[here].unsqueeze(-1).unbind(1)
        a, b = h.index_select(0, first[here]), h.index_select(0, second[here])
        h = torch.addcmul(torch.addcmul(c0, c1, a), torch.addcmul(c2, c3, a), b)
        start += width
    if groups:
        h = h.unflatten(0, (groups, h.shape[0] // groups)).sum(1)
    return h.mT


def stack(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int = 0) -> Tensor:
    """Run a stack of layers on whichever backend has it."""
    arguments = (x, coefficients, first, second, widths, groups)
    if not plain(x, coefficients):
        if x.is_cuda:
            from algonets.logic import _stack_triton

            if _stack_triton.available(x):
                return _stack_triton.stack(*arguments)
        elif x.shape[0] and use_native("LogicLayer(x)", x, coefficients):
            from algonets.logic import _stack_native

            return _stack_native.stack(*arguments)
    trained = torch.is_grad_enabled() and (x.requires_grad or coefficients.requires_grad) and x.shape[0] > 0
    if trained and not torch.compiler.is_compiling() and not wrapped(x, coefficients):
        from algonets.logic import _stack_plain

        return _stack_plain.stack(*arguments)
    return reference(*arguments)


def coefficients16(weights: list[Tensor]) -> Tensor | None:
    """Coefficients ``(gates, 4)`` of the logits ``(gates, 16)`` of some layers by the native kernel.

    ``None`` if it is not to run.
    """
    if weights[0].is_cuda or plain(*weights) or not use_native("LogicLayer.weights", *weights):
        return None
    from algonets.logic import _stack_native

    return _stack_native.coefficients16(weights)


def plain(*tensors: Tensor) -> bool:
    """Tell whether only plain torch can run: the backend says so, or ``torch.func`` transforms wrap the tensors."""
    if active_backend() == "torch":
        return True
    return not torch.compiler.is_compiling() and wrapped(*tensors)


def wrapped(*tensors: Tensor) -> bool:
    """Tell whether ``torch.func`` or forward mode transforms the tensors."""
    return any(functorch.is_functorch_wrapped_tensor(t) or carries_tangent(t) for t in tensors)
