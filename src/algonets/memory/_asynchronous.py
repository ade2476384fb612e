"""Asynchronous updates of binary units, one after the other; plain torch."""

import torch
from torch import Tensor

__all__ = ["rounding", "settle"]


def rounding(weights: Tensor, threshold: Tensor) -> Tensor:
    """How near to 0 a field counts as 0, ``(n)`` in double: a unit there keeps its state, so that no sweep circles."""
    return 1e-9 * (weights.detach().abs().sum(-1, dtype=torch.float64) + threshold.to(torch.float64).abs())


def settle(
    states: Tensor, weights: Tensor, threshold: Tensor, max_sweeps: int, generator: torch.Generator | None
) -> Tensor:
    """Sweep over the units of ``(B, n)`` states until a sweep changes nothing.

    The fields are kept up to date: a flip costs one row of the weights, and a unit that does not flip in any state of
    the batch costs nothing but a look.
    """
    n, dtype = states.shape[1], states.dtype
    zero = rounding(weights, threshold)
    states, weights, threshold = (
        states.to(torch.float64, copy=True),
        weights.to(torch.float64),
        threshold.to(torch.float64),
    )
    active = torch.arange(len(states), device=states.device)
    for _ in range(max_sweeps):
        if not len(active):
            break
        now = states[active]
        fields = now @ weights - threshold
        order = torch.randperm(n, generator=generator).tolist() if generator is not None else range(n)
        changed = torch.zeros(len(active), dtype=torch.bool, device=states.device)
        for unit in order:
            against = fields[:, unit] * now[:, unit] < -zero[unit]
            if bool(against.any()):
                which = against.nonzero().squeeze(-1)
                now[which, unit] = -now[which, unit]
                fields[which] += 2 * now[which, unit, None] * weights[unit]
                changed[which] = True
        states[active] = now
        active = active[changed]
    return states.to(dtype)
