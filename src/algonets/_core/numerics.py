"""Numerics that stay right at the edges: -inf, empty reductions, dead branches."""

import math

import torch

__all__ = ["log_softmax", "logsumexp", "masked_mean", "masked_sum", "product_or_zero"]


def logsumexp(x: torch.Tensor, dim: int, keepdim: bool = False) -> torch.Tensor:
    """``log(sum(exp(x)))`` that gives -inf and a zero gradient (never NaN) where every entry is -inf.

    Twice differentiable. Args, shapes and dtypes as ``torch.logsumexp``.

    >>> x = torch.full((2,), -math.inf, requires_grad=True)
    >>> y = logsumexp(x, 0); y.backward(); y.item(), x.grad.tolist()
    (-inf, [0.0, 0.0])
    """
    dead = (x.detach() == -math.inf).all(dim, keepdim=True) if x.shape[dim] else None
    if dead is None:
        return x.new_full(x.sum(dim, keepdim=keepdim).shape, -math.inf)
    total = torch.logsumexp(torch.where(dead, torch.zeros_like(x), x), dim, keepdim=True)
    total = torch.where(dead, torch.full_like(total, -math.inf), total)
    return total if keepdim else total.squeeze(dim)


def log_softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """``x - logsumexp(x)``; rows that are -inf everywhere stay -inf with a zero gradient."""
    total = logsumexp(x, dim, keepdim=True)
    return x - torch.where(total == -math.inf, torch.zeros_like(total), total)


def product_or_zero(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """``weight * value`` with ``0 * -inf = 0``, in the value and in both gradients."""
    live = (weight != 0) & value.isfinite()
    forbidden = (weight != 0) & ~value.isfinite()
    product = torch.where(live, weight, torch.zeros_like(weight)) * torch.where(live, value, torch.zeros_like(value))
    return torch.where(forbidden, weight.sign() * value, product)


def masked_sum(x: torch.Tensor, mask: torch.Tensor, dim: int | tuple[int, ...]) -> torch.Tensor:
    """Sum of ``x`` where ``mask``; what is masked may be inf or NaN and gets a zero gradient."""
    return torch.where(mask, x, torch.zeros_like(x)).sum(dim)


def masked_mean(x: torch.Tensor, mask: torch.Tensor, dim: int | tuple[int, ...]) -> torch.Tensor:
    """Mean of ``x`` where ``mask``; zero where nothing is left."""
    count = mask.expand_as(x).sum(dim).clamp_min(1)
    return masked_sum(x, mask, dim) / count
