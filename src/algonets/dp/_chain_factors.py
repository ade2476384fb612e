"""The factors of a linear chain in one canonical form, checked once."""

import math
from typing import NamedTuple

import torch

from algonets._core.checks import check_finite_or_minus_inf, check_floating, check_same_kind, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import broadcast_batch, flatten_batch

__all__ = ["ChainFactors", "canonical", "check_labels", "check_lengths"]


class ChainFactors(NamedTuple):
    """What every chain algorithm takes; a leading dimension of 1 means shared by the batch."""

    unary: torch.Tensor  # (B, T, S)
    transition: torch.Tensor  # (1 | B, 1 | T - 1, S, S)
    start: torch.Tensor | None  # (1 | B, S)
    end: torch.Tensor | None  # (1 | B, S)
    lengths: torch.Tensor  # (B,) int64, in 1 .. T

    def scaled(self, factor: float | torch.Tensor) -> "ChainFactors":
        """Return the chain with every score multiplied by a positive factor."""

        def scale(x: torch.Tensor | None) -> torch.Tensor | None:
            if x is None:
                return None
            forbidden = x == -math.inf  # apart, or the factor's gradient gets 0 * -inf
            return torch.where(forbidden, x, torch.where(forbidden, torch.zeros_like(x), x) * factor)

        scaled = {name: scale(getattr(self, name)) for name in ("unary", "transition", "start", "end")}
        return self._replace(**scaled)

    def double(self) -> "ChainFactors":
        """Return the chain in float64."""
        start = None if self.start is None else self.start.double()
        end = None if self.end is None else self.end.double()
        return ChainFactors(self.unary.double(), self.transition.double(), start, end, self.lengths)

    def overflows(self, temperature: float) -> bool:
        """Tell whether scores divided by ``temperature`` would leave the range of the dtype."""
        limit = torch.finfo(self.unary.dtype).max
        if not 1 / limit < temperature < limit:
            return True
        top = min(limit * temperature, limit)
        tensors = [t.detach() for t in (self.unary, self.transition, self.start, self.end) if t is not None]
        return any(bool(((t.abs() > top) & t.isfinite()).any()) for t in tensors)

    def scores(self) -> torch.Tensor:
        """Return (B, T, S) unary scores with start and end added where they apply."""
        unary = self.unary
        if self.start is not None:
            unary = torch.where(self.positions() == 0, unary + self.start.unsqueeze(1), unary)
        if self.end is not None:
            unary = torch.where(
                self.positions() == self.lengths[:, None, None] - 1, unary + self.end.unsqueeze(1), unary
            )
        return unary

    def positions(self) -> torch.Tensor:
        """Return the positions 0 .. T - 1 as (1, T, 1)."""
        return torch.arange(self.unary.shape[1], device=self.unary.device)[None, :, None]

    def inside(self) -> torch.Tensor:
        """Return (B, T): which positions belong to the sequence."""
        return self.positions()[..., 0] < self.lengths[:, None]


def canonical(
    call: str,
    unary: torch.Tensor,
    transition: torch.Tensor,
    start: torch.Tensor | None,
    end: torch.Tensor | None,
    lengths: torch.Tensor | None,
) -> tuple[ChainFactors, torch.Size]:
    """Check the arguments of ``call`` and bring them into canonical form; also return the batch shape."""
    check_floating(f"{call}(unary)", unary)
    check_floating(f"{call}(transition)", transition)
    check_same_kind(f"{call}(transition)", transition, unary, "unary")
    require(unary.ndim >= 2, f"{call}(unary)", "must have shape (*batch, T, S)", unary)
    *batch, steps, states = unary.shape
    batch_shape = torch.Size(batch)
    require(steps >= 1 and states >= 1, f"{call}(unary)", "must have at least one step and one state", unary)

    expected = f"must have shape (S, S), (*batch, S, S) or (*batch, T - 1, S, S) with S = {states}, T = {steps}"
    fits = transition.ndim >= 2 and transition.shape[-2:] == (states, states)
    extra = transition.ndim - 2
    fits = fits and extra in (0, len(batch), len(batch) + 1)
    per_step = extra == len(batch) + 1
    fits = fits and (not per_step or transition.shape[-3] == steps - 1)
    require(fits, f"{call}(transition)", expected, transition, "For one matrix a step but one batch, unsqueeze(0).")
    if extra == 0:
        flat_transition = transition[None, None]
    elif not batch:
        flat_transition = transition[None]
    else:
        event = 3 if per_step else 2
        shared = all(n == 1 for n in transition.shape[: len(batch)])
        if not shared:
            transition = broadcast_batch(f"{call}(transition)", transition, batch_shape, event)
        flat_transition = flatten_batch(transition, event)
        flat_transition = flat_transition if per_step else flat_transition.unsqueeze(1)
    if steps == 1 and not per_step:  # no step uses it
        flat_transition = flat_transition[:, :0]

    flat_start = _boundary(f"{call}(start)", start, unary, batch_shape)
    flat_end = _boundary(f"{call}(end)", end, unary, batch_shape)
    flat_lengths = check_lengths(f"{call}(lengths)", lengths, batch_shape, steps, unary.device)
    flat_unary = flatten_batch(unary, 2)
    if lengths is not None:  # padding may hold anything; it is replaced, so that NaN in it cannot leak
        inside = torch.arange(steps, device=unary.device) < flat_lengths[:, None]
        flat_unary = torch.where(inside.unsqueeze(-1), flat_unary, torch.zeros_like(flat_unary))
    if steps == 1 and transition.requires_grad:
        flat_unary = flat_unary + flat_transition.sum()  # nothing, but it carries the zero gradient
    for name, value in (("unary", flat_unary), ("transition", transition), ("start", start), ("end", end)):
        if value is not None:
            check_finite_or_minus_inf(f"{call}({name})", value)
    return ChainFactors(flat_unary, flat_transition, flat_start, flat_end, flat_lengths), batch_shape


def _boundary(call: str, value: torch.Tensor | None, unary: torch.Tensor, batch: torch.Size) -> torch.Tensor | None:
    if value is None:
        return None
    check_floating(call, value)
    check_same_kind(call, value, unary, "unary")
    good = value.ndim >= 1 and value.shape[-1] == unary.shape[-1] and value.ndim - 1 in (0, len(batch))
    require(good, call, f"must have shape (S,) or (*batch, S) with S = {unary.shape[-1]}", value)
    if value.ndim == 1:
        return value.unsqueeze(0)
    return flatten_batch(broadcast_batch(call, value, batch, 1), 1)


def check_lengths(
    call: str, lengths: torch.Tensor | None, batch: torch.Size, steps: int, device: torch.device, least: int = 1
) -> torch.Tensor:
    """Return (B,) int64 lengths in ``least`` .. steps; all ``steps`` for None."""
    if lengths is None:
        return torch.full((math.prod(batch),), steps, dtype=torch.int64, device=device)
    if not isinstance(lengths, torch.Tensor):
        reject_type(call, "must be an integer tensor", lengths, "Convert it with torch.as_tensor(...).")
    if lengths.dtype.is_floating_point or lengths.dtype.is_complex or lengths.dtype == torch.bool:
        remedy = "A mask goes to a CRF by name: mask=..." if lengths.dtype == torch.bool else ""
        reject_type(call, "must be an integer tensor", lengths, remedy)
    require(lengths.shape == batch, call, f"must have the batch shape {tuple(batch)}", lengths)
    flat = lengths.reshape(-1).to(device=device, dtype=torch.int64)
    if values_visible(lengths) and flat.numel():
        low, high = int(flat.min()), int(flat.max())
        if low < least:
            reject(call, f"must be at least {least}", low, "Leave empty sequences out of the batch." if least else "")
        require(high <= steps, call, f"must be at most T = {steps}", high)
    return flat


def check_labels(call: str, labels: torch.Tensor, factors: ChainFactors, batch: torch.Size) -> torch.Tensor:
    """Return (B, T) int64 labels, valid inside the lengths; beyond them anything becomes 0."""
    if not isinstance(labels, torch.Tensor):
        reject_type(call, "must be an integer tensor", labels)
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        reject_type(call, "must be an integer tensor", labels)
    steps, states = factors.unary.shape[1:]
    require(labels.shape == (*batch, steps), call, f"must have shape {(*batch, steps)}", labels)
    flat = torch.where(factors.inside(), flatten_batch(labels, 1).to(torch.int64), 0)
    if values_visible(labels) and flat.numel():
        low, high = int(flat.min()), int(flat.max())
        require(low >= 0 and high < states, call, f"must be in 0 .. {states - 1}", low if low < 0 else high)
    return flat
