"""The three loops of dynamic programming: along a sequence, over a grid by diagonals, over spans by width.

They work in any semiring: elements are (B, *cells), followed by the semiring's own dimensions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from algonets.semirings import Semiring

__all__ = ["chart_row", "pad", "scan", "shifted", "splits", "wavefront"]


def scan(step: Callable[..., tuple[Any, torch.Tensor]], carry: Any, *sequences: torch.Tensor) -> torch.Tensor:
    """Call ``carry, output = step(carry, *items)`` along dimension 1; return the outputs, stacked there."""
    outputs = []
    for items in zip(*[sequence.unbind(1) for sequence in sequences], strict=True):  # unbind: linear autograd
        carry, output = step(carry, *items)
        outputs.append(output)
    return torch.stack(outputs, 1)


def pad(semiring: Semiring, x: torch.Tensor, dim: int, before: int = 0, after: int = 0) -> torch.Tensor:
    """Add impossible cells before and after along ``dim``."""
    parts = [x]
    for size, at in ((before, 0), (after, 1)):
        if size:
            shape = [*x.shape[: x.ndim - semiring.event_dims]]
            shape[dim] = size
            parts.insert(at * len(parts), semiring.full(semiring.zero, tuple(shape), x))
    return torch.cat(parts, dim) if len(parts) > 1 else x


def shifted(semiring: Semiring, x: torch.Tensor, by: int = 1) -> torch.Tensor:
    """Move (B, n, ...) elements up by ``by`` places; impossible ones come in."""
    kept = x[:, : max(x.shape[1] - by, 0)]
    return pad(semiring, kept, 1, before=min(by, x.shape[1]))


def wavefront(
    semiring: Semiring,
    cell: Callable[..., Sequence[torch.Tensor]],
    start: Sequence[torch.Tensor],
    *factors: torch.Tensor,
) -> list[torch.Tensor]:
    """Fill a grid from its upper left corner, a diagonal at a time.

    Args:
        semiring: Where the elements live.
        cell: ``cell(above, left, corner, *factors)`` to the states of all cells of a diagonal, each (B, rows);
            ``above``, ``left`` and ``corner`` are lists of the states there.
        start: States of cell (0, 0), each (B,).
        factors: Lifted, (B, rows, columns): what the moves into each cell score.

    Returns:
        Every state as (B, rows, columns).
    """
    batch, rows, columns = factors[0].shape[:3]
    device = factors[0].device
    row = torch.arange(rows, device=device)
    diagonals = torch.arange(rows + columns - 1, device=device)[:, None]
    column = diagonals - row
    inside = (column >= 0) & (column < columns)
    column = column.clamp(0, columns - 1)

    def skewed(x: torch.Tensor) -> list[torch.Tensor]:
        at = x[:, row.expand_as(column), column]
        nothing = semiring.full(semiring.zero, (1, *column.shape), x)
        return list(semiring.where(inside.unsqueeze(0), at, nothing).unbind(1))

    lines = [skewed(x) for x in factors]
    nothing = semiring.full(semiring.zero, (batch, rows), factors[0])
    states = [pad(semiring, x.unsqueeze(1), 1, after=rows - 1) for x in start]
    history = [states]
    before = [nothing] * len(start)
    for d in range(1, rows + columns - 1):
        above = [shifted(semiring, x) for x in states]
        corner = [shifted(semiring, x) for x in before]
        before, states = states, list(cell(above, states, corner, *(line[d] for line in lines)))
        history.append(states)
    here = (torch.arange(rows, device=device)[:, None] + torch.arange(columns, device=device)).reshape(-1)
    there = row.repeat_interleave(columns)
    return [
        torch.stack([h[k] for h in history], 1)[:, here, there].unflatten(1, (rows, columns)) for k in range(len(start))
    ]


def splits(left: list[torch.Tensor], right: list[torch.Tensor], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pair the halves of all spans of one width.

    Args:
        left: By width, (B, starts, ...): the left halves, shortest first.
        right: By width: the right halves that go with them, so longest first. Each begins where its partner ends.
        count: How many spans there are, from start 0 on.

    Returns:
        Two of (B, count, splits, ...).
    """
    lefts = [x[:, :count] for x in left]
    rights = [x[:, x.shape[1] - count :] for x in right]
    return torch.stack(lefts, 2), torch.stack(rights, 2)


def chart_row(x: torch.Tensor, width: int) -> torch.Tensor:
    """Return the entries (B, n - width, ...) of (B, n, n, ...) at (i, i + width)."""
    start = torch.arange(x.shape[1] - width, device=x.device)
    return x[:, start, start + width]
