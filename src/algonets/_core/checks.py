"""Checks of arguments that every room shares."""

import math
import numbers
from typing import Any

import torch
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch._C import _to_dlpack as to_dlpack  # pyright: ignore[reportAttributeAccessIssue]
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd import forward_ad

from algonets._core import extension
from algonets._core.errors import reject, reject_type, require

__all__ = [
    "all_finite",
    "as_scale",
    "carries_tangent",
    "check_at_least",
    "check_finite",
    "check_finite_or_minus_inf",
    "check_floating",
    "check_positive",
    "check_same_kind",
    "hides_values",
    "values_visible",
]


_scan: Any = getattr(extension.module, "all_finite", None)  # without the extension: None

_SMALL = 32768
"""Up to so many entries a scan by one thread beats the dispatcher of torch, whose reductions start threads above."""


def values_visible(*tensors: torch.Tensor | None) -> bool:
    """Tell whether checks may read the values: not under ``torch.compile``, ``vmap`` or on meta tensors."""
    if torch.compiler.is_compiling():
        return False
    for tensor in tensors:  # noqa: SIM110 - a plain loop is faster, and this runs in every call
        if tensor is not None and (tensor.is_meta or hides_values(tensor)):
            return False
    return True


def carries_tangent(tensor: torch.Tensor) -> bool:
    """Tell whether ``torch.func`` or forward-mode differentiation tracks a tensor."""
    if torch.compiler.is_compiling():  # traced as it is
        return False
    if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
        return True
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_gradtrackingtensor(tensor):
            return True
        tensor = functorch.get_unwrapped(tensor)
    return False


def hides_values(tensor: torch.Tensor) -> bool:
    """Tell whether ``vmap`` or a tracer stands between us and the values of a tensor."""
    # grad(vmap(...)) and vmap(grad(...)) nest wrappers: look through all of them.
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_batchedtensor(tensor):
            return True
        tensor = functorch.get_unwrapped(tensor)
    return isinstance(tensor, FakeTensor)


def check_floating(call: str, value: Any) -> torch.Tensor:
    """Return ``value`` if it is a real floating-point tensor, else raise a ``TypeError``."""
    if not isinstance(value, torch.Tensor):
        reject_type(call, "must be a torch.Tensor", value, "Convert it with torch.as_tensor(...).")
    if not value.dtype.is_floating_point:
        reject_type(call, "must be a floating-point tensor", value, "Convert it with .float() or .double().")
    if value.dtype.itemsize < 2 or value.layout != torch.strided:
        given = f"a {value.dtype} tensor of layout {value.layout}"
        raise TypeError(f"{call} must be a dense tensor of 16 bits or more, got {given}. Use .float() or .to_dense().")
    return value


def check_same_kind(call: str, value: torch.Tensor, like: torch.Tensor, like_name: str) -> None:
    """Require the dtype and the device of ``like``."""
    if value.dtype != like.dtype:
        reject_type(call, f"must have the dtype of {like_name} ({like.dtype})", value, f"Use .to({like.dtype}).")
    if value.device != like.device:
        reject(call, f"must be on the device of {like_name} ({like.device})", str(value.device))


def all_finite(value: torch.Tensor) -> bool:
    """Tell whether no entry is NaN or infinite; the values must be visible."""
    if _scan is not None and value.numel() <= _SMALL and _is_plain(value):
        return _scan(to_dlpack(value))
    # One reduction in the common case: a sum is finite only if all are. It may also overflow: then look closely.
    plain = value.detach()
    return math.isfinite(plain.sum().item()) or bool(plain.isfinite().all())


def _is_plain(value: torch.Tensor) -> bool:
    """Whether a kernel may read the memory of a tensor as it lies there."""
    if type(value) is not torch.Tensor or functorch.is_functorch_wrapped_tensor(value):
        return False
    known = value.dtype is torch.float32 or value.dtype is torch.float64
    return known and value.device.type == "cpu" and value.layout is torch.strided and value.is_contiguous()


def check_finite(call: str, value: torch.Tensor, remedy: str = "") -> None:
    """Reject NaN and infinities."""
    if torch.compiler.is_compiling() or value.is_meta or hides_values(value):
        return
    if not all_finite(value):
        reject(call, "must be finite", "NaN" if bool(value.detach().isnan().any()) else "inf", remedy)


def check_finite_or_minus_inf(call: str, value: torch.Tensor) -> None:
    """Reject NaN and +inf; -inf stays allowed, as the score of what is forbidden."""
    # One reduction in the common case: NaN and +inf both make `amax < inf` false.
    if value.numel() and values_visible(value) and not bool(value.detach().amax() < math.inf):
        what = "NaN" if bool(value.detach().isnan().any()) else "+inf"
        reject(
            call,
            "must hold finite scores or -inf (forbidden)",
            what,
            "Look for a diverged network or log(0).",
        )


def check_positive(call: str, value: Any, remedy: str = "") -> None:
    """Require a number or tensor that is positive and finite in every entry."""
    if isinstance(value, torch.Tensor):
        good = not values_visible(value) or bool(((value.detach() > 0) & value.detach().isfinite()).all())
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        good = 0 < float(value) < math.inf
    else:
        reject_type(call, "must be a positive number or tensor", value, remedy)
    require(good, call, "must be positive and finite", value, remedy)


def check_at_least(call: str, value: Any, least: int) -> int:
    """Require an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        reject_type(call, "must be an integer", value)
    require(int(value) >= least, call, f"must be at least {least}", value)
    return int(value)


def as_scale(call: str, value: Any) -> float | torch.Tensor:
    """Validate a scale (or temperature): a positive float, or a positive floating tensor that may need a gradient."""
    if isinstance(value, torch.Tensor):
        check_positive(call, check_floating(call, value))
        return value
    check_positive(call, value)
    return float(value)
