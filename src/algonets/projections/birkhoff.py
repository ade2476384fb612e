"""Projection onto the doubly stochastic matrices, by scaling."""

import math
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import (
    as_scale,
    check_at_least,
    check_finite_or_minus_inf,
    check_floating,
    check_positive,
)
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.projections._scaling import scale_matrix

__all__ = ["check_square", "sinkhorn"]


def sinkhorn(
    scores: Tensor, temperature: float | Tensor = 1.0, *, iterations: int = 200, tolerance: float = 1e-9
) -> Tensor:
    """Doubly stochastic scaling: the relaxed assignment of rows to columns, a projection onto Birkhoff's polytope.

    ``P = diag(u) exp(scores / temperature) diag(v)`` with rows and columns that sum to 1. It maximises
    ``<scores, P> - temperature sum P log P``; it is the projection of
    ``exp(scores / temperature)`` onto the doubly stochastic matrices in Kullback-Leibler divergence. As the temperature
    goes to 0 it becomes the assignment (``algonets.graph.Assignment``, ``algonets.sort.hungarian``).

    Args:
        scores: ``(*batch, n, n)``; -inf forbids a pair.
        temperature: positive float or scalar tensor, in the units of the scores.
        iterations: at most so many rounds.
        tolerance: largest error of a column sum to stop at; rows are exact.

    Returns:
        ``(*batch, n, n)`` in the dtype of ``scores``.

    Raises:
        TypeError: if ``scores`` is not a floating tensor.
        ValueError: if it is not square, holds NaN or +inf, or an option is not positive.
        RuntimeWarning: (a warning) the error that is left, if the iterations did not suffice; low temperatures and
            forbidden pairs that leave no perfect matching do that.

    Differentiability: any order, implicit (memory does not depend on the rounds); zero at forbidden pairs.
    Cost: O(n^3) a round (a Newton step on the dual), some 5 to 20 rounds; O(n^2) memory. Computed in float64.
    References: Sinkhorn 1964; Adams, Zemel 2011, Ranking via Sinkhorn Propagation; Mena et al. 2018, eq. 3.

    Example:
        >>> sinkhorn(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        tensor([[0.6225, 0.3775],
                [0.3775, 0.6225]])
    """
    temperature = as_scale("sinkhorn(temperature)", temperature)
    if isinstance(temperature, Tensor):
        require(temperature.numel() == 1, "sinkhorn(temperature)", "must have one element", temperature)
        temperature = temperature.to(device=scores.device, dtype=torch.float64).reshape(())
    check_at_least("sinkhorn(iterations)", iterations, 1)
    check_positive("sinkhorn(tolerance)", tolerance)
    check_square("sinkhorn(scores)", scores)
    check_finite_or_minus_inf("sinkhorn(scores)", scores)
    flat = flatten_batch(scores, 2).to(torch.float64)
    allowed = flat > -math.inf
    logits = torch.where(allowed, torch.where(allowed, flat, 0.0) / temperature, -math.inf)
    if flat.shape[-1] == 0:
        return scores.clone()
    return scale_matrix("sinkhorn", logits, 1.0, iterations, tolerance).reshape(scores.shape).to(scores.dtype)


def check_square(call: str, scores: Any) -> None:
    """Require a floating ``(*batch, n, n)``."""
    check_floating(call, scores)
    square = scores.ndim >= 2 and scores.shape[-1] == scores.shape[-2]
    require(square, call, "must have shape (*batch, n, n)", scores, "Pad a rectangular problem with a constant.")
