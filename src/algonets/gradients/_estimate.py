"""A value whose backward is an estimator that calls the solver again."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["attach", "surrogate"]


class _Attached(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, y: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``y``."""
        return y.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the estimator."""
        ctx.product = inputs[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Estimate the vector-Jacobian product."""
        return ctx.product(grad), None, None


def attach(scores: Tensor, y: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``y``, whose gradient with respect to ``scores`` is ``product(incoming gradient)``; first order only."""
    if not (scores.requires_grad and torch.is_grad_enabled()):
        return y
    return _Attached.apply(scores, y, product)  # pyright: ignore[reportReturnType]


def surrogate(scores: Tensor) -> Tensor:
    """Return zeros with the gradient of ``scores``: times constants, they attach a known linear gradient."""
    return scores - scores.detach()
