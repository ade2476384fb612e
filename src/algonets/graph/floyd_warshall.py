"""Distances between all pairs of nodes."""

import math
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import carries_tangent, check_floating, values_visible
from algonets._core.errors import reject, require

__all__ = ["floyd_warshall"]


def floyd_warshall(costs: Tensor) -> Tensor:
    r"""Least cost of a walk from each node to each other, by the algorithm of Floyd and Warshall.

    .. math:: d_{ij} \leftarrow \min(d_{ij}, d_{ik} + d_{kj}) \quad \text{for } k = 1, \ldots, n

    Args:
        costs: ``(*batch, n, n)``, of the step from row to column, of any sign; +inf where there is none.

    Returns:
        ``(*batch, n, n)``; 0 on the diagonal, as staying is free; +inf where there is no way. An example with a cycle
        that costs less than 0 is NaN everywhere.

    Raises:
        TypeError: ``costs`` is no floating tensor.
        ValueError: it is not square, or holds NaN or -inf.

    Differentiability: piecewise linear: the gradient of a distance marks the steps of its walk (the *pool* way).
    Cost: O(n^3) time, in n vectorised steps on any device; autograd keeps O(n^2), the last node through which each
        pair was improved.
    References: Floyd 1962, Algorithm 97: Shortest Path; Warshall 1962.

    Example:
        >>> floyd_warshall(torch.tensor([[0.0, 1.0, 5.0], [5.0, 0.0, 1.0], [5.0, 5.0, 0.0]]))
        tensor([[0., 1., 2.],
                [5., 0., 1.],
                [5., 5., 0.]])
    """
    call = "floyd_warshall(costs)"
    check_floating(call, costs)
    square = costs.ndim >= 2 and costs.shape[-1] == costs.shape[-2]
    require(square, call, "must have shape (*batch, n, n)", costs)
    if costs.numel() and values_visible(costs) and not bool(costs.detach().amin() > -math.inf):
        reject(call, "must be numbers or +inf (no step)", "NaN or -inf")
    diagonal = torch.eye(costs.shape[-1], dtype=torch.bool, device=costs.device)
    start = torch.where(diagonal, costs.clamp_max(0), costs)
    if values_visible(costs) and not carries_tangent(costs):
        distance: Tensor = _Distances.apply(start)  # pyright: ignore[reportAssignmentType]
    else:
        distance = start
        for k in range(costs.shape[-1]):
            distance = torch.minimum(distance, distance[..., :, k, None] + distance[..., None, k, :])
    circles = (distance.detach().diagonal(dim1=-2, dim2=-1) < 0).any(-1)[..., None, None]
    return torch.where(circles, math.nan, distance)


class _Distances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, costs: Tensor) -> Tensor:
        distance, via = costs.clone(), torch.full(costs.shape, -1, device=costs.device)
        for k in range(costs.shape[-1]):
            through = distance[..., :, k, None] + distance[..., None, k, :]
            closer = through < distance
            distance = torch.where(closer, through, distance)
            via = torch.where(closer, k, via)
        ctx.save_for_backward(via)
        return distance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        # A way is improved last through its highest node; both its halves are settled by then.
        (via,) = ctx.saved_tensors
        for k in reversed(range(via.shape[-1])):
            moved = torch.where(via == k, gradient, 0.0)
            place = torch.tensor([k], device=via.device)
            gradient = (gradient - moved).index_add(-1, place, moved.sum(-1, keepdim=True))
            gradient = gradient.index_add(-2, place, moved.sum(-2, keepdim=True))
        return gradient
