r"""Maps that subtract a threshold: projection onto the simplex, sparsemax, entmax; their Jacobian by hand.

.. math:: y_i = [(\alpha - 1)(x_i - \tau)]_+^{1 / (\alpha - 1)}, \quad \sum_i y_i = \mathrm{total}, \qquad
          J = \mathrm{diag}(d) - \frac{d d^T}{\sum_i d_i}, \quad d_i = y_i^{2 - \alpha}

with d = 0 where y = 0; alpha = 2 is the Euclidean projection. In plain eager mode a custom function applies J from the
saved result alone; forward mode, ``torch.func`` and ``torch.compile`` differentiate the formula, given the threshold.
"""

from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import carries_tangent, values_visible

__all__ = ["thresholded"]

_BISECTIONS = 60  # halve the bracket to the last digit of float64


def thresholded(x: Tensor, total: Tensor, alpha: float) -> Tensor:
    """The map on the last dimension; ``total`` has size 1 there and is not 1 only if alpha is 2."""
    if values_visible(x, total) and not carries_tangent(x) and not carries_tangent(total):
        return _Thresholded.apply(x, total, alpha)  # pyright: ignore[reportReturnType]
    return _formula(x, total, alpha)


def _curvature(y: Tensor, alpha: float) -> Tensor:
    """d, without NaN where y = 0, for its gradient neither."""
    if alpha == 2:
        return (y != 0).to(y.dtype)
    inside = y != 0
    return torch.where(inside, torch.where(inside, y, 1.0).pow(2 - alpha), 0.0)


class _Thresholded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, total: Tensor, alpha: float) -> Tensor:
        y = _values(x, _threshold(x, total, alpha), alpha)
        ctx.save_for_backward(y)
        ctx.alpha, ctx.total = alpha, total.shape
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (y,) = ctx.saved_tensors
        d = _curvature(y, ctx.alpha)
        weighted = d * gradient
        mean = weighted.sum(-1, keepdim=True) / d.sum(-1, keepdim=True)
        by_total = mean.sum_to_size(ctx.total) if ctx.needs_input_grad[1] else None
        return weighted - d * mean, by_total, None


def _values(x: Tensor, tau: Tensor, alpha: float) -> Tensor:
    y = (x - tau).clamp_min(0)
    if alpha == 2:
        return y
    y = (alpha - 1) * y
    return y.square() if alpha == 1.5 else y.pow(1 / (alpha - 1))


def _formula(x: Tensor, total: Tensor, alpha: float) -> Tensor:
    """The same, given the detached threshold: steps that change nothing but carry the derivatives."""
    tau = _threshold(x.detach(), total.detach(), alpha)
    support = ~(x.detach() <= tau)  # a NaN reaches its whole example
    if alpha == 2:
        tau = (torch.where(support, x, 0.0).sum(-1, keepdim=True) - total) / support.sum(-1, keepdim=True)
        return torch.where(support, x - tau, 0.0)
    for _ in range(2):  # of Newton's method: enough for three derivatives
        base = torch.where(support, (alpha - 1) * (x - tau), 1.0)
        excess = torch.where(support, base.pow(1 / (alpha - 1)), 0.0).sum(-1, keepdim=True) - total
        slope = torch.where(support, base.pow((2 - alpha) / (alpha - 1)), 0.0).sum(-1, keepdim=True)
        tau = tau + excess / slope
    base = torch.where(support, (alpha - 1) * (x - tau), 1.0)
    return torch.where(support, base.pow(1 / (alpha - 1)), 0.0)


def _threshold(x: Tensor, total: Tensor, alpha: float) -> Tensor:
    """Tau, size 1 in the last dimension."""
    if alpha == 2:
        ordered = x.sort(-1, descending=True).values
        count = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
        taus = (ordered.cumsum(-1) - total) / count
        size = (ordered > taus).sum(-1, keepdim=True).clamp_min(1)
        return taus.gather(-1, size - 1)
    if alpha == 1.5:
        top = x.amax(-1, keepdim=True)
        ordered = ((x - top) / 2).sort(-1, descending=True).values
        count = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
        mean = ordered.cumsum(-1) / count
        spread = ordered.square().cumsum(-1) / count - mean.square()
        taus = mean - (1 / count - spread).clamp_min(0).sqrt()
        size = (taus <= ordered).sum(-1, keepdim=True).clamp_min(1)
        return top + 2 * taus.gather(-1, size - 1)
    top = x.amax(-1, keepdim=True)
    low = top - 1 / (alpha - 1)
    high = top - x.shape[-1] ** (1 - alpha) / (alpha - 1)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = _values(x, middle, alpha).sum(-1, keepdim=True) >= 1
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    # A NaN compares as not enough and stays in the bracket of its example.
    return (low + high) / 2
