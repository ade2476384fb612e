"""A native kernel as a torch operator: seen by autograd, ``vmap`` and ``torch.compile``, and cheap to call."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]

from algonets._core.checks import hides_values

__all__ = ["Operator", "view"]

view: Any = torch._C._to_dlpack  # pyright: ignore[reportAttributeAccessIssue]
"""What a kernel takes for a tensor: the tensor itself would pass through Python's slower ``__dlpack__``."""


class Operator:
    """A kernel whose tensor arguments and results all have the batch first.

    It is a ``torch.library.custom_op``, which tracers understand but which takes about 25 microseconds a call. Where
    nothing traces, the same functions run in a plain ``autograd.Function`` instead.

    Args:
        name: Of the operator, without the namespace.
        compute: The kernel; its annotations are the schema.
        shapes: The results of ``compute`` for the same arguments, empty.
        save: ``setup_context`` of the derivative.
        backward: The derivative; keeps no more than first order unless it calls operators itself.
    """

    def __init__(self, name: str, compute: Callable, shapes: Callable, save: Callable, backward: Callable):
        self._compute = compute
        self._traced: Any = torch.library.custom_op(f"algonets::{name}", compute, mutates_args=())
        self._traced.register_fake(shapes)
        self._traced.register_autograd(backward, setup_context=save)
        self._traced.register_vmap(self._merge_batches)

        # The options go as one argument: autograd looks at each.
        named = inspect.signature(compute).parameters.values()
        count = self._tensors = 1 + max(k for k, p in enumerate(named) if "Tensor" in str(p.annotation))

        def forward(ctx: Any, *arguments: Any) -> Any:  # a separate setup_context would cost 20 microseconds more
            arguments = (*arguments[:-1], *arguments[-1])
            results = compute(*arguments)
            save(ctx, arguments, results)
            return results

        def backward_to_tensors(ctx: Any, *incoming: Any) -> tuple:
            return *backward(ctx, *incoming)[:count], None

        steps = {"forward": staticmethod(forward), "backward": staticmethod(backward_to_tensors)}
        self._direct: Any = type(name, (torch.autograd.Function,), steps)

    def __call__(self, *arguments: Any) -> Any:
        tensors = arguments[: self._tensors]
        if torch.compiler.is_compiling():
            return self._traced(*arguments)
        for tensor in tensors:
            if tensor is not None and _is_traced(tensor):
                return self._traced(*arguments)
        if not torch.is_grad_enabled():
            return self._compute(*arguments)
        return self._direct.apply(*tensors, arguments[self._tensors :])

    def _merge_batches(self, info: Any, dims: tuple, *arguments: Any) -> tuple[Any, Any]:
        """Under ``vmap``: the new dimension joins the batch."""
        size = info.batch_size

        def merged(value: Any, dim: int | None) -> Any:
            if not isinstance(value, Tensor):
                return value
            value = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
            return value.reshape(size * value.shape[1], *value.shape[2:])

        def split(value: Tensor) -> Tensor:
            return value.reshape(size, value.shape[0] // size, *value.shape[1:])

        results = self._traced(*(merged(a, d) for a, d in zip(arguments, dims, strict=True)))
        if isinstance(results, Tensor):
            return split(results), 0
        return tuple(split(r) for r in results), (0,) * len(results)


def _is_traced(value: Any) -> bool:
    """Whether its values are hidden: under ``vmap``, on fake and meta tensors."""
    if not isinstance(value, Tensor):
        return False
    # The second is `is_grads_batched` of torch.autograd.grad, a vmap of its own.
    return value.is_meta or functorch.is_legacy_batchedtensor(value) or hides_values(value)
