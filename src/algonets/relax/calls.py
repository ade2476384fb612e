"""Calls of a running program: builtins, relaxed functions, inlined helpers, and torch on values."""

import builtins
import math
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from algonets.relax.arrays import Array
from algonets.relax.builtin_calls import BUILTINS, METHODS
from algonets.relax.mass import Path
from algonets.relax.values import UNREACHED, Bool, Integer, Unreached, number

__all__ = ["CallMixin"]

_VALUES = (Tensor, Bool, Integer, Array, Unreached)
_ELEMENTWISE = (
    "exp log sqrt sin cos tan tanh sigmoid relu expm1 log1p square rsqrt reciprocal erf atan sinh cosh neg asin acos"
)
_POINTWISE = {getattr(torch, name): getattr(torch, name) for name in _ELEMENTWISE.split()}
_POINTWISE |= {getattr(math, name): getattr(torch, name) for name in _ELEMENTWISE.split() if hasattr(math, name)}
_POINTWISE[torch.nn.functional.relu] = torch.relu
_POINTWISE[torch.nn.functional.softplus] = torch.nn.functional.softplus
_POINTWISE_METHODS = {name: getattr(torch, name) for name in _ELEMENTWISE.split()}
_LARGE = 4096


class CallMixin:
    """What a call in a program does."""

    dtype: torch.dtype
    device: torch.device
    batch: int
    options: Any
    path: Any
    base: Any
    alive: Any
    depth: int
    guarded: bool

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """``function(*args, **kwargs)``."""
        return self._dispatch(function, args, kwargs, False)

    def call_index(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The same where the result serves as an index."""
        return self._dispatch(function, args, kwargs, True)

    def _dispatch(self, function: Any, args: tuple, kwargs: dict, index: bool) -> Any:
        known = BUILTINS.get(function) if _hashable(function) else None
        if known is not None:
            return known(self, args, kwargs)
        program = getattr(function, "__relaxed_program__", None)
        if program is not None:
            return self.run(program.variant(index), args, kwargs)
        if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
            if not _from_library(function.__func__):
                return self._inline(function.__func__, (function.__self__, *args), kwargs, index)
        elif isinstance(function, types.FunctionType) and not _from_library(function):
            return self._inline(function, args, kwargs, index)
        if not any(isinstance(leaf, _VALUES) for leaf in pytree.tree_leaves((args, kwargs))):
            return self.made(function(*args, **kwargs))
        pointwise = _POINTWISE.get(function) if _hashable(function) else None
        if pointwise is not None and len(args) == 1 and not kwargs:
            return self.pointwise(pointwise, args[0])
        if function is builtins.print:
            return print(*args, **kwargs)  # noqa: T201 - the program prints
        return self.lifted(function, args, kwargs)

    def _inline(self, function: types.FunctionType, args: tuple, kwargs: dict, index: bool) -> Any:
        if not any(isinstance(leaf, _VALUES) for leaf in pytree.tree_leaves((args, kwargs))):
            return self.made(function(*args, **kwargs))
        from algonets.relax.program import program_of  # it needs this module's runtime

        return self.run(program_of(function).variant(index), args, kwargs)

    def run(self, program: Any, args: tuple, kwargs: dict) -> Any:
        """Run a program inside this one."""
        if self.depth >= self.options.max_depth:
            self.warn_residual(program.line, f"recursion has reached max_depth={self.options.max_depth}")  # pyright: ignore
            return UNREACHED
        values = [a for a in (*args, *kwargs.values()) if isinstance(a, Unreached)]
        if values:
            return UNREACHED
        before = (self.path, self.base, self.alive, self.returns)
        self.path = self.path if self.alive is None else Path(self.path, self.alive)
        self.base, self.alive = self.path, None
        self.depth += 1
        try:
            return program.function(self, *program.bind(args, kwargs, self))
        finally:
            self.depth -= 1
            self.path, self.base, self.alive, self.returns = before

    # ---- torch on values

    def pointwise(self, function: Callable[[Tensor], Tensor], value: Any) -> Any:
        """Apply an element-wise function of torch."""
        if isinstance(value, Unreached):
            return value
        dead = self.dead_examples() if self.path is not None or self.alive is not None else None  # pyright: ignore
        if dead is not None:
            self.guarded = True
            value = self.cut(value, dead)  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(value, Array):
            return Array.of(self, function(value.floats()))  # pyright: ignore[reportArgumentType]
        return function(number(self, value))  # pyright: ignore[reportArgumentType]

    def lifted(self, function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        """Run a function of torch on every example, as ``vmap`` does."""
        leaves, spec = pytree.tree_flatten(pytree.tree_map(_opened, (args, kwargs)))
        if any(isinstance(leaf, Unreached) for leaf in leaves):
            return UNREACHED
        dead = self.dead_examples() if self.path is not None or self.alive is not None else None  # pyright: ignore
        if dead is not None:
            self.guarded = True
            leaves = [self.cut(leaf, dead) for leaf in leaves]  # pyright: ignore[reportAttributeAccessIssue]
        places, tensors, dims = [], [], []
        for place, leaf in enumerate(leaves):
            if isinstance(leaf, _VALUES):
                tensor = leaf.tensor_form() if isinstance(leaf, Array) else number(self, leaf)  # pyright: ignore
                shared = tensor.shape[-1] == 1 and self.batch != 1
                places.append(place)
                tensors.append(tensor.squeeze(-1) if shared else tensor)
                dims.append(None if shared else tensor.ndim - 1)

        def on_example(*values: Tensor) -> Any:
            given = list(leaves)
            for place, value in zip(places, values):
                given[place] = value
            inner_args, inner_kwargs = pytree.tree_unflatten(given, spec)
            return function(*inner_args, **inner_kwargs)

        if all(dim is None for dim in dims):
            return pytree.tree_map(self.outer, on_example(*tensors))
        result = torch.vmap(on_example, in_dims=tuple(dims), randomness="different")(*tensors)
        return pytree.tree_map(self._inside, result)

    def _inside(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        leaf = leaf.to(self.dtype) if leaf.is_floating_point() else leaf
        return Array.of(self, leaf.movedim(0, -1))  # pyright: ignore[reportArgumentType]

    def method(self, value: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """``value.name(*args, **kwargs)``."""
        if not isinstance(value, _VALUES):
            return self._dispatch(getattr(value, name), args, kwargs, False)
        if isinstance(value, Unreached):
            return value
        if isinstance(value, Array) and value.is_list:
            return self._list_method(value, name, args)
        if name in METHODS and not args and not kwargs:
            return METHODS[name](self, (value,), {})
        if name in _POINTWISE_METHODS and not args and not kwargs:
            return self.pointwise(_POINTWISE_METHODS[name], value)
        if name in ("size", "dim", "numel") and isinstance(value, Array):
            return getattr(torch.empty(value.shape, device="meta"), name)(*args)
        if name == "item" and not isinstance(value, Array):
            return value
        if name in ("float", "double", "half", "to"):
            return self.pointwise(lambda x: x, value)
        if name.endswith("_") or not hasattr(Tensor, name):
            raise TypeError(
                f"the method {name}(...) of a value has no relaxation. Write it without the change in place."
            )
        return self.lifted(getattr(Tensor, name), (value, *args), kwargs)

    def _list_method(self, value: Array, name: str, args: tuple) -> Any:
        if name == "copy":
            return value.copy()
        if name in ("append", "extend", "pop") and self.journal is None:  # pyright: ignore[reportAttributeAccessIssue]
            cells = value.cell_list()
            result = getattr(cells, name)(*(list(self.each(a)) if name == "extend" else a for a in args))  # pyright: ignore
            value.shape, value.tensor = (len(cells),), None
            return result
        raise TypeError(
            f"list.{name}(...) has no relaxation here: lists keep their length in branches and loops that may stop. "
            "Make a list of the final length and write to it."
        )

    def attribute(self, value: Any, name: str) -> Any:
        """``value.name``."""
        if isinstance(value, Array) and not value.is_list:
            if name == "shape":
                return torch.Size(value.shape)
            if name == "ndim":
                return len(value.shape)
            if name in ("T", "mT"):
                tensor = value.tensor_form()
                return Array(self, value.shape[::-1], None, tensor.transpose(0, 1)) if tensor.ndim == 3 else value  # pyright: ignore
        if isinstance(value, _VALUES):
            if name in ("dtype", "device"):
                return getattr(self, name)
            if name == "shape":
                return torch.Size(())
            raise AttributeError(f"the attribute {name!r} of a value has no relaxation")
        if isinstance(value, tuple):  # its entries are values of the program already
            return getattr(value, name)
        return self.outer(getattr(value, name))

    # ---- values from outside

    def outer(self, value: Any) -> Any:
        """Bring what the function closes over into the program: tensors are shared by all examples."""
        if isinstance(value, Tensor):
            tensor = value.to(self.device, self.dtype) if value.is_floating_point() else value.to(self.device)
            return Array.of(self, tensor.unsqueeze(-1))  # pyright: ignore[reportArgumentType]
        if isinstance(value, list | tuple | dict) and any(isinstance(x, Tensor) for x in pytree.tree_leaves(value)):
            return pytree.tree_map(self.outer, value)
        return value

    def made(self, value: Any) -> Any:
        """Bring a result that no example had a part in into the program; small tensors become plain numbers."""
        if (
            isinstance(value, Tensor)
            and not value.requires_grad
            and value.numel() <= _LARGE
            and value.device.type == "cpu"
        ):
            if torch.compiler.is_compiling():
                return self.outer(value)
            if value.ndim == 0:
                return value.item()
            return Array(self, value.shape, value.flatten().tolist())  # pyright: ignore[reportArgumentType]
        return self.outer(value)

    def unpack(self, value: Any, count: int) -> tuple:
        """``a, b, ... = value``."""
        items = tuple(value.rows()) if isinstance(value, Array) else tuple(value)
        if len(items) != count:
            raise ValueError(f"expected {count} values to unpack, got {len(items)}")
        return items


def _opened(leaf: Any) -> Any:
    """A Python list of the program as the list that torch.stack takes."""
    return [_opened(cell) for cell in leaf.cell_list()] if isinstance(leaf, Array) and leaf.is_list else leaf


def _hashable(function: Any) -> bool:
    return getattr(type(function), "__hash__", None) is not None


def _from_library(function: types.FunctionType) -> bool:
    return (function.__module__ or "").split(".")[0] in ("torch", "numpy", "math", "operator", "functools")
