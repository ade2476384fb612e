"""Quantiles of softly sorted items: any, median, minimum, maximum."""

import math

import torch
from torch import Tensor

from algonets._core.checks import values_visible
from algonets._core.errors import reject, reject_type, require
from algonets.sort.catalogue import check_method
from algonets.sort.layout import Items, Rows
from algonets.sort.method import SortMethod
from algonets.sort.straight_through import sorted_values, straight_through

__all__ = ["soft_max", "soft_median", "soft_min", "soft_quantile"]


def soft_quantile(
    x: Tensor,
    q: float | Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    weights: Tensor | None = None,
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Quantiles of softly sorted items.

    Between the sorted values at positions ``q (n - 1)`` it interpolates linearly, as ``torch.quantile`` does, which it
    becomes as the scale goes to 0. For weights see :func:`soft_sort`.

    Args:
        x: as in :func:`soft_sort`.
        q: probability in [0, 1], or a tensor ``(Q,)`` of them, which may need a gradient.
        method: as in :func:`soft_sort`.
        dim: the dimension to reduce.
        weights: as in :func:`soft_sort`.
        mask: as in :func:`soft_sort`.
        hard: the exact quantiles, with the gradient of the soft ones.

    Returns:
        The shape of ``x`` without ``dim``, with ``Q`` in front if ``q`` is a tensor of one dimension.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`, and if ``q`` is outside [0, 1] or has more than one dimension.

    Differentiability: that of the method in ``x``; piecewise linear in ``q``.
    Cost: that of :func:`soft_sort`.

    Example:
        >>> from algonets.sort import Hard
        >>> soft_quantile(torch.tensor([3.0, 1.0, 2.0, 9.0]), 0.25, Hard())
        tensor(1.7500)
    """
    return _quantile("soft_quantile", x, q, method, dim, weights, mask, hard)


def soft_median(
    x: Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    weights: Tensor | None = None,
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Soft median: :func:`soft_quantile` at 1/2.

    Of an even number of items it is the mean of the two in the middle (``torch.median`` takes the lower one).

    Args:
        x: as in :func:`soft_sort`.
        method: as in :func:`soft_sort`.
        dim: the dimension to reduce.
        weights: as in :func:`soft_sort`.
        mask: as in :func:`soft_sort`.
        hard: the exact median, with the gradient of the soft one.

    Returns:
        The shape of ``x`` without ``dim``.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`.

    Differentiability: that of the method.
    Cost: that of :func:`soft_sort`.

    Example:
        >>> from algonets.sort import Hard
        >>> soft_median(torch.tensor([3.0, 1.0, 2.0, 9.0]), Hard())
        tensor(2.5000)
    """
    return _quantile("soft_median", x, 0.5, method, dim, weights, mask, hard)


def soft_min(x: Tensor, method: SortMethod, *, dim: int = -1, mask: Tensor | None = None, hard: bool = False) -> Tensor:
    """Soft minimum: the first of the softly sorted values.

    Args:
        x: as in :func:`soft_sort`.
        method: as in :func:`soft_sort`.
        dim: the dimension to reduce.
        mask: as in :func:`soft_sort`.
        hard: the exact minimum, with the gradient of the soft one.

    Returns:
        The shape of ``x`` without ``dim``.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`.

    Differentiability: that of the method.
    Cost: that of :func:`soft_sort`.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_min(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.01))
        tensor(1.)
    """
    return _quantile("soft_min", x, 0.0, method, dim, None, mask, hard)


def soft_max(x: Tensor, method: SortMethod, *, dim: int = -1, mask: Tensor | None = None, hard: bool = False) -> Tensor:
    """Soft maximum: the last of the softly sorted values.

    Args:
        x: as in :func:`soft_sort`.
        method: as in :func:`soft_sort`.
        dim: the dimension to reduce.
        mask: as in :func:`soft_sort`.
        hard: the exact maximum, with the gradient of the soft one.

    Returns:
        The shape of ``x`` without ``dim``.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`.

    Differentiability: that of the method.
    Cost: that of :func:`soft_sort`.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_max(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.01))
        tensor(3.)
    """
    return _quantile("soft_max", x, 1.0, method, dim, None, mask, hard)


def _quantile(
    call: str,
    x: Tensor,
    q: float | Tensor,
    method: SortMethod,
    dim: int,
    weights: Tensor | None,
    mask: Tensor | None,
    hard: bool,
) -> Tensor:
    check_method(call, method)
    if not isinstance(q, Tensor) and (isinstance(q, bool) or not isinstance(q, int | float)):
        reject_type(f"{call}(q)", "must be a number or a tensor", q)
    items = Items(call, x, dim, mask, weights)
    levels = torch.as_tensor(q, dtype=items.rows.x.dtype, device=x.device)
    require(levels.ndim <= 1, f"{call}(q)", "must be a number or have one dimension", q)
    if values_visible(levels) and not bool(((levels >= 0) & (levels <= 1)).all()):
        reject(f"{call}(q)", "must be in [0, 1]", q)

    def compute(rows: Rows) -> Tensor:
        return straight_through(hard, method, lambda m: _interpolate(sorted_values(m, rows, False), levels.reshape(-1)))

    result = items.run(compute, "row").reshape(*items.batch, levels.numel())
    return result.squeeze(-1) if levels.ndim == 0 else result.movedim(-1, 0)


def _interpolate(ordered: Tensor, levels: Tensor) -> Tensor:
    last = ordered.shape[-1] - 1
    position = levels * last
    below = position.detach().floor().clamp(0, max(last - 1, 0)).to(torch.int64)
    above = (below + 1).clamp_max(last)
    low = ordered[:, below]
    return low + (position - below) * (ordered[:, above] - low) if last else low.expand(-1, math.prod(levels.shape))
