"""A solver as a torch operator: `vmap` joins its batches, `torch.compile` sees one call, no derivative."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import values_visible

__all__ = ["SolverOperator"]


class SolverOperator:
    """A function from ``(B, *event)`` tensors to a solution in the shape of the first, and whether there is one.

    It runs on the native kernels or in plain torch, as ``compute`` decides, and is called directly where nothing
    traces: a ``torch.library.custom_op`` takes about 25 microseconds a call.

    Args:
        name: of the operator, without the namespace.
        compute: tensors, the first ``batched`` of them with the batch first, and options to ``(solution, feasible)``.
        batched: how many of the arguments have a batch; the rest is shared.
    """

    def __init__(self, name: str, compute: Callable[..., tuple[Tensor, Tensor]], batched: int = 1):
        self._compute, self._batched = compute, batched
        self._traced: Any = torch.library.custom_op(f"algonets::graph_{name}", compute, mutates_args=())
        self._traced.register_fake(
            lambda theta, *rest: (
                torch.empty_like(theta, memory_format=torch.contiguous_format),
                theta.new_empty(theta.shape[0], dtype=torch.bool),
            )
        )
        self._traced.register_vmap(self._merge_batches)

    def __call__(self, theta: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        theta = theta.detach()
        if values_visible(theta, *(r for r in rest[: self._batched - 1])):
            return self._compute(theta, *rest)
        return self._traced(theta, *rest)

    def _merge_batches(self, info: Any, dims: tuple, *arguments: Any) -> tuple[Any, Any]:
        """Under ``vmap``: the new dimension joins the batch."""
        size = info.batch_size

        def merged(value: Tensor, dim: int | None) -> Tensor:
            value = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
            return value.reshape(size * value.shape[1], *value.shape[2:])

        own = [merged(a, d) for a, d in zip(arguments[: self._batched], dims[: self._batched], strict=True)]
        results = self._traced(*own, *arguments[self._batched :])
        return tuple(r.reshape(size, r.shape[0] // size, *r.shape[1:]) for r in results), (0, 0)
