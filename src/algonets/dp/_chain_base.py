"""What a linear chain holds: its factors, the score of given labels, and other chains made from it."""

import math
from typing import Any, Self

import torch

from algonets._core.checks import as_scale, check_floating, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.numerics import masked_sum
from algonets._core.shapes import unflatten_batch
from algonets.dp._chain_factors import ChainFactors, canonical, check_labels

__all__ = ["Chain"]


class Chain:
    """The factors of a chain and its shape; the algorithms are those of ``LinearChain``."""

    def __init__(
        self,
        unary: torch.Tensor,
        transition: torch.Tensor,
        start: torch.Tensor | None = None,
        end: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ):
        self._factors, self.batch_shape = canonical(
            "LinearChain", _widen(unary), _widen(transition), _widen(start), _widen(end), lengths
        )

    @classmethod
    def _from_factors(cls, factors: ChainFactors, batch_shape: torch.Size) -> Self:
        chain = cls.__new__(cls)
        chain._factors, chain.batch_shape = factors, batch_shape
        return chain

    @property
    def num_steps(self) -> int:
        """Positions ``T`` of the padded sequences."""
        return self._factors.unary.shape[1]

    @property
    def num_states(self) -> int:
        """Labels ``S``."""
        return self._factors.unary.shape[2]

    @property
    def unary(self) -> torch.Tensor:
        """Unary scores ``(*batch, T, S)``, without start and end; zero beyond the lengths."""
        return self._unflatten(self._factors.unary)

    @property
    def lengths(self) -> torch.Tensor:
        """Lengths of the sequences, shape ``batch``, int64."""
        return self._unflatten(self._factors.lengths)

    def __repr__(self) -> str:
        shape = tuple(self.batch_shape)
        return f"LinearChain(batch={shape}, num_steps={self.num_steps}, num_states={self.num_states})"

    # ---- one given sequence -------------------------------------------------------------------------------

    def score(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the score :math:`s(y)` of given labels.

        Args:
            labels: Integers ``(*batch, T)`` in ``0 .. S - 1``; beyond the length anything.

        Returns:
            ``(*batch,)``; -inf for a forbidden sequence.

        Raises:
            ValueError: wrong shape, or labels out of range inside the length.

        Differentiability: linear in the factors.
        """
        return self._unflatten(
            self._score(check_labels("LinearChain.score(labels)", labels, self._factors, self.batch_shape))
        )

    def augmented(self, costs: torch.Tensor) -> Self:
        """Return the chain with ``costs`` added to the unary scores, as margins and perturbations need.

        Args:
            costs: ``(*batch, T, S)``, or what broadcasts to it; floating and finite.

        Raises:
            TypeError, ValueError: for another kind, shape, NaN or inf.
        """
        call, f = "LinearChain.augmented(costs)", self._factors
        check_floating(call, costs)
        shape = (*self.batch_shape, self.num_steps, self.num_states)
        try:
            full = costs.expand(shape).reshape(f.unary.shape)
        except RuntimeError:
            reject(call, f"must broadcast to {tuple(shape)}", costs)
        if values_visible(costs):
            require(bool(costs.detach().isfinite().all()), call, "must be finite", "NaN or inf")
        return self._from_factors(f._replace(unary=f.unary + full.to(f.unary.dtype)), self.batch_shape)

    def hamming(self, labels: torch.Tensor, margin: float = 1.0) -> Self:
        """Return the chain in which every label other than the given one gains ``margin``, as a margin loss needs.

        Args:
            labels: Integers ``(*batch, T)`` in ``0 .. S - 1``; beyond the length anything.
            margin: In the unit of the scores.
        """
        states = torch.arange(self.num_states, device=labels.device)
        return self.augmented(margin * (labels.unsqueeze(-1) != states).to(self._factors.unary.dtype))

    # ---- private -------------------------------------------------------------------------------------------

    def _unflatten(self, value: torch.Tensor, dim: int = 0) -> torch.Tensor:
        return unflatten_batch(value, self.batch_shape, dim)

    def _temperature(self, call: str, value: float | torch.Tensor) -> float | torch.Tensor:
        scale = as_scale(f"{call}(temperature)", value)
        if isinstance(scale, torch.Tensor):
            require(scale.ndim == 0, f"{call}(temperature)", "must be a number or a scalar tensor", scale)
            return scale.to(self._factors.unary.dtype)
        return scale

    def _tempered(self, scale: float | torch.Tensor) -> ChainFactors:
        if isinstance(scale, float) and scale == 1:
            return self._factors
        if values_visible(*self._factors[:4]) and self._factors.overflows(float(torch.as_tensor(scale).detach())):
            reject("LinearChain: the temperature", "must keep the scores divided by it finite", scale, "Use max().")
        return self._factors.scaled(1 / scale)

    def _score(self, labels: torch.Tensor, possible: torch.Tensor | None = None) -> torch.Tensor:
        """Score (B, T) labels; -inf with a zero gradient where not ``possible``."""
        f = self._factors
        inside = f.inside() if possible is None else f.inside() & possible[:, None]
        total = masked_sum(f.unary.gather(2, labels.unsqueeze(2)).squeeze(2), inside, 1)
        if f.start is not None:
            total = total + f.start.expand(len(labels), -1).gather(1, labels[:, :1]).squeeze(1)
        if f.end is not None:
            last = labels.gather(1, f.lengths.unsqueeze(1) - 1)
            total = total + f.end.expand(len(labels), -1).gather(1, last).squeeze(1)
        if self.num_steps > 1:
            pair = labels[:, :-1] * self.num_states + labels[:, 1:]
            batch, steps = f.transition.shape[:2]
            if batch == steps == 1:
                linked = f.transition.reshape(-1).index_select(0, pair.reshape(-1)).reshape(pair.shape)
            else:
                flat = f.transition.flatten(2).expand(labels.shape[0], self.num_steps - 1, -1)
                linked = flat.gather(2, pair.unsqueeze(2)).squeeze(2)
            total = total + masked_sum(linked, inside[:, 1:], 1)
        return total if possible is None else torch.where(possible, total, torch.full_like(total, -math.inf))

    def _require_alike(self, call: str, other: Any) -> None:
        if not isinstance(other, type(self)):
            reject_type(call, f"must be a {type(self).__name__}", other)
        same = (other.batch_shape, other.num_steps, other.num_states) == (
            self.batch_shape,
            self.num_steps,
            self.num_states,
        )
        require(same, call, f"must have the shape of {self!r}", other)
        if other is not self and values_visible(self._factors.lengths, other._factors.lengths):
            require(torch.equal(other.lengths, self.lengths), call, "must have the same lengths", other.lengths)


def _widen(value: Any) -> Any:
    half = isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value
