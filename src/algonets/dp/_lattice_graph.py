"""Automata as graphs: composition, epsilon paths, levels. Host code on index tensors; no weights change here.

What an operation makes is described by *which* arcs each new arc consists of, so that the caller adds up weights with
torch and gradients flow to the automata that went in.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, final

import torch

from algonets._core.backend import native, use_native

__all__ = ["EPSILON", "Graph", "Made", "Order", "compose", "epsilon_paths", "levels"]

EPSILON = -1


class Order(NamedTuple):
    """States by level, arcs by target, as the recursions need them."""

    level: torch.Tensor  # (N): of the state in each place
    states: torch.Tensor  # (N): number of the state in each place
    place: torch.Tensor  # (N): its inverse
    arcs: torch.Tensor  # (A): number of the arc in each place
    count: torch.Tensor  # (N): how many arcs lead into the state in each place
    source: torch.Tensor  # (A): place of the source of the arc in each place


@final
class Graph:
    """One automaton: states 0 .. n - 1, arcs (A, 4) of source, target, input and output, starts and finals."""

    def __init__(self, states: int, arcs: Any, starts: Any, finals: Any):
        self.states = states
        self.arcs = _int64(arcs).reshape(-1, 4).contiguous()
        self.starts, self.finals = _int64(starts), _int64(finals)
        self._order: Order | None = None

    def order(self) -> Order | None:
        """Return the order for recursions, found once; ``None`` where there is a cycle."""
        if self._order is None:
            level = levels(self.states, self.arcs)
            if level is None:
                return None
            states = torch.argsort(level, stable=True)
            place = torch.empty_like(states)
            place[states] = torch.arange(self.states)
            target = place[self.arcs[:, 1]]
            arcs = torch.argsort(target, stable=True)
            count = torch.bincount(target, minlength=self.states)
            self._order = Order(level[states], states, place, arcs, count, place[self.arcs[arcs, 0]])
        return self._order


def _int64(numbers: Any) -> torch.Tensor:
    return numbers if isinstance(numbers, torch.Tensor) else torch.tensor(numbers, dtype=torch.int64)


class Made(NamedTuple):
    """A new automaton, and for each arc and final state what it came from (-1: nothing)."""

    graph: Graph
    left: torch.Tensor  # arc of the first automaton
    right: torch.Tensor  # arc of the second
    left_final: torch.Tensor  # state of the first, for each final
    right_final: torch.Tensor


def compose(a: Graph, b: Graph) -> Made:
    """Match outputs of ``a`` with inputs of ``b``.

    Epsilons move alone. A filter lets those of ``a`` come before those of ``b`` between two matches, so that no pair of
    paths is counted twice. States from which no final one can be reached are left out.
    """
    if not use_native("Lattice.compose"):
        return _compose(a, b)
    states, *parts = native().lattice_compose(
        a.states, a.arcs, a.starts, a.finals, b.states, b.arcs, b.starts, b.finals
    )
    arcs, starts, finals, *origin = (
        torch.frombuffer(bytearray(part), dtype=torch.int64) if part else torch.zeros(0, dtype=torch.int64)
        for part in parts
    )
    return Made(Graph(states, arcs, starts, finals), *origin)


def _leaving(arcs: Iterable[Sequence[int]]) -> dict[int, list[int]]:
    table: dict[int, list[int]] = defaultdict(list)
    for number, arc in enumerate(arcs):
        table[arc[0]].append(number)
    return table


def _compose(a: Graph, b: Graph) -> Made:
    """Do the same in Python: the reference."""
    arcs_a, arcs_b = a.arcs.tolist(), b.arcs.tolist()
    from_a = _leaving(arcs_a)
    by_label: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, arc in enumerate(arcs_b):
        by_label[arc[0], arc[2]].append(number)
    names: dict[tuple[int, int, int], int] = {}
    queue: deque[tuple[int, int, int]] = deque()

    def name(state: tuple[int, int, int]) -> int:
        if state not in names:
            names[state] = len(names)
            queue.append(state)
        return names[state]

    starts = [name((p, q, 0)) for p in a.starts.tolist() for q in b.starts.tolist()]
    arcs: list[tuple[int, ...]] = []
    came: list[tuple[int, int]] = []

    def add(source: int, target: tuple[int, int, int], labels: tuple[int, int], x: int, y: int) -> None:
        arcs.append((source, name(target), *labels))
        came.append((x, y))

    while queue:
        p, q, blocked = state = queue.popleft()
        source = names[state]
        for x in from_a[p]:
            _, after, label, out = arcs_a[x]
            if out == EPSILON:
                if not blocked:
                    add(source, (after, q, 0), (label, EPSILON), x, -1)
                continue
            for y in by_label[q, out]:
                add(source, (after, arcs_b[y][1], 0), (label, arcs_b[y][3]), x, y)
        for y in by_label[q, EPSILON]:
            add(source, (p, arcs_b[y][1], 1), (EPSILON, arcs_b[y][3]), -1, y)
    ends_a, ends_b = set(a.finals.tolist()), set(b.finals.tolist())
    finals = [(number, p, q) for (p, q, _), number in names.items() if p in ends_a and q in ends_b]
    return _trimmed(len(names), arcs, came, starts, finals)


def _trimmed(
    states: int,
    arcs: list[tuple[int, ...]],
    came: list[tuple[int, int]],
    starts: list[int],
    finals: list[tuple[int, int, int]],
) -> Made:
    """Leave out the states from which no final state can be reached (all are reached from a start)."""
    into = _leaving((arc[1], arc[0]) for arc in arcs)
    alive = {end for end, _, _ in finals}
    stack = [end for end, _, _ in finals]
    while stack:
        for arc in into[stack.pop()]:
            source = arcs[arc][0]
            if source not in alive:
                alive.add(source)
                stack.append(source)
    alive |= set(starts[:1])  # an automaton without paths keeps a state
    number = {state: k for k, state in enumerate(s for s in range(states) if s in alive)}
    kept = [k for k, arc in enumerate(arcs) if arc[0] in alive and arc[1] in alive]
    small = Graph(
        max(len(number), 1),
        [(number[s], number[t], i, o) for s, t, i, o in (arcs[k] for k in kept)],
        [number[s] for s in starts if s in alive],
        [number[end] for end, _, _ in finals],
    )
    left, right = _int64([came[k] for k in kept]).reshape(-1, 2).T
    return Made(small, left, right, _int64([p for _, p, _ in finals]), _int64([q for _, _, q in finals]))


def levels(states: int, arcs: torch.Tensor) -> torch.Tensor | None:
    """Return the level of every state (the longest way to it), or ``None`` where there is a cycle."""
    if use_native("Lattice"):
        level = torch.empty(states, dtype=torch.int64)
        return level if native().lattice_levels(states, arcs, arcs.new_zeros(0), level) else None
    rows = arcs.tolist()
    leaving = _leaving(rows)
    waiting, found = [0] * states, [0] * states
    for arc in rows:
        waiting[arc[1]] += 1
    stack = [s for s in range(states) if not waiting[s]]
    seen = 0
    while stack:
        state = stack.pop()
        seen += 1
        for target in (rows[k][1] for k in leaving[state]):
            found[target] = max(found[target], found[state] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                stack.append(target)
    return _int64(found) if seen == states else None


def epsilon_paths(graph: Graph) -> dict[int, list[tuple[int, list[int]]]] | None:
    """Return for each state the ends of all paths of epsilon arcs with their arcs, the empty one first.

    ``None`` where they form a cycle.
    """
    silent = (graph.arcs[:, 2:] == EPSILON).all(1).nonzero().flatten()
    level = levels(graph.states, graph.arcs[silent].contiguous())
    if level is None:
        return None
    leaving: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k, (source, target, _, _) in zip(silent.tolist(), graph.arcs[silent].tolist(), strict=True):
        leaving[source].append((k, target))
    paths: dict[int, list[tuple[int, list[int]]]] = {}
    for state in torch.argsort(level, descending=True).tolist():  # so that what follows is known: no recursion
        paths[state] = [(state, [])]
        paths[state] += [(end, [k, *rest]) for k, target in leaving[state] for end, rest in paths[target]]
    return {state: paths[state] for state in range(graph.states)}
