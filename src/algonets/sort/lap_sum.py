"""LapSum: soft sorting, ranking and top-k by level sets of a sum of Laplace distributions."""

from typing import final

import torch
from torch import Tensor

from algonets.sort._laplace import asinh_exp, kernel_sums, one_sided
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["LapSum"]

_FAR = 800.0  # exp(-800) is 0 in float64


@final
class LapSum(SortMethod):
    r"""LapSum: thresholds at which a sum of Laplace distributions reaches a level, in closed form.

    ``S(t) = sum_j F((t - x_j) / alpha)`` with the Laplace CDF ``F`` grows from 0 to ``n``. With ``S(b_i) = i``,
    ``b_0 = -inf`` and ``b_n = inf``,

    ``P[i, j] = F((b_i - x_j) / alpha) - F((b_{i-1} - x_j) / alpha)``

    is doubly stochastic. Sorted values are ``P x``, ranks ``P^T (1..n)`` and the mask of the ``k`` largest is
    ``F((x_j - t) / alpha)`` with ``S(t) = n - k``, for any real ``k`` (in which it is differentiable). The values of
    the paper are quantiles of ``S`` instead; these are averages, so that all operations share one matrix.

    Args:
        alpha: positive float, or a positive tensor of one element that may need a gradient; in the units of ``x``.

    Raises:
        TypeError: if ``alpha`` is neither a number nor a floating tensor.
        ValueError: if it is not positive and finite, or not a single value.

    Differentiability: any order, but for ties and thresholds that meet an item, where second derivatives jump (the
        density of the Laplace distribution has a kink at 0). The gradient in ``k`` is lost (0) where the gap around
        the threshold exceeds 1400 ``alpha``.
    Cost: O(n log n) time, O(n) memory; O(n^2) for the matrix. Computed in float64.
    References: Struski, Bednarczyk, Podolak, Tabor 2025, LapSum: One Method to Differentiate Them All: Ranking,
        Sorting and Top-k Selection.

    Example:
        >>> from algonets.sort import soft_topk
        >>> soft_topk(torch.tensor([3.0, 1.0, 2.0]), 1.5, LapSum(0.2), output="mask")
        tensor([0.9966, 0.0034, 0.5000])
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = Properties(True, True, True, False, False, "any order, kinks at ties", "O(n log n), O(n) memory")

    def __init__(self, alpha: float | Tensor = 1.0):
        self.alpha = scalar_scale("LapSum(alpha)", alpha)

    def _matrix(self, x: Tensor) -> Tensor:
        places = self._scaled(x)
        distance = (self._bounds(x)[2].unsqueeze(-1) - places.unsqueeze(-2)).clamp(-_FAR, _FAR)
        end = torch.full_like(places.unsqueeze(-2), _FAR)
        lower, upper = torch.cat([-end, distance], -2), torch.cat([distance, end], -2)
        return _between(lower, upper).to(x.dtype)

    def _sort(self, x: Tensor) -> Tensor:
        return self._apply(x, x.new_zeros(*x.shape, 0))[0]

    def _apply(self, x: Tensor, payload: Tensor) -> tuple[Tensor, Tensor]:
        ordered, order, bounds = self._bounds(x)
        both = torch.cat([x.unsqueeze(-1), payload], -1).to(torch.float64)
        w = both.gather(1, order.unsqueeze(-1).expand_as(both))
        owner, own, widths = _cells(ordered, bounds)
        before, beyond = kernel_sums(ordered, w, bounds, equal_before=True)
        none = torch.zeros_like(w[:, :1])
        tails = 0.5 * widths.unsqueeze(-1) * (torch.cat([none, before], 1) + torch.cat([beyond, none], 1))
        moved = tails.scatter_add(1, owner.unsqueeze(-1).expand_as(w), own.unsqueeze(-1) * w).to(x.dtype)
        return moved[..., 0], moved[..., 1:]

    def _collect(self, x: Tensor, by_rank: Tensor) -> Tensor:
        ordered, order, bounds = self._bounds(x)
        v = by_rank.to(torch.float64)
        owner, own, widths = _cells(ordered, bounds)
        index = owner.unsqueeze(-1).expand(*owner.shape, v.shape[-1])
        result = own.unsqueeze(-1) * v.gather(1, index)
        if bounds.shape[1]:
            spread = 0.5 * widths.unsqueeze(-1) * v
            # A rank reaches the items above its upper bound through that bound, those below its lower through this.
            result = result + kernel_sums(bounds, spread[:, :-1], ordered, equal_before=False)[0]
            result = result + kernel_sums(bounds, spread[:, 1:], ordered, equal_before=False)[1]
        back = order.argsort(-1).unsqueeze(-1).expand(*order.shape, v.shape[-1])
        return result.gather(1, back).to(x.dtype)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        places = self._scaled(x)
        n = x.shape[1]
        level = n - k.to(torch.float64)
        inner = (level > 0) & (level < n)
        threshold = _level_sets(places.sort(-1).values, torch.where(inner, level, n / 2).unsqueeze(-1))
        members = _laplace_cdf(places - threshold)
        # k = 0 and k = n lie at infinity, where the slope in k vanishes.
        return torch.where(inner.unsqueeze(-1), members, (level <= 0).to(places.dtype).unsqueeze(-1)).to(x.dtype)

    def _scaled(self, x: Tensor) -> Tensor:
        """Items in units of alpha from the smallest one, in float64."""
        alpha = self.alpha.to(torch.float64).reshape(()) if isinstance(self.alpha, Tensor) else self.alpha
        wide = x.to(torch.float64)
        least, most = wide.detach().amin(-1, keepdim=True), wide.detach().amax(-1, keepdim=True)
        # A bound lies a few alpha from a group of equal items, which must not be lost in rounding.
        return (wide - least) / torch.clamp_min((most - least) * 1e-14, 1e-300).maximum(torch.zeros_like(least) + alpha)

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Items in order, their order and the ``n - 1`` inner bounds, in units of alpha."""
        ordered, order = self._scaled(x).sort(dim=-1, stable=True)
        n = x.shape[1]
        levels = torch.arange(1, n, dtype=ordered.dtype, device=x.device).expand(x.shape[0], n - 1)
        bounds = _level_sets(ordered, levels)
        # Rounding must not let two bounds change places: kernel_sums reads them as sorted.
        return ordered, order, bounds + (bounds.detach().cummax(-1).values - bounds.detach()) if n > 1 else bounds


def _level_sets(ordered: Tensor, levels: Tensor) -> Tensor:
    """The ``t`` with ``S(t) = level`` for sorted items ``(B, n)`` and levels ``(B, m)`` inside (0, n), closed form.

    Between two items, ``S = j - L u / 2 + R v / 2`` with ``u = exp(-(t - x_j))``, ``v = exp(-(x_{j+1} - t))`` and
    ``u v`` fixed: a quadratic equation, solved by ``asinh`` so that nothing cancels or overflows.
    """
    n = ordered.shape[1]
    left, right = (side.squeeze(-1) for side in one_sided(ordered, torch.ones_like(ordered).unsqueeze(-1)))
    at_items = torch.arange(0.5, n, dtype=ordered.dtype, device=ordered.device) + 0.5 * (right - left)
    count = torch.searchsorted(at_items.detach().contiguous(), levels.detach().contiguous(), right=True)
    below, above = (count - 1).clamp_min(0), count.clamp_max(n - 1)
    x0, x1 = ordered.gather(1, below), ordered.gather(1, above)
    log_left, log_right = left.gather(1, below).log(), right.gather(1, above).log()
    surplus = count - levels
    steep = 0.5 * (x1 - x0) - 0.5 * (log_left + log_right)
    middle = 0.5 * (x0 + x1) + 0.5 * (log_left - log_right) - asinh_exp(surplus, steep)
    first, last = count == 0, count == n
    low = x1 - log_right + torch.log(2 * torch.where(first, levels, 1.0))
    high = x0 + log_left - torch.log(2 * torch.where(last, n - levels, 1.0))
    return torch.where(first, low, torch.where(last, high, middle))


def _cells(ordered: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per sorted item the rank in whose cell it lies and its weight there; per rank ``1 - exp(-width)``."""
    owner = torch.searchsorted(bounds.detach().contiguous(), ordered.detach().contiguous())
    end = torch.ones_like(ordered[:, :1])
    if bounds.shape[1] == 0:
        return owner, 1 + 0 * ordered, end  # one item: constant, but differentiable
    widths = torch.cat([end, -torch.expm1(-bounds.diff(dim=1)), end], 1)
    has_lower, has_upper = owner > 0, owner < bounds.shape[1]
    from_lower = ordered - bounds.gather(1, (owner - 1).clamp_min(0))
    to_upper = bounds.gather(1, owner.clamp_max(bounds.shape[1] - 1)) - ordered
    inside = torch.where(has_lower, -torch.expm1(-torch.where(has_lower, from_lower, 0.0)), 1.0)
    inside = inside + torch.where(has_upper, -torch.expm1(-torch.where(has_upper, to_upper, 0.0)), 1.0)
    return owner, 0.5 * inside, widths


def _laplace_cdf(z: Tensor) -> Tensor:
    tail = 0.5 * torch.exp(-z.abs())
    return torch.where(z > 0, 1 - tail, tail)


def _between(lower: Tensor, upper: Tensor) -> Tensor:
    """``F(upper) - F(lower)`` of the Laplace CDF without cancellation."""
    outside = torch.exp(-torch.minimum(lower.abs(), upper.abs())) * -torch.expm1(lower - upper)
    across = -torch.expm1(-upper.clamp_min(0)) - torch.expm1(lower.clamp_max(0))
    return 0.5 * torch.where((lower < 0) & (upper > 0), across, outside)
