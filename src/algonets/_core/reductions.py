"""Reductions of losses, one for all rooms."""

import torch

from algonets._core.errors import require

__all__ = ["reduce_loss"]


def reduce_loss(call: str, loss: torch.Tensor, reduction: str, tokens: torch.Tensor | None = None) -> torch.Tensor:
    """Reduce a loss a sequence: ``none``, ``sum``, ``mean`` or, where ``tokens`` are counted, ``token_mean``.

    An empty batch gives 0, not NaN.
    """
    known = ("none", "sum", "mean") + (("token_mean",) if tokens is not None else ())
    require(reduction in known, f"{call}(reduction)", f"must be one of {', '.join(known)}", reduction)
    if reduction == "none":
        return loss
    if reduction == "token_mean" and tokens is not None:
        return loss.sum() / tokens.sum().clamp_min(1)
    return loss.sum() if reduction == "sum" else loss.sum() / max(loss.numel(), 1)
