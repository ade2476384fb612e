"""Losses between a structured model and the right answer: one for each way to learn it."""

import math
from typing import Any, Literal, TypeAlias

import torch

from algonets._core.checks import check_positive
from algonets._core.reductions import reduce_loss
from algonets.dp import DynamicProgram, Lattice, LinearChain

__all__ = ["direct_loss", "nll", "perceptron", "risk", "structured_hinge"]

Reduction = Literal["none", "sum", "mean"]
Program: TypeAlias = LinearChain | DynamicProgram | Lattice
Parts: TypeAlias = Any  # labels of a chain; the parts of any other program


def nll(chain: Program, labels: Parts, reduction: Reduction = "mean") -> torch.Tensor:
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


def perceptron(chain: Program, labels: Parts, reduction: Reduction = "mean") -> torch.Tensor:
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


def structured_hinge(chain: Program, labels: Parts, margin: float = 1.0, reduction: Reduction = "mean") -> torch.Tensor:
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


def risk(chain: Program, labels: Parts, reduction: Reduction = "mean") -> torch.Tensor:
    r"""Expected Hamming cost of a random structure (minimum Bayes risk): the *analytic* way to a task's own cost.

    .. math:: \ell = \mathbb{E}_{y' \sim p}\, \#\{t : y'_t \ne y_t\}

    Of other programs than chains the cost of a structure is the number of its parts (of the first factor) that the
    right one has not, as in :func:`structured_hinge`.

    Args, Raises: as :func:`nll`.

    Returns:
        ``(*batch,)`` or a scalar, from 0 to the number of parts; 0 where no structure is allowed.

    Differentiability: any order.

    Cost: a forward and a backward recursion, as the marginals; twice that with its gradient.

    References:
        D. Smith, J. Eisner, *Minimum Risk Annealing for Training Log-Linear Models*, ACL 2006.

    Example:
        >>> risk(LinearChain(torch.zeros(3, 2), torch.zeros(2, 2)), torch.tensor([0, 1, 0]))
        tensor(1.5000)
    """
    chain.score(labels)  # checks the labels
    if isinstance(chain, LinearChain):
        states = torch.arange(chain.num_states, device=labels.device)
        expected = (chain.marginals()[0] * (labels.unsqueeze(-1) != states)).sum((-2, -1))
        return reduce_loss("risk", expected, reduction)
    means, right = (parts[0] if isinstance(parts, tuple) else parts for parts in (chain.marginals(), labels))
    wrong = 1 - right.to(means.dtype)
    if isinstance(chain, Lattice):
        return reduce_loss("risk", chain.with_weight(wrong).score(means), reduction)
    events = tuple(range(len(chain.batch_shape), means.ndim))
    return reduce_loss("risk", (means * wrong).sum(events) if events else means * wrong, reduction)


def direct_loss(chain: Program, labels: Parts, step: float = 1.0, reduction: Reduction = "mean") -> torch.Tensor:
    r"""Direct loss, towards the worse: a finite difference that tends to the Hamming cost of the best structure.

    .. math:: \ell_\epsilon = \frac1\epsilon \Bigl(\max_{y'} \big[s(y') + \epsilon\, \#\{t : y'_t \ne y_t\}\big]
              - \max_{y'} s(y')\Bigr) \xrightarrow{\epsilon \to 0} \#\{t : \hat y_t \ne y_t\}

    Its gradient, parts of the best structure under the costs minus parts of the best one, over :math:`\epsilon`, is
    McAllester's: on average over the data it is that of the expected cost of the best structure.

    Args:
        chain, labels, reduction: As :func:`nll`.
        step: :math:`\epsilon > 0`, in the unit of the scores; the larger, the more examples have a gradient.

    Returns:
        ``(*batch,)`` or a scalar, from the cost of the best structure to the largest cost.

    Raises:
        ValueError: as :func:`nll`; a step that is not positive.

    Differentiability: piecewise linear.

    Cost: two Viterbi searches.

    References:
        D. McAllester, T. Hazan, J. Keshet, *Direct Loss Minimization for Structured Prediction*, NeurIPS 2010, (7).

    Example:
        >>> direct_loss(LinearChain(torch.tensor([[0.0, 3.0]]), torch.zeros(2, 2)), torch.tensor([0]))
        tensor(1.)
    """
    check_positive("direct_loss(step)", step)
    chain.score(labels)  # checks the labels
    best = chain.max()
    worse = chain.hamming(labels, step).max()
    feasible = best > -math.inf
    value = torch.where(feasible, worse, 0.0) - torch.where(feasible, best, 0.0)
    return reduce_loss("direct_loss", value / step, reduction)


def _regret(best: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``best - right``; +inf, with no gradient, where the right answer is forbidden."""
    allowed = right > -math.inf
    zero = torch.zeros_like(right)
    difference = torch.where(allowed, best, zero) - torch.where(allowed, right, zero)
    return torch.where(allowed, difference, torch.full_like(difference, math.inf))
