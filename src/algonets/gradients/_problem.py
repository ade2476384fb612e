"""One call of a layer: the flattened batch, the sense of the solver, and calls of it with many scores at once."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import all_finite, check_finite, check_floating, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch

__all__ = [
    "CallCounter",
    "Mask",
    "Problem",
    "SolverWarning",
    "both",
    "count_calls",
    "event_dims_of",
    "sense_of",
    "solver_name",
]

Solve = Callable[..., Tensor]
Mask = Tensor | None
"""Which problems have a solution; None where all of them have, the common case, which then costs nothing."""


class SolverWarning(UserWarning):
    """A solver gave no solution for some examples; they are masked."""


class CallCounter:
    """How many problems were solved."""

    def __init__(self) -> None:
        self.calls = 0


_counters: list[CallCounter] = []


@contextmanager
def count_calls() -> Iterator[CallCounter]:
    """Count the problems that layers and losses solve in this block, in all threads."""
    counter = CallCounter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)


def sense_of(call: str, solver: Any) -> int:
    """Return +1 for a solver that maximises, -1 for one that minimises."""
    sense = getattr(solver, "sense", "max")
    require(sense in ("max", "min"), f"{call}(solver).sense", "must be 'max' or 'min'", sense)
    return 1 if sense == "max" else -1


def event_dims_of(call: str, solver: Any, given: int | None) -> int:
    """Return over how many last dimensions a problem extends: as given, as the solver says, or one."""
    found = getattr(solver, "event_dims", 1) if given is None else given
    if isinstance(found, bool) or not isinstance(found, int):
        reject_type(f"{call}(event_dims)", "must be a positive integer", found)
    require(found >= 1, f"{call}(event_dims)", "must be a positive integer", found)
    return found


def solver_name(solver: Any) -> str:
    """Describe a solver in a ``repr``: functions by name."""
    return getattr(solver, "__qualname__", None) or repr(solver)


def both(first: Mask, second: Mask) -> Mask:
    """Return which problems have both solutions."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def wide(x: Tensor) -> Tensor:
    """Compute half types in float32."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


class Problem:
    """Scores of a batch of problems, ``(N, *event)``, of which the solver finds the best solutions.

    In here everything is maximised: ``scores`` are ``theta``, or ``-theta`` where the solver minimises. What theta
    forbids, a cost of +inf or a score of -inf, is 0 in ``scores``, without a gradient; the solver meets the infinity.

    Args:
        call: How errors name the caller.
        solver: Takes ``theta (N, *event)`` and instances ``(N, ...)``.
        theta: ``(*batch, *event)``.
        instance: Keyword arguments of the solver; tensors ``(*batch, ...)`` hold one value an example.
        event_dims: Of ``theta``.
        keep_sign: Clip what the solver gets so that no entry changes its sign against ``theta``.
    """

    def __init__(
        self,
        call: str,
        solver: Solve,
        theta: Any,
        instance: Mapping[str, Any],
        event_dims: int,
        keep_sign: bool = False,
    ):
        self.call, self.solver, self.event_dims = call, solver, event_dims
        self.sign = sense_of(call, solver)
        theta = check_floating(f"{call}(theta)", theta)
        split = theta.ndim - event_dims
        if split < 0:
            reject(f"{call}(theta)", f"must have at least {event_dims} dimensions, those of one problem", theta)
        self.dtype, self.batch, self.event = theta.dtype, theta.shape[:split], theta.shape[split:]
        flat = wide(theta if split == 1 else flatten_batch(theta, event_dims))
        self.closed = self._closed(flat)
        if self.closed is not None:
            flat = flat.masked_fill(self.closed, 0.0)
        self.scores = flat if self.sign == 1 else -flat
        self.events = tuple(range(-event_dims, 0))
        self.instance = {name: self._per_example(name, value) for name, value in instance.items()}
        self.keep_sign = keep_sign

    @property
    def size(self) -> int:
        """How many problems there are."""
        return self.scores.shape[0]

    def _closed(self, flat: Tensor) -> Mask:
        """Where theta forbids; None where nothing is. NaN and infinities of the other sign are refused."""
        plain = flat.detach()
        visible = values_visible(plain)
        if visible and all_finite(plain):
            return None
        closed = plain == (-math.inf if self.sign == 1 else math.inf)
        if visible:
            bad = ~(plain.isfinite() | closed)
            if bool(bad.any()):
                rule = f"must be finite, or {'-inf' if self.sign == 1 else '+inf'} for what is forbidden"
                what = "NaN" if bool(plain.isnan().any()) else "an infinity of the other sign"
                reject(f"{self.call}(theta)", rule, what, "Look for a diverged network.")
            return closed
        return closed

    def _per_example(self, name: str, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        dims = len(self.batch)
        if value.shape[:dims] != self.batch:
            rule = f"must have the batch shape {tuple(self.batch)} of theta in front, one value an example"
            reject(f"{self.call}({name})", rule, value, "Bind what all share by functools.partial or a Solver.")
        return flatten_batch(value, value.ndim - dims)

    def other(self, name: str, value: Any) -> Tensor:
        """Check and flatten a tensor of the shape of theta: solutions, which use nothing that theta forbids."""
        flat = self._alike(name, value)
        check_finite(f"{self.call}({name})", flat)
        if self.closed is not None and values_visible(flat) and bool((self.closed & (flat != 0)).any()):
            reject(f"{self.call}(theta)", f"must not forbid what {name} uses", "an infinity there")
        return flat

    def other_costs(self, name: str, value: Any) -> Tensor:
        """Check and flatten true costs (scores); returns what is to be maximised, 0 where theta forbids."""
        flat = self._alike(name, value)
        if self.closed is not None:
            flat = flat.masked_fill(self.closed, 0.0)
        check_finite(f"{self.call}({name})", flat, "What it forbids, theta must forbid as well.")
        return flat if self.sign == 1 else -flat

    def _alike(self, name: str, value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            rule = "must be a torch.Tensor"
            reject_type(f"{self.call}({name})", rule, value, "Convert it with torch.as_tensor(...).")
        if value.shape != self.batch + self.event:
            reject(f"{self.call}({name})", f"must have the shape {(*self.batch, *self.event)} of theta", value)
        if value.dtype.is_complex:
            reject_type(f"{self.call}({name})", "must be real", value)
        if value.device != self.scores.device:
            rule = f"must be on the device of theta ({self.scores.device})"
            reject(f"{self.call}({name})", rule, str(value.device))
        value = value.to(self.scores.dtype)
        return value if len(self.batch) == 1 else flatten_batch(value, self.event_dims)

    def maximise(self, scores: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Mask]:
        """Solve ``scores (*samples, N, *event)``, or those of some ``rows`` of the batch only.

        Returns:
            Solutions of the same shape, zero where there is none, and ``(*samples, N)``: is there one.
        """
        lead = scores.shape[: scores.ndim - 1 - self.event_dims]
        size = scores.shape[len(lead)]
        flat = self._thetas(scores.detach(), rows)
        flat = flat.reshape(math.prod(lead) * size, *self.event) if lead else flat
        if flat.numel() == 0:  # nothing to solve, and not every solver can say so
            return torch.zeros_like(scores), None
        repeated = {name: _repeat(value, math.prod(lead), rows) for name, value in self.instance.items()}
        with torch.no_grad():
            y = self._checked(self.solver(flat, **repeated), flat)
        if _counters and not torch.compiler.is_compiling():
            for counter in _counters:
                counter.calls += flat.shape[0]
        visible = values_visible(y)
        if visible and all_finite(y):
            return y.reshape(scores.shape), None
        good = y.isfinite().flatten(1).all(1)
        if visible and not bool(good.all()):
            failed = int((~good).sum())
            text = f"{self.call}: the solver gave no solution for {failed} of {len(good)} problems; they are masked."
            warnings.warn(text, SolverWarning, stacklevel=4)
        y = torch.where(good.reshape(-1, *(1 for _ in self.event)), y, 0.0)
        return y.reshape(scores.shape), good.reshape(*lead, size)

    def _thetas(self, scores: Tensor, rows: Tensor | None) -> Tensor:
        """What the solver gets: costs or scores, signs kept if wanted, infinities where theta had them."""
        thetas = scores if self.sign == 1 else -scores
        if self.keep_sign:
            own = self.sign * (self.scores if rows is None else self.scores[rows]).detach()
            thetas = torch.where(own >= 0, thetas.clamp_min(0.0), thetas.clamp_max(0.0))
        if self.closed is not None:
            closed = self.closed if rows is None else self.closed[rows]
            thetas = thetas.masked_fill(closed, -math.inf if self.sign == 1 else math.inf)
        return thetas

    def _checked(self, y: Any, flat: Tensor) -> Tensor:
        if not isinstance(y, Tensor):
            rule = "must return a tensor of the shape of theta"
            reject_type(f"{self.call}: the solver", rule, y, "Wrap a NumPy function in Solver(fn, batched=False).")
        if y.shape != flat.shape:
            rule = f"must return solutions of the shape of theta, {tuple(flat.shape)}"
            remedy = f"It was called on problems of {self.event_dims} dimensions: set event_dims if that is wrong."
            reject(f"{self.call}: the solver", rule, y, remedy)
        return y.detach().to(flat.dtype)

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """``<a, b>`` over the event."""
        return (a * b).sum(self.events)

    def spread(self, x: Tensor) -> Tensor:
        """Append the dimensions of the event, of size 1."""
        return x.reshape(*x.shape, *(1 for _ in self.event))

    def mean(self, values: Tensor, good: Mask) -> Tensor:
        """Mean over the samples (dimension 0) that have a solution; zero where none has."""
        if good is None:
            return values.mean(0)
        count = good.sum(0).clamp_min(1).to(values.dtype)
        extra = (1,) * (values.ndim - good.ndim)
        kept = torch.where(good.reshape(*good.shape, *extra), values, 0.0)
        return kept.sum(0) / count.reshape(*count.shape, *extra)

    def masked(self, values: Tensor, good: Mask) -> Tensor:
        """``values (N,)`` where there is a solution, zero elsewhere."""
        return values if good is None else torch.where(good, values, 0.0)

    def kept(self, values: Tensor, good: Mask) -> Tensor:
        """``values (N, *event)`` where there is a solution, zero elsewhere."""
        return values if good is None else torch.where(self.spread(good), values, 0.0)

    def restore(self, y: Tensor) -> Tensor:
        """Return ``(N, *event)`` as ``(*batch, *event)`` in the dtype of theta."""
        return y.reshape(*self.batch, *self.event).to(self.dtype)

    def restore_samples(self, y: Tensor) -> Tensor:
        """Return ``(K, N, ...)`` as ``(K, *batch, ...)`` in the dtype of theta."""
        return y.reshape(y.shape[0], *self.batch, *y.shape[2:]).to(self.dtype)

    def restore_values(self, value: Tensor) -> Tensor:
        """Return ``(N,)`` as ``(*batch,)``."""
        return value.reshape(self.batch)


def _repeat(value: Any, count: int, rows: Tensor | None) -> Any:
    """Repeat a batch of instances for ``count`` samples, the sample being the slower index."""
    if not isinstance(value, Tensor):
        return value
    value = value if rows is None else value[rows]
    if count == 1:
        return value
    return value.unsqueeze(0).expand(count, *value.shape).reshape(count * value.shape[0], *value.shape[1:])
