"""Losses between a structured model and the right answer: one for each way to learn it."""

import math
from typing import Any, Literal, TypeAlias

import torch

from algonets._core.checks import check_positive
from algonets._core.reductions import reduce_loss
from algonets.dp import DynamicProgram, LinearChain

__all__ = ["nll", "perceptron", "structured_hinge"]

Reduction = Literal["none", "sum", "mean"]
Parts: TypeAlias = Any  # labels of a chain; the parts of any other program


def nll(chain: LinearChain | DynamicProgram, labels: Parts, reduction: Reduction = "mean") -> torch.Tensor:
    r"""Negative log-likelihood of the right labels: the *analytic* way.

    .. math:: \ell = \log Z - s(y)

    Args:
        chain: The model's scores: a :class:`~algonets.dp.LinearChain` or any other dynamic program.
        labels: Of a chain integers ``(*batch, T)`` in ``0 .. S - 1``, anything beyond the length; of any other
            :class:`~algonets.dp.DynamicProgram` the parts of the right structure.
        reduction: ``"none"`` a value a sequence, ``"sum"`` or ``"mean"``.

    Returns:
        ``(*batch,)`` or a scalar; non-negative up to the rounding of log Z in the dtype of the scores.

    Raises:
        ValueError: labels out of range or of the wrong shape; an unknown reduction.

    Differentiability: any order; the gradient is marginals minus indicators.

    Cost: a forward and a backward recursion, ``O(batch T S^2)``.

    References:
        J. Lafferty, A. McCallum, F. Pereira, *Conditional Random Fields*, ICML 2001.

    Example:
        >>> nll(LinearChain(torch.zeros(3, 2), torch.zeros(2, 2)), torch.tensor([0, 1, 0]))
        tensor(2.0794)
    """
    return reduce_loss("nll", -chain.log_prob(labels), reduction)


def perceptron(chain: LinearChain | DynamicProgram, labels: Parts, reduction: Reduction = "mean") -> torch.Tensor:
    r"""Structured perceptron loss: the *pool* way.

    .. math:: \ell = \max_{y'} s(y') - s(y)

    Args, Returns, Raises: as :func:`nll`. Zero where the best sequence is the right one, +inf where the right one is
    forbidden.

    Differentiability: piecewise linear; the gradient is the indicator of the best minus that of the right labels.

    Cost: one Viterbi search, ``O(batch T S^2)``.

    References:
        M. Collins, *Discriminative Training Methods for Hidden Markov Models*, EMNLP 2002.

    Example:
        >>> perceptron(LinearChain(torch.tensor([[0.0, 1.0]]), torch.zeros(2, 2)), torch.tensor([0]))
        tensor(1.)
    """
    return reduce_loss("perceptron", _regret(chain.max(), chain.score(labels)), reduction)


def structured_hinge(
    chain: LinearChain | DynamicProgram, labels: Parts, margin: float = 1.0, reduction: Reduction = "mean"
) -> torch.Tensor:
    r"""Structured hinge loss (maximum margin) with Hamming costs: the *pool* way with a margin.

    .. math:: \ell = \max_{y'} \big[s(y') + m \cdot \#\{t : y'_t \ne y_t\}\big] - s(y)

    Of other programs than chains the cost of a structure is the number of its parts (of the first factor) that the
    right one has not.

    Args:
        chain, labels, reduction: As :func:`nll`.
        margin: Cost m > 0 of each wrong label, in the unit of the scores.

    Returns:
        ``(*batch,)`` or a scalar, non-negative; zero where the right labels win by their Hamming distance.

    Raises:
        ValueError: as :func:`nll`; a margin that is not positive.

    Differentiability: piecewise linear, as :func:`perceptron`.

    Cost: one Viterbi search, ``O(batch T S^2)``.

    References:
        B. Taskar, C. Guestrin, D. Koller, *Max-Margin Markov Networks*, NeurIPS 2003.
        I. Tsochantaridis et al., *Large Margin Methods for Structured and Interdependent Output Variables*, JMLR 2005.

    Example:
        >>> structured_hinge(LinearChain(torch.tensor([[0.0, 1.0]]), torch.zeros(2, 2)), torch.tensor([0]))
        tensor(2.)
    """
    check_positive("structured_hinge(margin)", margin, "Without a margin use perceptron().")
    right = chain.score(labels)
    return reduce_loss("structured_hinge", _regret(chain.hamming(labels, margin).max(), right), reduction)


def _regret(best: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``best - right``; +inf, with no gradient, where the right answer is forbidden."""
    allowed = right > -math.inf
    zero = torch.zeros_like(right)
    difference = torch.where(allowed, best, zero) - torch.where(allowed, right, zero)
    return torch.where(allowed, difference, torch.full_like(difference, math.inf))
