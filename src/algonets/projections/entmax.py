"""Sparse relatives of softmax."""

import torch
from torch import Tensor

from algonets._core.checks import check_finite_or_minus_inf, check_floating
from algonets._core.errors import reject_type, require
from algonets.projections._threshold import thresholded

__all__ = ["entmax", "sparsemax"]


def sparsemax(scores: Tensor) -> Tensor:
    r"""Turn scores into probabilities many of which are exactly 0: the Euclidean projection onto the simplex.

    .. math:: y = \arg\min_{y \in \Delta} \|y - s\|^2 = \max(s - \tau, 0)

    Args:
        scores: ``(*batch, n)`` with ``n >= 1``; -inf forbids an entry, not all of an example.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError: ``scores`` is no floating tensor.
        ValueError: it has no entry, or holds NaN or +inf.

    Differentiability: almost everywhere, piecewise linear; the Jacobian ``diag(s) - s s^T / |s|``, s the indicator of
        the support, is applied from the result alone.
    Cost: a sort, O(n log n), memory O(n).
    References: A. Martins, R. Astudillo 2016, From Softmax to Sparsemax, propositions 1 and 2.

    Example:
        >>> sparsemax(torch.tensor([1.0, 0.8, -1.0]))
        tensor([0.6000, 0.4000, 0.0000])
    """
    _check("sparsemax(scores)", scores)
    return thresholded(scores, scores.new_ones(1), 2.0)


def entmax(scores: Tensor, alpha: float = 1.5) -> Tensor:
    r"""Turn scores into probabilities, sparser with alpha: softmax at 1, sparsemax at 2.

    .. math:: y = \arg\max_{y \in \Delta} \langle y, s \rangle + \frac{1}{\alpha (\alpha - 1)} \sum_i (y_i - y_i^\alpha)
              = [(\alpha - 1) s - \tau]_+^{1 / (\alpha - 1)}

    Args:
        scores: ``(*batch, n)`` with ``n >= 1``; -inf forbids an entry, not all of an example.
        alpha: At least 1; no gradient goes to it.

    Returns:
        ``(*batch, n)``.

    Raises:
        TypeError: ``scores`` is no floating tensor, or ``alpha`` no number.
        ValueError: ``scores`` has no entry, or holds NaN or +inf; ``alpha`` is below 1.

    Differentiability: almost everywhere; twice inside a support. The Jacobian ``diag(d) - d d^T / sum(d)``,
        ``d = y^(2 - alpha)`` on the support, is applied from the result alone.
    Cost: a sort for alpha 1.5 and 2; else 60 rounds of bisection, O(n) each; memory O(n).
    References: B. Peters, V. Niculae, A. Martins 2019, Sparse Sequence-to-Sequence Models, propositions 1 and 2,
        algorithms 1 and 2.

    Example:
        >>> entmax(torch.tensor([1.0, 0.8, -1.0]))
        tensor([0.5705, 0.4295, 0.0000])
    """
    _check("entmax(scores)", scores)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        reject_type("entmax(alpha)", "must be a number", alpha)
    require(1 <= alpha < float("inf"), "entmax(alpha)", "must be at least 1, and finite", alpha)
    if alpha == 1:
        return torch.softmax(scores, -1)
    return thresholded(scores, scores.new_ones(1), float(alpha))


def _check(call: str, scores: Tensor) -> None:
    check_floating(call, scores)
    require(
        scores.ndim > 0 and scores.shape[-1] > 0, call, "must have at least one entry in its last dimension", scores
    )
    check_finite_or_minus_inf(call, scores)
