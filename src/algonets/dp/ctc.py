"""Connectionist temporal classification: all ways to spell a target over the frames of a sequence."""

import math
from typing import Any, final

import torch

from algonets._core.checks import check_at_least, check_floating, values_visible
from algonets._core.errors import reject_type, require
from algonets._core.numerics import product_or_zero
from algonets._core.shapes import flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import pad, scan, shifted
from algonets.dp.program import DynamicProgram, Parts, checked_scores
from algonets.semirings import Semiring

__all__ = ["CTC"]


@final
class CTC(DynamicProgram):
    r"""All frame-wise labellings that collapse to a target: repeats merged, then blanks removed.

    .. math:: s(\pi) = \sum_t x_{t, \pi_t}, \qquad
              \log p(\text{target}) = \log \sum_{\pi:\; \text{collapse}(\pi) = \text{target}} e^{s(\pi)}

    With log-probabilities as input :meth:`log_partition` is the log-probability of the target, and its negative the
    CTC loss. Unlike ``torch.nn.functional.ctc_loss`` it can be differentiated twice, and a target that does not fit
    in its frames has -inf and a zero gradient (no NaN); :meth:`feasible` flags it.

    Structures go in and out as 0/1 tensors ``(*batch, T, S)``, one label a frame.

    Args:
        log_probs: Scores ``(*batch, T, S)`` of the labels, usually ``log_softmax``; -inf forbids.
        targets: Integers ``(*batch, L)`` other than ``blank``, in ``0 .. S - 1``; anything beyond the length.
        lengths: Frames of each example, ``batch``, from 1 to T, the default.
        target_lengths: Symbols of each target, from 0 to L, the default.
        blank: The label that stands for nothing.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, targets or lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch T L)``.

    References:
        A. Graves et al., *Connectionist Temporal Classification*, ICML 2006.

    Example:
        >>> log_probs = torch.log(torch.tensor([[0.6, 0.4], [0.5, 0.5]]))  # blank, "a"
        >>> round(CTC(log_probs, torch.tensor([1])).log_partition().exp().item(), 4)  # "a-", "-a", "aa"
        0.7
    """

    factor_names = ("emissions", "skips")

    def __init__(
        self,
        log_probs: torch.Tensor,
        targets: torch.Tensor,
        lengths: torch.Tensor | None = None,
        target_lengths: torch.Tensor | None = None,
        blank: int = 0,
    ):
        check_floating("CTC(log_probs)", log_probs)
        require(log_probs.ndim >= 2, "CTC(log_probs)", "must have shape (*batch, T, S)", log_probs)
        *batch, steps, symbols = log_probs.shape
        shape = torch.Size(batch)
        require(steps >= 1 and symbols >= 1, "CTC(log_probs)", "must have a frame and a label", log_probs)
        blank = check_at_least("CTC(blank)", blank, 0)
        require(blank < symbols, "CTC(blank)", f"must be below S = {symbols}", blank)
        frames = check_lengths("CTC(lengths)", lengths, shape, steps, log_probs.device)
        scores = flatten_batch(log_probs.to(torch.promote_types(log_probs.dtype, torch.float32)), 2)
        if lengths is not None:  # padding may hold anything, NaN too
            inside = torch.arange(steps, device=scores.device) < frames[:, None]
            scores = torch.where(inside.unsqueeze(-1), scores, torch.zeros_like(scores))
        scores = checked_scores("CTC", "log_probs", scores, 2)
        labels, sizes = _targets(targets, target_lengths, shape, symbols, blank, scores.device)

        count = labels.shape[1]
        states = labels.new_full((len(labels), 2 * count + 1), blank)  # blank, first, blank, second, ..., blank
        states[:, 1::2] = labels
        self._states, self._size = states, (steps, symbols)
        emissions = scores.gather(2, states.unsqueeze(1).expand(-1, steps, -1))
        skips = scores.new_full(states.shape, -math.inf)  # into a symbol from the one before, over a blank
        if count > 1:
            skips[:, 3::2] = torch.where(labels[:, 1:] == labels[:, :-1], -math.inf, 0.0).to(scores.dtype)
        self._emitted = scores
        super().__init__((emissions, skips), shape, (frames - 1) * (count + 1) + sizes)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Run along the frames; the value of each number of frames and each prefix of the target is kept."""
        emissions, skips = factors

        def ends(alpha: torch.Tensor) -> torch.Tensor:
            blank, symbol = alpha[:, 0::2], pad(semiring, alpha[:, 1::2], 1, before=1)
            return semiring.plus(torch.stack([blank, symbol], 2), 2)

        def step(alpha, emission):
            if alpha is None:
                alpha = pad(semiring, emission[:, :2], 1, after=max(emission.shape[1] - 2, 0))
            else:
                skipped = semiring.times(shifted(semiring, alpha, 2), skips)
                ways = torch.stack([alpha, shifted(semiring, alpha), skipped], 2)
                alpha = semiring.times(semiring.plus(ways, 2), emission)
            return alpha, ends(alpha)

        return scan(step, None, emissions).flatten(1, 2)

    def score(self, parts: Parts) -> torch.Tensor:
        """Return the score of a labelling of the frames, given as 0/1 ``(*batch, T, S)``."""
        wanted = (*self.batch_shape, *self._size)
        if not isinstance(parts, torch.Tensor):
            reject_type("CTC.score(parts)", "must be a tensor", parts)
        require(tuple(parts.shape) == wanted, "CTC.score(parts)", f"must have shape {wanted}", parts)
        flat = flatten_batch(parts, 2).to(self._emitted.dtype)
        return self._unflatten(product_or_zero(flat, self._emitted).sum((1, 2)))

    def augmented(self, costs: Parts) -> "CTC":
        """Return the program with ``costs`` ``(*batch, T, S)`` added to the scores of the labels."""
        wanted = (*self.batch_shape, *self._size)
        costs = check_floating("CTC.augmented(costs)", costs)
        require(tuple(costs.shape) == wanted, "CTC.augmented(costs)", f"must have shape {wanted}", costs)
        flat = flatten_batch(costs, 2).to(self._emitted.dtype)
        copy = object.__new__(CTC)
        vars(copy).update(vars(self))
        added = flat.gather(2, self._states.unsqueeze(1).expand(-1, self._size[0], -1))
        copy._factors = (self._factors[0] + added, self._factors[1])
        copy._emitted = self._emitted + flat
        return copy

    def hamming(self, parts: Parts, margin: float = 1.0) -> "CTC":
        """Return the program in which every frame that differs from a given labelling gains ``margin``."""
        parts = check_floating("CTC.hamming(parts)", parts)
        return self.augmented(margin * (1 - parts.to(self._emitted.dtype)))

    def _parts(self, joined: torch.Tensor, extra: int = 0) -> Parts:
        emissions = self._split(joined, 1 + extra)[0]
        index = self._states.unsqueeze(1) if not extra else self._states[:, None, None, :]
        empty = emissions.new_zeros(*emissions.shape[:-1], self._size[1])
        return self._unflatten(empty.scatter_add(-1, index.expand(emissions.shape), emissions))


def _targets(
    targets: Any,
    target_lengths: torch.Tensor | None,
    batch: torch.Size,
    symbols: int,
    blank: int,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    call = "CTC(targets)"
    if not isinstance(targets, torch.Tensor):
        reject_type(call, "must be an integer tensor", targets)
    if targets.dtype.is_floating_point or targets.dtype.is_complex or targets.dtype == torch.bool:
        reject_type(call, "must be an integer tensor", targets)
    fits = targets.ndim == len(batch) + 1 and targets.shape[:-1] == batch
    require(fits, call, f"must have shape (*batch, L) with the batch shape {tuple(batch)}", targets)
    count = targets.shape[-1]
    sizes = check_lengths("CTC(target_lengths)", target_lengths, batch, count, device, 0)
    flat = flatten_batch(targets, 1).to(device=device, dtype=torch.int64)
    inside = torch.arange(count, device=device) < sizes[:, None]
    flat = torch.where(inside, flat, blank)
    if values_visible(targets) and flat.numel():
        good = bool(((flat >= 0) & (flat < symbols) & ((flat != blank) | ~inside)).all())
        require(good, call, f"must be in 0 .. {symbols - 1} and not the blank {blank}", targets)
    return flat, sizes
