"""ISAAC: a second-order step for linear layers from the curvature that their inputs have."""

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type, require

__all__ = ["IsaacNewton"]


class IsaacNewton(nn.Linear):
    r"""A linear layer whose weight gradient is divided by the second moment of its inputs.

    .. math:: \nabla_W \leftarrow g^\top \Big(I_b + \frac{a a^\top}{b \lambda}\Big)^{-1} a
        = g^\top a \Big(I_n + \frac{a^\top a}{b \lambda}\Big)^{-1}

    with inputs ``a (b, n)`` and the gradient ``g (b, outputs)`` of the outputs. Layers whose inputs differ in scale or
    are correlated learn along all directions at once. The gradients of inputs and bias stay as they are, so it works
    with any optimiser; the step is the gradient itself as :math:`\lambda \to \infty`.

    Args:
        in_features: As in ``torch.nn.Linear``.
        out_features: As in ``torch.nn.Linear``.
        damping: :math:`\lambda`, positive, in the unit of squared inputs.
        bias: As in ``torch.nn.Linear``.
        device: As in ``torch.nn.Linear``.
        dtype: As in ``torch.nn.Linear``.

    Shape: ``(*batch, in_features)`` to ``(*batch, out_features)``; all that leads is the batch of ``b``.

    Raises:
        ValueError: if ``damping`` is not positive.

    Differentiability: once, with this gradient for the weight.
    Cost: O(b n min(b, n)) more in the backward pass: the smaller of the two systems is solved.
    References: Petersen, Sutter, Borgelt, Huh, Kuehne, Sun, Deussen 2023, ISAAC Newton: Input-based Approximate
        Curvature for Newton's Method (ICLR), with the curvature of the outputs left out.

    Example:
        >>> layer = IsaacNewton(2, 1, damping=1.0, bias=False)
        >>> layer(torch.tensor([[3.0, 0.0]])).sum().backward()  # 3 / (1 + 9)
        >>> layer.weight.grad
        tensor([[0.3000, 0.0000]])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        damping: float = 1.0,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        check_positive("IsaacNewton(damping=...)", damping)
        super().__init__(in_features, out_features, bias, device, dtype)
        self.damping = float(damping)

    @classmethod
    def replace(cls, model: nn.Module, damping: float = 1.0) -> nn.Module:
        """Turn every ``torch.nn.Linear`` inside ``model`` into one of these, with the same parameters, in place.

        Args:
            model: Any module; a bare ``Linear`` is returned as a new layer that shares its parameters.
            damping: As in the class.

        Returns:
            The model.

        Raises:
            TypeError: if ``model`` is not a module.
            ValueError: if there is no linear layer in it.
        """
        if not isinstance(model, nn.Module):
            reject_type("IsaacNewton.replace(model)", "must be a torch.nn.Module", model)
        if type(model) is nn.Linear:
            return cls._sharing(model, damping)
        found = [
            (owner, name)
            for owner in model.modules()
            for name, child in owner._modules.items()
            if type(child) is nn.Linear
        ]
        require(bool(found), "IsaacNewton.replace(model)", "must have a torch.nn.Linear", model)
        twins: dict[int, Self] = {}  # a layer used twice stays one layer
        for owner, name in found:
            layer = getattr(owner, name)
            if id(layer) not in twins:
                twins[id(layer)] = cls._sharing(layer, damping)
            setattr(owner, name, twins[id(layer)])
        return model

    @classmethod
    def _sharing(cls, layer: nn.Linear, damping: float) -> Self:
        twin = cls(layer.in_features, layer.out_features, damping, layer.bias is not None, device="meta")
        twin.weight, twin.bias = layer.weight, layer.bias
        return twin.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """Apply it."""
        return _Linear.apply(input, self.weight, self.bias, self.damping)  # pyright: ignore[reportReturnType]

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"{super().extra_repr()}, damping={self.damping!r}"


class _Linear(torch.autograd.Function):
    """``functional.linear`` with the gradient of the class above."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, weight: Tensor, bias: Tensor | None, damping: float) -> Tensor:
        ctx.save_for_backward(a, weight)
        ctx.damping, ctx.has_bias = damping, bias is not None
        return functional.linear(a, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        g = grads[0]
        a, weight = ctx.saved_tensors
        by_input = g @ weight if ctx.needs_input_grad[0] else None
        rows, gradients = a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1])
        by_weight = _weight_gradient(rows, gradients, ctx.damping) if ctx.needs_input_grad[1] else None
        by_bias = gradients.sum(0) if ctx.has_bias and ctx.needs_input_grad[2] else None
        return by_input, by_weight, by_bias, None


def _weight_gradient(a: Tensor, g: Tensor, damping: float) -> Tensor:
    b, n = a.shape
    if not b:
        return a.new_zeros(g.shape[1], n)
    wide = a if a.dtype.itemsize >= 4 else a.float()
    g = g.to(wide.dtype)
    if b <= n:
        gram = wide @ wide.mT / (b * damping)
        gram.diagonal().add_(1)
        return (g.mT @ torch.cholesky_solve(wide, torch.linalg.cholesky(gram))).to(a.dtype)
    moment = wide.mT @ wide / (b * damping)
    moment.diagonal().add_(1)
    return torch.cholesky_solve((g.mT @ wide).mT, torch.linalg.cholesky(moment)).mT.to(a.dtype)
