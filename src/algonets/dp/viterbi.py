"""The best label sequence of a linear chain as a solver."""

import torch

from algonets.dp.linear_chain import LinearChain

__all__ = ["viterbi"]


def viterbi(
    unary: torch.Tensor,
    transition: torch.Tensor,
    start: torch.Tensor | None = None,
    end: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Return the best label sequence of a linear chain as one-hot rows in the shape of ``unary``.

    .. math:: y^* = \arg\max_{y} \langle u, y \rangle + \sum_t A_{y_t, y_{t+1}}

    It is a *solver* in the sense of ``algonets.gradients``: it maximises an inner product with ``unary``.

    Args:
        unary: Scores ``(*batch, T, S)``.
        transition: As for :class:`LinearChain`, as are ``start``, ``end`` and ``lengths``.

    Returns:
        0/1 in the dtype and shape of ``unary``; zero rows beyond the length and where nothing is allowed.

    Raises:
        ValueError, TypeError: as :class:`LinearChain`.

    Differentiability: piecewise constant (no gradient); use an estimator of ``algonets.gradients``, or
    :meth:`LinearChain.max` and :meth:`LinearChain.marginals`.

    Example:
        >>> viterbi(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2, 2))
        tensor([[0., 1.],
                [1., 0.]])
    """
    chain = LinearChain(unary, transition, start, end, lengths)
    labels = chain.argmax().unsqueeze(-1)
    return (labels == torch.arange(chain.num_states, device=unary.device)).to(unary.dtype)
