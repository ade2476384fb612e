"""Losses a value an example, seen as functions of a network's outputs: gradients, Hessians and their products."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import reject, reject_type

__all__ = ["Bound", "Objective", "Quadratic"]

Objective = Callable[[Tensor], Tensor]
"""Outputs ``(*batch, *event)`` to one loss an example ``(*batch)``, no example depending on another."""


class Bound:
    """A loss with its further arguments, as an objective; checks what comes back, and remembers the batch."""

    def __init__(self, call: str, loss: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]):
        self._call, self._loss, self._args, self._kwargs = call, loss, args, kwargs
        self._batch_dims: int | None = None

    def __call__(self, outputs: Tensor) -> Tensor:
        values = self._loss(outputs, *self._args, **self._kwargs)
        remedy = "Give the loss without its reduction, for example reduction='none'."
        if not isinstance(values, Tensor):
            reject_type(f"{self._call}(loss)", "must return a tensor", values, remedy)
        batch = values.shape
        one = not batch and outputs.ndim <= 1
        if not one and (not batch or outputs.shape[: len(batch)] != batch):
            rule = f"must return one value an example, leading dimensions of {tuple(outputs.shape)}"
            reject(f"{self._call}(loss)", rule, values, remedy)
        self._batch_dims = len(batch)
        return values

    def batch_dims(self, outputs: Tensor) -> int:
        """How many dimensions of the outputs are the batch's."""
        if self._batch_dims is None:
            with torch.no_grad():
                self(outputs.detach())
        return self._batch_dims or 0


class Quadratic:
    """Gradient and Hessian of an objective at given outputs, flattened to ``(N, m)`` and ``(N, m, m)``.

    Computed in float32 or float64, detached from the graph of the network.
    """

    def __init__(self, call: str, objective: Objective, outputs: Tensor, second: bool):
        check_floating(f"{call}(outputs)", outputs)
        self._call = call
        wide = outputs.detach()
        wide = wide if wide.dtype.itemsize >= 4 else wide.float()
        self._point = wide.clone().requires_grad_()
        with torch.enable_grad():
            values = objective(self._point)
            self._gradient = self._differentiate(values.sum(), second)
        self.batch = values.shape
        self.values = values.detach().reshape(-1)
        self.examples = math.prod(self.batch)
        self.size = math.prod(outputs.shape[len(self.batch) :])
        self.gradient = self._gradient.detach().reshape(self.examples, self.size)

    def _differentiate(self, scalar: Tensor, second: bool) -> Tensor:
        if not scalar.requires_grad:
            return torch.zeros_like(self._point)
        # A seed that requires a gradient: else a backward that is differentiable once gives a constant, in silence.
        seed = torch.ones_like(scalar, requires_grad=second)
        found = torch.autograd.grad(scalar, self._point, seed, create_graph=second, allow_unused=True)[0]
        if found is None:
            return torch.zeros_like(self._point)
        if second and _ends_in_an_error(found):
            raise ValueError(
                f"{self._call}(loss) must be twice differentiable, got one that is marked once_differentiable. Take "
                "mode='fisher', which needs gradients alone, or algonets.backend('torch')."
            )
        return found

    def product(self, v: Tensor) -> Tensor:
        """``H_i v_i`` for every example, ``(N, m)`` to ``(N, m)``."""
        if not self._gradient.requires_grad:  # linear
            return torch.zeros_like(v)
        found = torch.autograd.grad(
            self._gradient, self._point, v.reshape(self._point.shape), retain_graph=True, allow_unused=True
        )[0]
        return torch.zeros_like(v) if found is None else found.reshape(self.examples, self.size)

    def columns(self) -> Iterator[Tensor]:
        """Column after column of every Hessian, each ``(N, m)``."""
        unit = torch.eye(self.size, dtype=self._point.dtype, device=self._point.device)
        for row in unit:
            yield self.product(row.expand(self.examples, self.size))

    def hessian(self) -> Tensor:
        """``(N, m, m)``, symmetric to the last bit."""
        full = torch.stack(list(self.columns()), -1) if self.size else self.gradient.unsqueeze(-1)
        return 0.5 * (full + full.mT)

    def finite(self) -> Tensor:
        """Which examples have a finite gradient, ``(N,)``."""
        return self.gradient.isfinite().all(-1)


def _ends_in_an_error(gradient: Tensor) -> bool:
    """Whether the graph of a gradient has the node that ``once_differentiable`` leaves behind."""
    seen, todo = set(), [gradient.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith("Error"):
            return True
        seen.add(node)
        todo += [parent for parent, _ in node.next_functions]
    return False
