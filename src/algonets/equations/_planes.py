"""What every equation here needs: checked planes, borders and differences to neighbours."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from algonets._core.checks import check_finite, check_floating, check_same_kind, values_visible
from algonets._core.errors import reject, reject_type, require

__all__ = ["Border", "central", "check_border", "check_image", "check_plane", "check_rate", "extend", "neighbours"]

Border = Literal["replicate", "zeros", "circular"]


def check_border(call: str, border: str) -> None:
    """Require one of the three borders."""
    known = ("replicate", "zeros", "circular")
    require(border in known, f"{call}(border)", f"must be one of {', '.join(known)}", border)


def check_plane(call: str, value: Any, dims: int = 2) -> Tensor:
    """Return a finite floating tensor with ``dims`` event dimensions, of which the last two are a plane."""
    tensor = check_floating(call, value)
    event = "(*batch, height, width)" if dims == 2 else "(*batch, channels, height, width)"
    if tensor.ndim < dims or 0 in tensor.shape[-2:]:
        reject(call, f"must have shape {event} with at least one pixel", tensor)
    check_finite(call, tensor)
    return tensor


def check_image(call: str, value: Any, like: Tensor, like_name: str, dims: int) -> Tensor:
    """As :func:`check_plane`, of the kind and the height and width of ``like``."""
    tensor = check_plane(call, value, dims)
    check_same_kind(call, tensor, like, like_name)
    size = tuple(like.shape[-2:])
    require(tuple(tensor.shape[-2:]) == size, call, f"must have the height and width of {like_name}, {size}", tensor)
    return tensor


def check_rate(call: str, rate: Any, bound: float, reason: str) -> float | Tensor:
    """Require ``0 < rate <= bound``: beyond, the explicit scheme is not stable."""
    if isinstance(rate, Tensor):
        check_floating(call, rate)
        if not values_visible(rate):
            return rate
        good = bool(((rate.detach() > 0) & (rate.detach() <= bound)).all())
    elif isinstance(rate, int | float) and not isinstance(rate, bool):
        good = 0 < rate <= bound
    else:
        reject_type(call, "must be a number or a tensor", rate)
    remedy = f"{reason} Take more iterations of a smaller rate."
    require(good, call, f"must be positive and at most the stability bound {bound:g}", rate, remedy)
    return rate if isinstance(rate, Tensor) else float(rate)


def extend(u: Tensor, pad: int, border: Border) -> Tensor:
    """Extend ``(*batch, H, W)`` by ``pad`` pixels on every side.

    >>> extend(torch.tensor([[1.0, 2.0]]), 1, "replicate")[1]
    tensor([1., 1., 2., 2.])
    """
    if pad == 0:
        return u
    if border == "zeros":
        return functional.pad(u, (pad,) * 4)
    for dim in (-2, -1):
        n = u.shape[dim]
        if border == "replicate":
            shape = list(u.shape)
            shape[dim] = pad
            u = torch.cat([u.narrow(dim, 0, 1).expand(shape), u, u.narrow(dim, n - 1, 1).expand(shape)], dim)
        else:  # images smaller than the stencil wrap around several times
            u = u.index_select(dim, torch.arange(-pad, n + pad, device=u.device) % n)
    return u


def neighbours(u: Tensor, border: Border) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differences to the pixels above, below, left and right: ``neighbour - u``, each of the shape of ``u``."""
    p = extend(u, 1, border)
    above, below = p[..., :-2, 1:-1], p[..., 2:, 1:-1]
    left, right = p[..., 1:-1, :-2], p[..., 1:-1, 2:]
    return above - u, below - u, left - u, right - u


def central(u: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Central differences along the width and along the height."""
    above, below, left, right = neighbours(u, border)
    return (right - left) / 2, (below - above) / 2
