"""Sums and best paths over the automata of a lattice: by the kernel, or a level of states at a time in any semiring."""

import itertools
import math
from typing import Any, NamedTuple

import torch

from algonets._core.backend import native, use_native
from algonets._core.errors import reject
from algonets.dp._lattice_graph import Graph, Order
from algonets.dp._lattice_weights import log_scatter
from algonets.semirings import Log, MaxPlus, Semiring

__all__ = ["Automata"]


class _Batch(NamedTuple):
    """All examples in one row of states, each in its own order: what the kernel reads. Places count over all."""

    level: torch.Tensor  # (N)
    first: torch.Tensor  # (N + 1): places of the arcs into each state
    arcs: torch.Tensor  # (A): number of the arc in each place
    source: torch.Tensor  # (A): place of the source of the arc in each place
    start: torch.Tensor  # (N): bool
    example: torch.Tensor  # (N)
    ends: torch.Tensor  # (F): place of each final state


class Automata:
    """Graphs of some examples, the weights of all their arcs (A,) and of all their final states (F,)."""

    def __init__(self, members: list[Graph], weight: torch.Tensor, final_weight: torch.Tensor):
        self.members = members
        self.weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
        self.final = final_weight.to(self.weight)
        self._kept: _Batch | None = None

    def with_weight(self, weight: torch.Tensor) -> "Automata":
        """Return the same graphs with other weights."""
        copy = Automata(self.members, weight, self.final)
        copy._kept = self._kept
        return copy

    def batch(self) -> _Batch:
        """Return the order of all states and arcs, made once."""
        if self._kept is None:
            self._kept = _batch(self.members)
        return self._kept

    def owner(self, of: str = "arcs") -> torch.Tensor:
        """Return the example of each of the ``arcs`` or ``finals``."""
        sizes = torch.tensor([len(getattr(graph, of)) for graph in self.members], dtype=torch.int64)
        return torch.repeat_interleave(torch.arange(len(sizes)), sizes).to(self.weight.device)

    def per_example(self, values: torch.Tensor, of: str = "arcs") -> torch.Tensor:
        """Sum values of the ``arcs`` or ``finals`` of each example."""
        return values.new_zeros(len(self.members)).index_add(0, self.owner(of), values)

    def reference(self, semiring: Semiring, weight: torch.Tensor, final: torch.Tensor) -> torch.Tensor:
        """(B,) elements, a level of states at a time."""
        if not self.members:
            return semiring.full(semiring.zero, (0,), semiring.lift(weight))
        batch, device = self.batch(), weight.device
        lifted = semiring.lift(torch.cat([weight, weight.new_full((1,), -math.inf)]))  # the last is padding
        one = semiring.full(semiring.one, (1,), lifted)
        zero = semiring.full(semiring.zero, (1,), lifted)
        states = torch.argsort(batch.level, stable=True)  # of all examples, by level
        where = torch.empty_like(states)
        where[states] = torch.arange(1, len(states) + 1)  # place 0 is impossible
        alpha = zero
        for level in states.split(torch.bincount(batch.level).tolist()):
            begin, end = batch.first[level], batch.first[level + 1]
            at = begin.unsqueeze(1) + torch.arange(int((end - begin).max()))
            real = at < end.unsqueeze(1)
            at = torch.where(real, at, 0)
            pick = torch.where(real, batch.arcs[at], len(weight)) if at.numel() else at
            come = torch.where(real, where[batch.source[at]], 0) if at.numel() else at
            begins = semiring.where(batch.start[level].to(device), one, zero).unsqueeze(1)
            ways = semiring.times(alpha[come.to(device)], lifted[pick.to(device)])
            alpha = torch.cat([alpha, semiring.plus(torch.cat([begins, ways], 1), 1)])
        ended = semiring.times(alpha[where[batch.ends].to(device)], semiring.lift(final))
        each = ended.split([len(graph.finals) for graph in self.members])
        return torch.stack([semiring.plus(torch.cat([zero, part]), 0) for part in each])

    def solve(self, maximum: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B,) values, (A,) marginals of arcs and (F,) of final states; indicators of the best path."""
        weight, final = self.weight.detach(), self.final.detach()
        if not self.members:
            return weight.new_zeros(0), torch.zeros_like(weight), torch.zeros_like(final)
        if use_native("Lattice", weight):
            return self.kernel(weight, final, maximum, True)

        def total(w: torch.Tensor, f: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value = self.reference(MaxPlus() if maximum else Log(), w, f)
            return value.sum(), value

        (arcs, ends), value = torch.func.grad(total, (0, 1), has_aux=True)(weight, final)
        return value, arcs, ends

    def kernel(
        self, weight: torch.Tensor, final: torch.Tensor, maximum: bool, wanted: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Do what :meth:`solve` does by the native kernel; without the marginals unless ``wanted``."""
        batch = self.batch()
        every = weight.new_full((len(batch.level),), -math.inf)
        every = every.scatter_reduce(0, batch.ends, final, "amax") if maximum else log_scatter(every, batch.ends, final)
        value = weight.new_empty(len(self.members))
        arcs, places = torch.zeros_like(weight), torch.zeros_like(every)
        native().lattice_run(
            batch.first,
            batch.source,
            weight[batch.arcs],
            every,
            batch.start.view(torch.uint8),
            batch.example,
            maximum,
            value,
            arcs if wanted else None,
            places if wanted else None,
        )
        by_arc = torch.zeros_like(arcs)
        by_arc[batch.arcs] = arcs
        top = every[batch.ends]
        share = (final == top).to(final) if maximum else (final - torch.where(top == -math.inf, 0, top)).exp()
        if maximum:  # a state may be final twice: the first takes all
            share = share * _first_of_equal(batch.ends, share)
        share = torch.where(final == -math.inf, torch.zeros_like(final), share)
        return value, by_arc, places[batch.ends] * share

    def log_sum(self) -> torch.Tensor:
        """(B,) log-sums over paths, differentiable to any order."""
        if self.members and use_native("Lattice", self.weight):
            return _Sum.apply(self.weight, self.final, self)  # pyright: ignore[reportReturnType]
        return self.reference(Log(), self.weight, self.final)


def _first_of_equal(ends: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """1 for the first entry of each state that is best there, else 0."""
    if len(torch.unique(ends)) == len(ends):
        return torch.ones_like(share)
    number = torch.arange(len(ends))
    best = torch.full((int(ends.max()) + 1,), len(ends)).scatter_reduce(
        0, ends, torch.where(share > 0, number, len(ends)), "amin"
    )
    return (best[ends] == number).to(share)


def _batch(members: list[Graph]) -> _Batch:
    found = [graph.order() for graph in members]
    orders: list[Order] = [order for order in found if order is not None]
    if len(orders) < len(found):
        cyclic = [b for b, order in enumerate(found) if order is None]
        remedy = "Compose a closure with something finite."
        reject("Lattice.forward()", "must have no cycles", f"cycles in examples {cyclic}", remedy)

    def offsets(sizes: list[int]) -> list[int]:
        return list(itertools.accumulate(sizes, initial=0))[:-1]

    def joined(parts: list[torch.Tensor], shifts: list[int] | None = None) -> torch.Tensor:
        shifted = parts if shifts is None else [x + shift for x, shift in zip(parts, shifts, strict=True)]
        return torch.cat([torch.zeros(0, dtype=torch.int64), *shifted])

    def owners(sizes: list[int]) -> torch.Tensor:
        return torch.repeat_interleave(torch.arange(len(members)), torch.tensor(sizes, dtype=torch.int64))

    state = offsets([graph.states for graph in members])
    arc = offsets([len(graph.arcs) for graph in members])
    ends = joined([o.place[g.finals] for o, g in zip(orders, members, strict=True)], state)
    begins = joined([o.place[g.starts] for o, g in zip(orders, members, strict=True)], state)
    example = owners([graph.states for graph in members])
    start = torch.zeros(len(example), dtype=torch.bool)
    start[begins] = True
    count = joined([o.count for o in orders])
    return _Batch(
        level=joined([o.level for o in orders]),
        first=torch.cat([torch.zeros(1, dtype=torch.int64), count.cumsum(0)]),
        arcs=joined([o.arcs for o in orders], arc),
        source=joined([o.source for o in orders], state),
        start=start,
        example=example,
        ends=ends,
    )


class _Sum(torch.autograd.Function):
    """Log-sums over paths by the kernel; a second derivative differentiates the recursion."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, final: torch.Tensor, automata: Automata) -> torch.Tensor:
        wanted = any(ctx.needs_input_grad)
        value, arcs, ends = automata.kernel(weight.detach(), final.detach(), False, wanted)
        ctx.automata = automata
        ctx.save_for_backward(weight, final, arcs, ends)
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        (grad,) = grads
        weight, final, arcs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():
            wanted = [t for t in (weight, final) if t.requires_grad]
            total = ctx.automata.reference(Log(), weight, final)
            found = iter(torch.autograd.grad(total, wanted, grad, create_graph=True, allow_unused=True))
            return *(next(found) if t.requires_grad else None for t in (weight, final)), None
        return grad[ctx.automata.owner()] * arcs, grad[ctx.automata.owner("finals")] * ends, None
