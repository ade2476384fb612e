"""Products with the Fisher information of a network's parameters, on the graph of one evaluation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from algonets._core.errors import reject, reject_type
from algonets.training.outputs import OutputDistribution

__all__ = ["Closure", "Curvature", "adapted", "evaluate", "loss_value", "pack", "shift"]

Closure = Callable[[], tuple[Tensor, Tensor]]


def evaluate(call: str, closure: Closure | None) -> tuple[Tensor, Tensor]:
    """Run the closure with gradients, and check that it gives a loss and outputs."""
    remedy = "Return (loss, outputs), the mean loss and the network's outputs that it was computed from."
    if closure is None:
        reject_type(f"{call}.step(closure)", "must be a function that returns (loss, outputs)", closure, remedy)
    with torch.enable_grad():
        found: Any = closure()
    if not (isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, Tensor) for part in found)):
        reject_type(f"{call}.step(closure)", "must return (loss, outputs)", found, remedy)
    loss, outputs = found
    if loss.numel() != 1 or not loss.requires_grad or not outputs.requires_grad:
        reject(f"{call}.step(closure)", "must return a differentiable scalar loss and its outputs", loss, remedy)
    return loss.reshape(()), outputs


def loss_value(closure: Closure) -> float:
    """The loss alone."""
    with torch.no_grad():
        return float(closure()[0])


def pack(tensors: Sequence[Tensor]) -> Tensor:
    """One vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def shift(parameters: Sequence[Tensor], vector: Tensor, size: float) -> None:
    """Add ``size * vector`` to the parameters."""
    with torch.no_grad():
        for parameter, part in zip(parameters, vector.split([p.numel() for p in parameters]), strict=True):
            parameter.add_(part.view_as(parameter), alpha=size)


class Curvature:
    """Gradient and exact Fisher products ``(1/N) J^T F_z J v`` for one batch of outputs ``(N..., C)``.

    ``J v`` is the derivative of ``u -> J^T u``, which is linear: two backward passes over the one graph that the
    closure made; nothing is evaluated again.
    """

    def __init__(self, parameters: Sequence[Tensor], loss: Tensor, outputs: Tensor, law: OutputDistribution):
        self._parameters, self.outputs, self._law = list(parameters), outputs, law
        self._frozen = outputs.detach()
        self._examples = max(outputs.numel() // max(outputs.shape[-1], 1), 1)
        self._seed = torch.zeros_like(outputs, requires_grad=True)
        self.gradient = pack(self._backward(loss, None, keep=True)).detach()
        with torch.enable_grad():
            self._pulled = pack(self._backward(outputs, self._seed, keep=True, create_graph=True))

    def _backward(self, of: Tensor, seed: Tensor | None, keep: bool, create_graph: bool = False) -> list[Tensor]:
        found = torch.autograd.grad(
            of, self._parameters, seed, retain_graph=keep, create_graph=create_graph, allow_unused=True
        )
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self._parameters, found, strict=True)]

    def forward(self, v: Tensor) -> Tensor:
        """``J v``, the shape of the outputs."""
        found = torch.autograd.grad(self._pulled, self._seed, v, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(self.outputs) if found is None else found

    def product(self, v: Tensor) -> Tensor:
        """``F v``."""
        inner = self._law.fisher(self._frozen, self.forward(v)) / self._examples
        return pack(self._backward(self.outputs, inner, keep=True))


def adapted(damping: float, actual: float, predicted: float, rate: float = 1.5) -> float:
    """Damping that follows how well the quadratic model predicted the last change of the loss (Martens 2010)."""
    ratio = actual / predicted if predicted < 0 else -1.0
    if not ratio >= 0.25:  # also NaN
        damping *= rate
    elif ratio > 0.75:
        damping /= rate
    return min(max(damping, 1e-12), 1e12)
