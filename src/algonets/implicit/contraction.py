"""How fast a step contracts at its fixed point."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets.implicit.linearise import Problem, linearise
from algonets.implicit.packing import Packing

__all__ = ["contraction_rate", "rate_of"]


def contraction_rate(step: Callable[..., Any], z: Any, *args: Any, iterations: int = 50, event_dims: Any = 1) -> Tensor:
    r"""Estimate the spectral radius of the step's Jacobian at z, for each example: by power iteration.

    .. math:: \rho \approx \Big(\frac{\|J^n v\|}{\|J^{n/2} v\|}\Big)^{2 / n}

    The error of Picard's iteration shrinks by that factor a step, and ``OneStep`` misses about that part of the
    gradient. Above 1 the fixed point repels.

    Args:
        step: ``step(z, *args)``, a pytree like z.
        z: Point, a pytree of tensors ``(*batch, *event)``; usually a fixed point.
        args: Passed on to the step.
        iterations: ``n >= 2`` products with the Jacobian; more are more accurate.
        event_dims: Trailing dimensions that make one example.

    Returns:
        ``(*batch,)`` estimates, at least 0.

    Raises:
        TypeError, ValueError: as :func:`fixed_point`.

    Differentiability: none; it is a diagnostic.
    Cost: ``n`` backward passes of the step.
    References: G. Golub, C. Van Loan, Matrix Computations, 2013, section 7.3.

    Example:
        >>> contraction_rate(lambda z: torch.tensor([0.5, -0.2]) * z, torch.zeros(3, 2))
        tensor([0.5000, 0.5000, 0.5000])
    """
    iterations = check_at_least("contraction_rate(iterations)", iterations, 2)
    packing = Packing("contraction_rate(z)", z, event_dims)
    rows = packing.pack(z).detach()
    with torch.no_grad():
        rate = rate_of(packing.function("contraction_rate(step)", step, args), rows, iterations)
    return packing.per_example(rate)


def rate_of(step: Callable[[Tensor], Tensor], z: Tensor, iterations: int) -> Tensor:
    """Estimate on rows; the same start vector for every row, so that no row depends on the batch."""
    with torch.no_grad():
        pull = linearise(Problem(step), z.detach()).transpose
        # A fixed direction without a random state: irregular signs and sizes of the golden-ratio sequence.
        ramp = torch.arange(1, z.shape[1] + 1, dtype=torch.float64, device="cpu") * 0.6180339887498949
        v = (ramp.frac() - 0.5).to(z).expand_as(z)
        v = v / v.norm(dim=1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
        growth = torch.zeros_like(z[:, 0]) if z.shape[1] else z.new_zeros(z.shape[0])
        half = iterations // 2
        for k in range(iterations):
            v = pull(v)
            size = v.norm(dim=1)
            v = v / size.clamp_min(torch.finfo(z.dtype).tiny).unsqueeze(1)
            if k >= half:
                growth = growth + size.log()
        return (growth / (iterations - half)).exp()
