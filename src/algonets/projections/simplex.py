"""Projection onto the simplex."""

from torch import Tensor

from algonets._core.checks import as_scale, check_floating
from algonets._core.errors import require
from algonets.projections._threshold import thresholded

__all__ = ["project_simplex"]


def project_simplex(x: Tensor, total: float | Tensor = 1.0) -> Tensor:
    r"""Project onto the simplex, ``y >= 0`` with ``sum y = total``: sort, and shift by a threshold.

    .. math:: y = \max(x - \tau, 0), \quad \sum_i y_i = \mathrm{total}

    Args:
        x: ``(*batch, n)`` with ``n >= 1``.
        total: Positive, a number or a tensor that broadcasts against ``(*batch,)``.

    Returns:
        ``(*batch, n)``, entries outside the support exactly 0.

    Raises:
        TypeError, ValueError: ``x`` is no floating tensor, or has no entry; ``total`` is not positive.

    Differentiability: almost everywhere, piecewise linear: on the support the gradient loses its mean; the Jacobian is
        applied from the result alone.
    Cost: a sort, O(n log n), memory O(n).
    References: J. Duchi et al. 2008, Efficient Projections onto the l1-Ball, figure 1.

    Example:
        >>> import torch
        >>> project_simplex(torch.tensor([0.5, 1.5, 0.0]))
        tensor([0., 1., 0.])
    """
    check_floating("project_simplex(x)", x)
    total = as_scale("project_simplex(total)", total)
    require(
        x.ndim > 0 and x.shape[-1] > 0, "project_simplex(x)", "must have at least one entry in its last dimension", x
    )
    total = total.unsqueeze(-1) if isinstance(total, Tensor) else x.new_full((1,), total)
    return thresholded(x, total, 2.0)
