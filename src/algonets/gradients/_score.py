"""Weights of samples whose gradients make score-function estimators, with baselines that keep them unbiased."""

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Baseline", "coefficients", "resolve_baseline"]

Baseline = Literal["auto", "leave-one-out", "solution", "none"]


def resolve_baseline(baseline: Baseline, samples: int, antithetic: bool, quasi: bool) -> Baseline:
    """Choose: the mean of the other draws needs draws that are independent, the unperturbed solution one more call."""
    if baseline != "auto":
        return baseline
    groups = samples // 2 if antithetic else samples
    if quasi or groups < 2:
        return "solution"
    return "leave-one-out"


def coefficients(weights: Tensor, good: Tensor, antithetic: bool, baseline: Baseline) -> Tensor:
    """Return ``k`` such that ``sum_s k_s f_s`` is the gradient of ``E f`` for the values ``f_s`` of the samples.

    ``(1 / n) sum_s w_s (f_s - b_s)`` is linear in ``f``, whatever the baseline: ``b_s`` is the mean over the other
    draws (over the other pairs, as the two of a pair depend on each other), and is folded into the weights.

    Args:
        weights: ``(S, N, *event)``: minus the score of the law at each draw.
        good: ``(S, N)``: which samples count.
        antithetic: The second half of the samples mirrors the first.
        baseline: Resolved; ``"solution"`` leaves the weights as they are.
    """
    if antithetic:  # a pair counts as a whole
        first, second = good.chunk(2)
        good = torch.cat([first & second, first & second])
    extra = (1,) * (weights.ndim - good.ndim)
    counts = good.reshape(*good.shape, *extra)
    w = torch.where(counts, weights, 0.0)
    n = counts.sum(0).clamp_min(1).to(w.dtype)
    if baseline != "leave-one-out":
        return w / n
    size = 2 if antithetic else 1
    own = w
    if antithetic:
        first, second = w.chunk(2)
        own = torch.cat([first + second, first + second])
    others = (w.sum(0) - own) / (n - size).clamp_min(1)
    # One group alone has no others, and no baseline.
    k = torch.where(n > size, (w - others) / n, w / n)
    return torch.where(counts, k, 0.0)
