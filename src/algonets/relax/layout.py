"""From the caller's tensors to the layout of a program, and back."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from algonets._core.errors import reject, reject_type
from algonets.relax.arrays import Array
from algonets.relax.runtime import Runtime
from algonets.relax.values import Bool, Integer, Undefined, Unreached, alike

__all__ = ["Layout"]


class Layout:
    """Where the batch is in the arguments of one call.

    Args:
        call: how errors name the function.
        names: names of its parameters.
        values: the arguments, in the same order; they may hold tensors in tuples, lists and dictionaries.
        batch_dims: leading batch dimensions: one number for all tensors, or one for each argument.
        given: names of the arguments that are no defaults; the batch shares defaults.
    """

    def __init__(self, call: str, names: list[str], values: list[Any], batch_dims: Any, given: Any = None):
        self.names, self.values = names, values
        if isinstance(batch_dims, Mapping):
            for name in batch_dims:
                if name not in names:
                    reject(f"{call}(batch_dims=...)", f"must name arguments out of {', '.join(names)}", name)
        self.dims = [
            self._dims_of(call, name, k, values[k], batch_dims) if given is None or name in given else None
            for k, name in enumerate(names)
        ]
        self.shape: tuple[int, ...] | None = None
        first = ""
        dtypes, devices = [], []
        for name, value, dims in zip(names, values, self.dims):
            for leaf in pytree.tree_leaves(value):
                if not isinstance(leaf, Tensor):
                    if hasattr(leaf, "__array__") and getattr(leaf, "ndim", 0):
                        reject_type(
                            f"{call}({name})", "must be a tensor, where it is an array", leaf, "Use torch.as_tensor."
                        )
                    continue
                if leaf.is_complex():
                    reject_type(f"{call}({name})", "must be real", leaf)
                devices.append(leaf.device)
                if leaf.is_floating_point():
                    dtypes.append(leaf.dtype)
                if not dims:
                    continue
                if leaf.ndim < dims:
                    rule = f"must have batch_dims={dims} leading batch dimensions"
                    remedy = "Add them, or pass batch_dims=0 for a single example, or "
                    remedy += f"batch_dims={{{name!r}: None}} for an argument that the batch shares."
                    reject(f"{call}({name})", rule, leaf, remedy.replace("'", '"'))
                lead = tuple(leaf.shape[:dims])
                if self.shape is not None and lead != self.shape:
                    rule = f"must have the batch shape {self.shape} of {first}"
                    reject(
                        f"{call}({name})",
                        rule,
                        leaf,
                        f'For an argument that the batch shares pass batch_dims={{"{name}": None}}.',
                    )
                self.shape, first = lead, first or name
        if len(set(devices)) > 1:
            reject(f"{call}(...)", "must have all tensors on one device", [str(d) for d in devices])
        dtype = dtypes[0] if dtypes else torch.get_default_dtype()
        for other in dtypes[1:]:
            dtype = torch.promote_types(dtype, other)
        self.single = self.shape is None
        self.batch = math.prod(self.shape or ())
        self.like = torch.empty(0, dtype=dtype, device=devices[0] if devices else None)

    @staticmethod
    def _dims_of(call: str, name: str, position: int, value: Any, batch_dims: Any) -> int | None:
        if isinstance(batch_dims, Mapping):
            return batch_dims.get(name, 1)
        if isinstance(batch_dims, tuple | list):
            if position >= len(batch_dims):
                if not any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(value)):
                    return None
                reject(f"{call}(batch_dims=...)", "must have an entry for each argument", batch_dims)
            return batch_dims[position]
        return batch_dims

    def tensors(self) -> list[Tensor]:
        """All tensors among the arguments."""
        return [leaf for leaf in pytree.tree_leaves(self.values) if isinstance(leaf, Tensor)]

    def arguments(self, rt: Runtime, repeats: int = 1) -> list[Any]:
        """The arguments as a program sees them, every example ``repeats`` times."""
        return [self._inside(rt, value, dims, repeats) for value, dims in zip(self.values, self.dims)]

    def _inside(self, rt: Runtime, value: Any, dims: int | None, repeats: int) -> Any:
        if isinstance(value, Tensor):
            tensor = value.to(rt.dtype) if value.is_floating_point() else value
            if value.dtype not in (torch.bool, torch.int64) and not value.is_floating_point():
                tensor = value.long()
            if not dims:
                return Array.of(rt, tensor.unsqueeze(-1))
            tensor = tensor.reshape(self.batch, *tensor.shape[dims:])
            if repeats > 1:
                tensor = tensor.repeat_interleave(repeats, 0)
            return Array.of(rt, tensor.movedim(0, -1))
        if isinstance(value, list):
            return Array.listed(rt, [self._inside(rt, item, dims, repeats) for item in value])
        if isinstance(value, tuple):
            return alike(value, (self._inside(rt, item, dims, repeats) for item in value))
        if isinstance(value, dict):
            return {key: self._inside(rt, item, dims, repeats) for key, item in value.items()}
        return value

    def result(self, rt: Runtime, value: Any, exact: bool, batch: int) -> Any:
        """Bring a result to ``(batch, *event)``; integers and truth values keep their dtype where ``exact``."""
        if isinstance(value, tuple | list):
            return alike(value, (self.result(rt, item, exact, batch) for item in value))
        if isinstance(value, dict):
            return {key: self.result(rt, item, exact, batch) for key, item in value.items()}
        if isinstance(value, Undefined):
            value.complain()
        if isinstance(value, Unreached):
            return rt.full(math.nan).expand(batch)
        if isinstance(value, bool | int | float):
            dtype = {bool: torch.bool, int: torch.int64, float: rt.dtype}[type(value)] if exact else rt.dtype
            return rt.constant(value, dtype).expand(batch)
        if isinstance(value, Array):
            tensor = value.tensor_form()
        elif isinstance(value, Bool):
            tensor = value.p
        elif isinstance(value, Integer):
            certain = value.exact
            tensor = value.expectation() if certain is None else certain
        elif isinstance(value, Tensor):
            tensor = value
        else:
            return value
        tensor = tensor if exact else tensor.to(rt.dtype)
        return tensor.expand(*tensor.shape[:-1], batch).movedim(-1, 0)

    def restore(self, value: Any) -> Any:
        """Give a result the batch dimensions of the arguments."""
        if not isinstance(value, Tensor):
            return value
        if self.single:
            return value.squeeze(0)
        return value.reshape(*(self.shape or ()), *value.shape[1:])
