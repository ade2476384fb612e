"""Alignments of two sequences: global (Needleman-Wunsch) and local (Smith-Waterman), with affine gaps."""

import math
import numbers
from typing import Any, final

import torch

from algonets._core.checks import check_finite_or_minus_inf, check_floating, check_same_kind
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import pad, wavefront
from algonets.dp.program import DynamicProgram, checked_scores, per_example
from algonets.semirings import Semiring

__all__ = ["NeedlemanWunsch", "SmithWaterman"]

MATCH, DOWN, RIGHT = range(3)


class _Alignment(DynamicProgram):
    """Scores of matches and of gaps: a gap of k symbols scores ``gap_open + (k - 1) gap_extend``."""

    def __init__(
        self,
        match: torch.Tensor,
        gap_open: float | torch.Tensor = -1.0,
        gap_extend: float | torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        target_lengths: torch.Tensor | None = None,
    ):
        name = type(self).__name__
        match = checked_scores(name, "match", match, 2)
        *batch, n, m = match.shape
        shape = torch.Size(batch)
        require(n >= 1 and m >= 1, f"{name}(match)", "must have at least one row and one column", match)
        gaps = [_gap(f"{name}(gap_open)", gap_open, match, shape)]
        if gap_extend is not None:
            gaps.append(_gap(f"{name}(gap_extend)", gap_extend, match, shape))
        self.factor_names = ("match", "gap_open", "gap_extend")[: 1 + len(gaps)]
        rows = check_lengths(f"{name}(lengths)", lengths, shape, n, match.device)
        columns = check_lengths(f"{name}(target_lengths)", target_lengths, shape, m, match.device)
        flat, goal = self._ends(flatten_batch(match, 2), rows, columns)
        super().__init__((flat, *gaps), shape, goal)

    @staticmethod
    def _ends(
        match: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        raise NotImplementedError


@final
class NeedlemanWunsch(_Alignment):
    r"""All global alignments of a sequence of n symbols with one of m.

    .. math:: s(y) = \sum_{(i,j) \in y} \text{match}_{ij} + \sum_{\text{gaps of } k \text{ symbols}}
              (\text{open} + (k - 1)\, \text{extend})

    A gap is a run of symbols of one sequence, one after the other, without partners. Parts are ``match`` ``(n, m)``,
    the number of gaps and, with ``gap_extend``, the number of their further symbols.

    Args:
        match: Scores ``(*batch, n, m)`` of putting symbols i and j together; -inf forbids.
        gap_open: Score of the first symbol of a gap (usually negative): a number, a scalar or ``(*batch,)``.
        gap_extend: Score of every further one; ``gap_open`` by default (linear gaps, one factor for all).
        lengths, target_lengths: Integers ``batch``, from 1 to n or m, which is the default.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch n m)``.

    References:
        S. Needleman, C. Wunsch, J. Molecular Biology 48(3), 1970. O. Gotoh, J. Molecular Biology 162(3), 1982.

    Example:
        >>> program = NeedlemanWunsch(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 2.0]]), -1.0)
        >>> program.max().item(), program.argmax()[0].tolist()
        (3.0, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    """

    @staticmethod
    def _ends(match, rows, columns):
        return match, rows * (match.shape[2] + 1) + columns

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the grid with three states a cell."""
        match, opened, extended = factors[0], factors[1].unsqueeze(1), factors[-1].unsqueeze(1)
        match = pad(semiring, pad(semiring, match, 1, before=1), 2, before=1)

        def cell(above, left, corner, match):
            return (
                semiring.times(semiring.plus(torch.stack(corner, 2), 2), match),
                _gapped(semiring, above, DOWN, opened, extended),
                _gapped(semiring, left, RIGHT, opened, extended),
            )

        one = semiring.full(semiring.one, (match.shape[0],), match)
        zero = semiring.full(semiring.zero, (match.shape[0],), match)
        states = wavefront(semiring, cell, (one, zero, zero), match)
        return semiring.plus(torch.stack(states, 3), 3).flatten(1, 2)


@final
class SmithWaterman(_Alignment):
    r"""All local alignments: of any stretch of one sequence with any stretch of the other, or of nothing.

    .. math:: s(y) = \sum_{(i,j) \in y} \text{match}_{ij} + \sum_{\text{gaps}}
              (\text{open} + (k - 1)\, \text{extend}), \qquad s(\emptyset) = 0

    An alignment begins and ends with a match, so that each is counted once. Arguments, parts, errors and cost as
    :class:`NeedlemanWunsch`.

    Differentiability: as :class:`DynamicProgram`.

    References:
        T. Smith, M. Waterman, J. Molecular Biology 147(1), 1981.

    Example:
        >>> program = SmithWaterman(torch.tensor([[-1.0, 2.0, -1.0], [-1.0, -1.0, 2.0]]), -1.0)
        >>> program.max().item(), program.argmax()[0].tolist()
        (4.0, [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    """

    @staticmethod
    def _ends(match, rows, columns):
        row, column = (torch.arange(n, device=match.device) for n in match.shape[1:])
        inside = (row[:, None] < rows[:, None, None]) & (column < columns[:, None, None])
        return torch.where(inside, match, torch.full_like(match, -math.inf)), None

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the grid with three states a cell; every match may be the first and the last."""
        match, opened, extended = factors[0], factors[1].unsqueeze(1), factors[-1].unsqueeze(1)
        batch, rows = match.shape[:2]
        begin = semiring.full(semiring.one, (batch, rows), match)

        def cell(above, left, corner, match):
            return (
                semiring.times(semiring.plus(torch.stack([begin, *corner], 2), 2), match),
                _gapped(semiring, above, DOWN, opened, extended),
                _gapped(semiring, left, RIGHT, opened, extended),
            )

        zero = semiring.full(semiring.zero, (batch,), match)
        found = wavefront(semiring, cell, (match[:, 0, 0], zero, zero), match)[MATCH]
        empty = semiring.full(semiring.one, (batch, 1), match)
        return semiring.plus(torch.cat([empty, found.flatten(1, 2)], 1), 1).unsqueeze(1)


def _gapped(semiring: Semiring, states: list, own: int, opened: torch.Tensor, extended: torch.Tensor) -> torch.Tensor:
    others = semiring.plus(torch.stack([x for k, x in enumerate(states) if k != own], 2), 2)
    return semiring.plus(torch.stack([semiring.times(others, opened), semiring.times(states[own], extended)], 2), 2)


def _gap(call: str, value: Any, match: torch.Tensor, batch: torch.Size) -> torch.Tensor:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        require(not math.isnan(value) and value < math.inf, call, "must be finite or -inf", value)
        return match.new_full((math.prod(batch),), float(value))
    check_floating(call, value)
    value = value.to(torch.promote_types(value.dtype, torch.float32))
    check_same_kind(call, value, match, "match")
    check_finite_or_minus_inf(call, value)
    return per_example(call, value, batch, 0)
