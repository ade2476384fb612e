"""Semi-Markov chains: segmentations with labels, scored by whole segments."""

import itertools
from typing import Any, final

import torch

from algonets._core.checks import check_same_kind
from algonets._core.errors import reject, require
from algonets._core.shapes import broadcast_batch, flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import pad
from algonets.dp.program import DynamicProgram, checked_scores, per_example
from algonets.semirings import Semiring

__all__ = ["SemiMarkov"]


@final
class SemiMarkov(DynamicProgram):
    r"""All ways to cut a sequence into labelled segments of at most K steps.

    .. math:: s(y) = \sum_{\text{segments } (t, k, j)} u_{t, k, j}
              + \sum_{\text{neighbours } (i) (t, k, j)} A^{(t, k)}_{ij}

    Parts are the two factors: ``segment`` ``(T, K, S)``, where entry [t, k - 1, j] is the segment of k steps from t on
    with label j, and ``transition`` in the shape it was given.

    Args:
        segment: Scores u ``(*batch, T, K, S)``; -inf forbids.
        transition: Scores from the label i of a segment to j of the next: ``(S, S)``, ``(*batch, S, S)``, or
            ``(*batch, T, K, S, S)`` where it depends on the next segment.
        lengths: Steps of each example, ``batch``, from 1 to T, the default.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch T (K S + S^2))`` time and memory with one transition matrix, else ``O(batch T K S^2)``.

    References:
        S. Sarawagi, W. Cohen, *Semi-Markov Conditional Random Fields for Information Extraction*, NeurIPS 2004.

    Example:
        >>> segment = torch.zeros(3, 2, 1)
        >>> SemiMarkov(segment, torch.zeros(1, 1)).count().item()  # 1+1+1, 1+2, 2+1
        3.0
    """

    factor_names = ("segment", "transition")

    def __init__(self, segment: torch.Tensor, transition: torch.Tensor, lengths: torch.Tensor | None = None):
        segment = checked_scores("SemiMarkov", "segment", segment, 3)
        *batch, steps, longest, states = segment.shape
        shape = torch.Size(batch)
        good = steps >= 1 and longest >= 1 and states >= 1
        require(good, "SemiMarkov(segment)", "must have at least one step, one length and one label", segment)
        call = "SemiMarkov(transition)"
        transition = checked_scores("SemiMarkov", "transition", transition, 2)
        check_same_kind(call, transition, segment, "segment")
        if transition.shape[-2:] != (states, states):
            reject(call, f"must end in shape ({states}, {states})", transition)
        own = transition.ndim == len(batch) + 4
        if own:
            wanted = (steps, longest, states, states)
            require(transition.shape[-4:] == wanted, call, f"must end in shape {wanted}", transition)
            flat = flatten_batch(broadcast_batch(call, transition, shape, 4), 4)
        else:
            flat = per_example(call, transition, shape, 2)
        ends = check_lengths("SemiMarkov(lengths)", lengths, shape, steps, segment.device)
        super().__init__((flatten_batch(segment, 3), flat), shape, ends - 1)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Sum over the last segment; the value of every number of steps is kept."""
        segment, transition = factors
        batch, steps, longest, states = segment.shape[:4]
        own = transition.ndim - semiring.event_dims == 5
        end = torch.arange(1, steps + 1, device=segment.device)[:, None]
        size = torch.arange(1, longest + 1, device=segment.device)
        start, size = (end - size).clamp_min(0), (size - 1).expand(steps, -1)
        exists = (end > size)[None, :, :, None]

        def by_end(x: torch.Tensor, exists: torch.Tensor) -> torch.Tensor:
            """Bring [start, size] to [end, size]."""
            return semiring.where(exists, x[:, start, size], semiring.full(semiring.zero, (1,), x))

        lasts = by_end(segment, exists).unbind(1)
        changes = by_end(transition, exists.unsqueeze(4)).unbind(1) if own else None
        one = semiring.full(semiring.one, (batch, 1, states), segment)
        # By the size of the next segment: what leads to its start, (B, K, S). At first only the empty beginning.
        before = pad(semiring, one, 1, after=longest - 1)
        values = []
        for t in range(steps):
            entered = before
            if changes is not None:  # the empty beginning needs no transition
                moved = semiring.plus(semiring.times(before.unsqueeze(3), changes[t]), 2)
                entered = torch.cat([moved[:, :t], one, moved[:, t + 1 :]], 1) if t < longest else moved
            ended = semiring.plus(semiring.times(entered, lasts[t]), 1)
            values.append(semiring.plus(ended, 1))
            if changes is None:
                ended = semiring.plus(semiring.times(ended.unsqueeze(2), transition), 1)
            before = torch.cat([ended.unsqueeze(1), before[:, :-1]], 1)
        return torch.stack(values, 1)

    def segments(self) -> list[list[tuple[int, int, int]]]:
        """Return the best segmentation of each example (batch flattened) as ``(start, end, label)``, end excluded."""
        best = self.argmax()
        found = flatten_batch(best[0], 3).nonzero().tolist()
        answer: list[list[tuple[int, int, int]]] = [[] for _ in range(len(self._factors[0]))]
        for b, t, k, label in found:
            answer[b].append((t, t + k + 1, label))
        return answer

    def parts(self, labels: torch.Tensor, begins: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the parts of a segmentation given by labels and begins of segments.

        Args:
            labels: Integers ``(*batch, T)``, the same within a segment.
            begins: Booleans ``(*batch, T)``: whether a segment begins here; true at 0.

        Raises:
            ValueError: for a segment of more than K steps, or no beginning at 0.
        """
        call = "SemiMarkov.parts(begins)"
        segment, transition = self._factors
        parts = torch.zeros_like(segment), torch.zeros_like(transition)
        per_step = transition.ndim == 5
        ends = (self._goal + 1).tolist()
        for b, (row, begin) in enumerate(zip(flatten_batch(labels, 1), flatten_batch(begins, 1), strict=True)):
            cuts = [*begin[: ends[b]].nonzero().flatten().tolist(), ends[b]]
            require(cuts[0] == 0, call, "must be true at the first step", begins)
            before = None
            for t, end in itertools.pairwise(cuts):
                label, size = int(row[t]), end - t
                require(size <= segment.shape[2], call, f"must make segments of at most {segment.shape[2]} steps", size)
                parts[0][b, t, size - 1, label] = 1
                if before is not None:
                    place = (b, t, size - 1, before, label) if per_step else (b, before, label)
                    parts[1][place] += 1
                before = label
        return self._unflatten(parts[0]), self._unflatten(parts[1])
