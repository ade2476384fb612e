"""Conjugate gradients for symmetric systems, each row of a batch by itself, stopping where curvature is negative."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Solution", "conjugate_gradients"]


class Solution(NamedTuple):
    """What was found: ``x (R, m)``, the relative residual and the number of products, each ``(R,)``."""

    x: Tensor
    residual: Tensor
    iterations: Tensor


def conjugate_gradients(
    product: Callable[[Tensor], Tensor],
    b: Tensor,
    max_iterations: int,
    tolerance: float,
    start: Tensor | None = None,
) -> Solution:
    """Solve ``M x = b`` for every row of ``b (R, m)``, ``product`` being ``v -> M v`` row by row.

    A row stops at ``|b - M x| <= tolerance |b|``, or at a direction of no or negative curvature (Steihaug 1983):
    there it keeps what it has; in its first iteration, and without ``start``, it takes the step that the absolute
    curvature along ``b`` gives. So ``b^T x > 0`` always, and ``-x`` is a descent direction if ``b`` is a gradient.
    """
    tiny = torch.finfo(b.dtype).tiny
    norm = b.norm(dim=-1)
    x = torch.zeros_like(b) if start is None else start.clone()
    residual = b.clone() if start is None else b - product(x)
    direction = residual
    energy = residual.square().sum(-1)
    active = (residual.norm(dim=-1) > tolerance * norm) & (energy > 0)
    iterations = torch.zeros_like(norm, dtype=torch.int64)
    for k in range(max_iterations):
        if not bool(active.any()):
            break
        image = product(direction)
        curvature = (direction * image).sum(-1)
        curved = curvature > torch.finfo(b.dtype).eps * direction.square().sum(-1) * tiny**0.5
        size = energy / curvature.abs().clamp_min(tiny)
        if k == 0 and start is None:  # nothing yet: the absolute curvature along b, or b itself where there is none
            size = torch.where(curved | (curvature < 0), size, torch.ones_like(size))
            size = torch.where(active, size, torch.zeros_like(size))
        else:
            size = torch.where(active & curved, size, torch.zeros_like(size))
        x = x + size.unsqueeze(-1) * direction
        iterations = iterations + active
        active = active & curved
        residual = torch.where(active.unsqueeze(-1), residual - size.unsqueeze(-1) * image, residual)
        new = residual.square().sum(-1)
        beta = new / energy.clamp_min(tiny)
        direction = torch.where(active.unsqueeze(-1), residual + beta.unsqueeze(-1) * direction, direction)
        energy = torch.where(active, new, energy)
        active = active & (residual.norm(dim=-1) > tolerance * norm)
    return Solution(x, residual.norm(dim=-1) / norm.clamp_min(tiny), iterations)
