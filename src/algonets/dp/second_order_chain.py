"""Second-order chains: labels that depend on the two before."""

from typing import Any, final

import torch

from algonets._core.checks import check_same_kind
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp.program import DynamicProgram, checked_scores, per_example
from algonets.semirings import Semiring

__all__ = ["SecondOrderChain"]


@final
class SecondOrderChain(DynamicProgram):
    r"""All label sequences of a chain whose transitions see three labels.

    .. math:: s(y) = \sum_t u_{t, y_t} + \sum_{t \ge 3} A_{y_{t-2}, y_{t-1}, y_t}

    Parts are the factors ``unary`` ``(T, S)`` and ``transition`` ``(S, S, S)``.

    Args:
        unary: Scores ``(*batch, T, S)``; -inf forbids.
        transition: Scores ``(S, S, S)`` or ``(*batch, S, S, S)`` of three labels in a row.
        lengths: Integers ``batch`` from 1 to T, the default.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch T S^3)``.

    References:
        S. Thede, M. Harper, *A Second-Order Hidden Markov Model for Part-of-Speech Tagging*, ACL 1999.

    Example:
        >>> chain = SecondOrderChain(torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, 1.0]]), torch.zeros(2, 2, 2))
        >>> chain.labels().tolist(), chain.max().item()
        ([1, 0, 1], 4.0)
    """

    factor_names = ("unary", "transition")

    def __init__(self, unary: torch.Tensor, transition: torch.Tensor, lengths: torch.Tensor | None = None):
        unary = checked_scores("SecondOrderChain", "unary", unary, 2)
        *batch, steps, states = unary.shape
        shape = torch.Size(batch)
        require(
            steps >= 1 and states >= 1, "SecondOrderChain(unary)", "must have at least one step and one label", unary
        )
        call = "SecondOrderChain(transition)"
        transition = checked_scores("SecondOrderChain", "transition", transition, 3)
        check_same_kind(call, transition, unary, "unary")
        require(transition.shape[-3:] == (states,) * 3, call, f"must end in shape {(states,) * 3}", transition)
        ends = check_lengths("SecondOrderChain(lengths)", lengths, shape, steps, unary.device)
        super().__init__((flatten_batch(unary, 2), per_example(call, transition, shape, 3)), shape, ends - 1)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Carry the last two labels along; the value of every length is kept."""
        unary, transition = factors
        first, *rest = unary.unbind(1)
        values = [semiring.plus(first, 1)]
        alpha = None
        for seen in rest:
            if alpha is None:
                alpha = semiring.times(first.unsqueeze(2), seen.unsqueeze(1))
            else:
                moved = semiring.plus(semiring.times(alpha.unsqueeze(3), transition), 1)
                alpha = semiring.times(moved, seen.unsqueeze(1))
            values.append(semiring.plus(semiring.plus(alpha, 2), 1))
        return torch.stack(values, 1)

    def labels(self) -> torch.Tensor:
        """Return the best labels, int64 ``(*batch, T)``; -1 beyond the length and where none is allowed."""
        best = self.argmax()[0].max(-1)
        return torch.where(best.values > 0, best.indices, -1)
