"""Learning rules of the classical Hopfield network: from patterns of signs to a symmetric matrix of weights."""

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import require
from algonets.memory.patterns import check_patterns

__all__ = ["hebb", "perceptron_rule", "pseudo_inverse", "storkey"]


def _check(call: str, patterns: Tensor) -> Tensor:
    check_patterns(f"{call}(patterns)", patterns)
    require(patterns.ndim == 2, f"{call}(patterns)", "must be (P, n)", patterns)
    return patterns


def _without_diagonal(weights: Tensor) -> Tensor:
    return weights - torch.diag(weights.diagonal())


def hebb(patterns: Tensor, activity: float = 0.0) -> Tensor:
    """Hebb's rule: ``W = (X - a)^T (X - a) / (n (1 - a^2))`` with a zero diagonal.

    With ``a = 0`` the classical ``X^T X / n``. Random patterns are recalled exactly up to about ``n / (2 ln n)`` of
    them, with a few errors up to 0.138 n; correlated ones (images) much earlier.

    Args:
        patterns: ``(P, n)`` of +1 and -1.
        activity: mean ``a`` of biased patterns, in (-1, 1): what all of them share is then not learnt.

    Returns:
        ``(n, n)``, symmetric.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if it holds anything but signs, or ``activity`` is out of range.

    Differentiability: none needed.
    Cost: O(P n^2) time, O(n^2) memory.
    References: Hopfield 1982, Neural networks and physical systems; Amit, Gutfreund, Sompolinsky 1987, Information
    storage in neural networks with low levels of activity.

    Example:
        >>> hebb(torch.tensor([[1.0, -1.0]]))
        tensor([[ 0.0000, -0.5000],
                [-0.5000,  0.0000]])
    """
    _check("hebb", patterns)
    require(-1 < activity < 1, "hebb(activity)", "must be in (-1, 1)", activity)
    centred = patterns - activity if activity else patterns
    return _without_diagonal(centred.mT @ centred / (patterns.shape[1] * (1 - activity**2)))


def storkey(patterns: Tensor) -> Tensor:
    """Storkey's rule: Hebb's, less what the weights know already; incremental, local, about twice the capacity.

    ``W += (x_i x_j - x_i h_ji - h_ij x_j) / n`` with ``h_ij = sum_{k not i, j} W_ik x_k``, pattern by pattern, then a
    zero diagonal.

    Args:
        patterns: ``(P, n)`` of +1 and -1; their order matters.

    Returns:
        ``(n, n)``, symmetric.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if it holds anything but signs.

    Differentiability: none needed.
    Cost: O(P n^2) time, O(n^2) memory.
    References: Storkey 1997, Increasing the capacity of a Hopfield network without sacrificing functionality.

    Example:
        >>> storkey(torch.tensor([[1.0, -1.0]]))
        tensor([[ 0.0000, -0.5000],
                [-0.5000,  0.0000]])
    """
    _check("storkey", patterns)
    n = patterns.shape[1]
    weights = patterns.new_zeros(n, n)
    for x in patterns.detach():
        # With a zero diagonal and the fields a = W x: h_ij = a_i - W_ij x_j, and x_j^2 = 1, so that
        # x_i x_j - x_i h_ji - h_ij x_j = x_i (x_j / 2 - a_j) + (x_i / 2 - a_i) x_j + 2 W_ij.
        less = (x / 2 - weights @ x) / n
        weights.mul_(1 + 2 / n).addr_(x, less).addr_(less, x).fill_diagonal_(0.0)
    return weights


def pseudo_inverse(patterns: Tensor) -> Tensor:
    """Projection rule: ``W = X^+ X``, the projector onto the span of the patterns, then a zero diagonal.

    Every pattern is a fixed point, whatever their correlation, for up to n independent ones. Kept, the diagonal would
    hold each unit to its state and ruin retrieval; without it the basins stay wide up to about n / 2 patterns.

    Args:
        patterns: ``(P, n)`` of +1 and -1.

    Returns:
        ``(n, n)``, symmetric.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if it holds anything but signs.

    Differentiability: none needed.
    Cost: O(min(P, n)^2 n) time, O(n^2) memory.
    References: Personnaz, Guyon, Dreyfus 1985, Information storage and retrieval in spin-glass like neural networks.

    Example:
        >>> pseudo_inverse(torch.tensor([[1.0, -1.0], [1.0, -1.0]]))
        tensor([[ 0.0000, -0.5000],
                [-0.5000,  0.0000]])
    """
    _check("pseudo_inverse", patterns)
    # The span by singular vectors: repeated or dependent patterns do no harm.
    wide = patterns.to(torch.float64)
    _, sizes, directions = torch.linalg.svd(wide, full_matrices=False)
    limit = sizes.amax() * max(wide.shape) * torch.finfo(wide.dtype).eps if sizes.numel() else 0.0
    basis = directions[sizes > limit]
    return _without_diagonal((basis.mT @ basis).to(patterns.dtype))


def perceptron_rule(patterns: Tensor, margin: float = 1.0, max_sweeps: int = 1000) -> Tensor:
    """Perceptron learning: correct the weights until every unit of every pattern is stable by a margin.

    While some ``x_i h_i < margin``, ``W_ij += x_i x_j / n`` for those ``i`` (all patterns at once), made symmetric,
    with a zero diagonal. Finds a solution if there is one with symmetric weights; capacity up to about n correlated or
    random patterns.

    Args:
        patterns: ``(P, n)`` of +1 and -1.
        margin: wanted stability of each unit, positive.
        max_sweeps: stop after so many passes, stable or not (see ``Hopfield.stability``).

    Returns:
        ``(n, n)``, symmetric.

    Raises:
        TypeError: if ``patterns`` is not a floating tensor.
        ValueError: if it holds anything but signs, or an option is out of range.

    Differentiability: none needed.
    Cost: O(P n^2) time a sweep, O(n^2) memory.
    References: Gardner 1988, The space of interactions in neural network models; Krauth, Mezard 1987.

    Example:
        >>> perceptron_rule(torch.tensor([[1.0, -1.0]]))
        tensor([[ 0., -1.],
                [-1.,  0.]])
    """
    _check("perceptron_rule", patterns)
    check_positive("perceptron_rule(margin)", margin)
    check_at_least("perceptron_rule(max_sweeps)", max_sweeps, 1)
    n = patterns.shape[1]
    weights = hebb(patterns)
    for _ in range(max_sweeps):
        unstable = ((patterns @ weights) * patterns < margin).to(patterns.dtype)
        if not bool(unstable.any()):
            break
        step = (unstable * patterns).mT @ patterns / n
        weights = weights + _without_diagonal(step + step.mT) / 2
    return weights
