"""Sinkhorn: sorting as optimal transport."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import (
    check_at_least,
    check_positive,
)
from algonets.projections._scaling import scale_matrix
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["Sinkhorn", "transport"]


@final
class Sinkhorn(SortMethod):
    r"""Optimal transport: ship the items to increasing targets, with an entropic penalty.

    ``P = argmin sum_ij P[j, i] (z_i - y_j)^2 + strength sum P log P`` over the doubly stochastic matrices (``n`` times
    the transport plan), with targets ``y = (0, ..., 1)`` equally spaced. With ``squash`` the items are standardised
    first: ``z = sigmoid((x - mean) / std)`` (population standard deviation), so ``strength`` is a pure number and
    affine changes of ``x`` change nothing; without, ``z = x`` and ``strength`` has the unit of ``x^2``.
    Sorted values are ``P x``, ranks ``P^T (1..n)``.

    Args:
        strength: positive float, or a positive tensor of one element that may need a gradient.
        squash: standardise and squash the items to (0, 1) before they are shipped.
        iterations: at most so many rounds; see Cost. A ``RuntimeWarning`` states the error if they do not suffice.
        tolerance: largest error of a row or column sum of ``P`` to stop at.

    Raises:
        TypeError: if ``strength`` is neither a number nor a floating tensor.
        ValueError: if it is not positive and finite, or not a single value; if ``iterations`` or ``tolerance`` are
            not positive.

    Differentiability: any order, by implicit differentiation of the converged plan: memory does not depend on the
        rounds. With ``squash``, items that are all equal have no gradient through the standard deviation.
    Cost: O(n^2) memory; some 5 to 20 rounds, each a Newton step of O(n^3) on the dual, from potentials that are
        optimal for strength 0; the backward pass solves one system, O(n^3). Computed in float64.
    References: Cuturi, Teboul, Vert 2019, Differentiable Ranks and Sorting using Optimal Transport. Newton on the
        semi-dual instead of Sinkhorn's iteration alone is ours.

    Example:
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), Sinkhorn(0.001))
        tensor([1., 2., 3.])
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = Properties(True, True, True, False, False, "any order, implicit", "O(n^3), O(n^2) memory")

    def __init__(
        self, strength: float | Tensor = 0.1, *, squash: bool = True, iterations: int = 200, tolerance: float = 1e-11
    ):
        self.strength = scalar_scale("Sinkhorn(strength)", strength)
        self.squash = bool(squash)
        self.iterations = check_at_least("Sinkhorn(iterations)", iterations, 1)
        check_positive("Sinkhorn(tolerance)", tolerance)
        self.tolerance = tolerance

    def _matrix(self, x: Tensor) -> Tensor:
        z = x.to(torch.float64)
        if self.squash:
            z = torch.sigmoid(_standardised(z))
        targets = torch.linspace(0, 1, x.shape[1], dtype=z.dtype, device=z.device)
        strength = self.strength.to(z).reshape(()) if isinstance(self.strength, Tensor) else self.strength
        return transport("Sinkhorn", z, targets, strength, self.iterations, self.tolerance).to(x.dtype)


def transport(
    call: str, z: Tensor, targets: Tensor, strength: float | Tensor, iterations: int, tolerance: float
) -> Tensor:
    """``n`` times the entropic plan, ``(B, m, n)``: items ``z`` ``(B, n)`` to ascending ``targets`` ``(m,)``.

    Rows (targets) sum to ``n / m``, columns (items) to 1. Float64.
    """
    n, m = z.shape[1], targets.shape[0]
    ordered, order = z.sort(dim=-1, stable=True)
    # Costs up to potentials: only 2 z y matters. Those of the plan without penalty, which walks up the staircase of
    # cells (item, target), leave small numbers where P is not small, and start the solver close to its goal.
    if n == m:
        steps = 0.5 * (ordered[:, 1:] + ordered[:, :-1]) * targets.diff()
        psi = torch.nn.functional.pad(steps.cumsum(-1), (1, 0))
        away = targets - targets.unsqueeze(-1)  # [item, target]
        slack = ordered.unsqueeze(-1) * away - (psi.unsqueeze(-2) - psi.unsqueeze(-1))
    else:
        slack = -0.5 * (ordered.unsqueeze(-1) - targets).square()
    plan = scale_matrix(call, 2 * slack / strength, n / m, iterations, tolerance)
    back = order.argsort(-1).unsqueeze(-1).expand_as(plan)
    return plan.gather(1, back).mT


def _standardised(z: Tensor) -> Tensor:
    centred = z - z.mean(-1, keepdim=True)
    # Divide by the size first, so that squares neither overflow nor vanish; equal items stay 0.
    size = centred.detach().abs().amax(-1, keepdim=True)
    unit = centred / torch.where(size > 0, size, 1.0)
    variance = unit.square().mean(-1, keepdim=True)
    return unit / torch.where(variance > 0, variance, 1.0).sqrt()
