"""Dependency trees: projective ones by Eisner's algorithm, all of them by the matrix-tree theorem."""

from typing import Any, final

import torch

from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import chart_row, splits
from algonets.dp.program import DynamicProgram, checked_scores
from algonets.semirings import Semiring

__all__ = ["DependencyTrees", "ProjectiveDependency"]


class DependencyTrees(DynamicProgram):
    """Trees whose parts are arcs ``(n, n)`` from head to child, the diagonal for roots; also by heads."""

    def heads(self) -> torch.Tensor:
        """Return the head of each word of the best tree ``(*batch, n)``: itself for a root, -1 beyond the end."""
        found = self._first(self.argmax()).max(-2)
        return torch.where(found.values > 0, found.indices, -1)

    def parts(self, heads: torch.Tensor) -> torch.Tensor:
        """Return the parts ``(*batch, n, n)`` of trees given by the head of each word (itself for a root)."""
        n = self._factors[0].shape[1]
        inside = self._unflatten(torch.arange(n, device=heads.device) <= self._goal.unsqueeze(1))
        arcs = (heads.unsqueeze(-2) == torch.arange(n, device=heads.device)[:, None]) & inside.unsqueeze(-2)
        return arcs.to(self._factors[0].dtype)


@final
class ProjectiveDependency(DependencyTrees):
    r"""All projective dependency trees over n words: no arcs cross, and none passes over a root.

    .. math:: s(y) = \sum_{(h \to c) \in y} \theta_{h, c}

    Parts are 0/1 ``(n, n)``: entry [h, c] is the arc from head h to child c, the diagonal [c, c] that from the root.

    Args:
        scores: ``(*batch, n, n)``; -inf forbids.
        lengths: Words of each example, ``batch``, from 1 to n, the default.
        single_root: Whether exactly one word depends on the root; else at least one.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch n^3)``.

    References:
        J. Eisner, *Three New Probabilistic Models for Dependency Parsing*, COLING 1996.

    Example:
        >>> ProjectiveDependency(torch.zeros(3, 3), single_root=True).count().item()
        7.0
    """

    def __init__(self, scores: torch.Tensor, lengths: torch.Tensor | None = None, single_root: bool = True):
        scores, shape, ends = checked_arcs("ProjectiveDependency", scores, lengths)
        super().__init__((scores,), shape, ends - 1, single_root=bool(single_root))

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill four charts by widths: spans headed left or right, complete or about to take their last arc."""
        (scores,) = factors
        batch, n = scores.shape[:2]
        one = semiring.full(semiring.one, (batch, n), scores)
        right, left = [one], [one]  # complete spans headed by their first, by their last word
        open_right: list[torch.Tensor] = []  # whose last word depends on the first
        open_left: list[torch.Tensor] = []
        mirrored = scores.transpose(1, 2)
        for width in range(1, n):
            count = n - width
            inner = semiring.plus(semiring.times(*splits(right, left[::-1], count)), 2)
            open_right.append(semiring.times(inner, chart_row(scores, width)))
            open_left.append(semiring.times(inner, chart_row(mirrored, width)))
            right.append(semiring.plus(semiring.times(*splits(open_right, right[::-1], count)), 2))
            left.append(semiring.plus(semiring.times(*splits(left, open_left[::-1], count)), 2))
        roots = scores.diagonal(dim1=1, dim2=2)
        if semiring.event_dims:
            roots = roots.movedim(-1, 1)
        # Trees below one root: a span that ends at the root word, and one that begins there.
        rooted = [semiring.times(row, roots[:, : row.shape[1]]) for row in right]
        values: list[torch.Tensor] = []
        for width in range(n):
            halves = splits(left[: width + 1], rooted[width::-1], n - width)
            trees = semiring.plus(semiring.times(*halves), 2)
            right[width] = trees  # by width from here on
            ways = [trees[:, 0]]
            if not options["single_root"]:  # the words before hang on roots of their own
                ways += [semiring.times(values[k - 1], right[width - k][:, k]) for k in range(1, width + 1)]
            values.append(semiring.plus(torch.stack(ways, 1), 1))
        return torch.stack(values, 1)


def checked_arcs(
    call: str, scores: torch.Tensor, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Size, torch.Tensor]:
    """Return (B, n, n) scores, the batch shape and (B,) lengths."""
    scores = checked_scores(call, "scores", scores, 2)
    *batch, n, also = scores.shape
    require(n == also and n >= 1, f"{call}(scores)", "must have shape (*batch, n, n)", scores)
    shape = torch.Size(batch)
    return flatten_batch(scores, 2), shape, check_lengths(f"{call}(lengths)", lengths, shape, n, scores.device)
