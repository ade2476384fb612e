"""Automata as graphs: composition, epsilon paths, topological order. Host code on index lists; no weights change here.

What an operation makes is described by *which* arcs each new arc consists of, so that the caller adds up weights with
torch and gradients flow to the automata that went in.
"""

from collections import defaultdict, deque
from typing import NamedTuple

__all__ = ["EPSILON", "Graph", "Made", "compose", "epsilon_paths", "topological"]

EPSILON = -1
Arc = tuple[int, int, int, int]  # source, target, input, output


class Graph(NamedTuple):
    """One automaton: states 0 .. n - 1."""

    states: int
    arcs: list[Arc]
    starts: list[int]
    finals: list[int]


class Made(NamedTuple):
    """A new automaton, and for each arc and final state what it came from (-1: nothing)."""

    graph: Graph
    left: list[int]  # arc of the first automaton
    right: list[int]  # arc of the second
    left_final: list[int]  # state of the first, for each final
    right_final: list[int]


def _leaving(graph: Graph) -> dict[int, list[int]]:
    table: dict[int, list[int]] = defaultdict(list)
    for number, arc in enumerate(graph.arcs):
        table[arc[0]].append(number)
    return table


def compose(a: Graph, b: Graph) -> Made:
    """Match outputs of ``a`` with inputs of ``b``.

    Epsilons move alone. A filter lets those of ``a`` come before those of ``b`` between two matches, so that no pair of
    paths is counted twice.
    """
    from_a, from_b = _leaving(a), _leaving(b)
    by_label: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, arc in enumerate(b.arcs):
        by_label[arc[0], arc[2]].append(number)
    names: dict[tuple[int, int, int], int] = {}
    queue: deque[tuple[int, int, int]] = deque()

    def name(state: tuple[int, int, int]) -> int:
        if state not in names:
            names[state] = len(names)
            queue.append(state)
        return names[state]

    starts = [name((p, q, 0)) for p in a.starts for q in b.starts]
    arcs: list[Arc] = []
    left: list[int] = []
    right: list[int] = []

    def add(source: int, target: tuple[int, int, int], labels: tuple[int, int], x: int, y: int) -> None:
        arcs.append((source, name(target), *labels))
        left.append(x)
        right.append(y)

    while queue:
        p, q, blocked = state = queue.popleft()
        source = names[state]
        for x in from_a[p]:
            _, after, label, out = a.arcs[x]
            if out == EPSILON:
                if not blocked:
                    add(source, (after, q, 0), (label, EPSILON), x, -1)
                continue
            for y in by_label[q, out]:
                add(source, (after, b.arcs[y][1], 0), (label, b.arcs[y][3]), x, y)
        for y in from_b[q]:
            if b.arcs[y][2] == EPSILON:
                add(source, (p, b.arcs[y][1], 1), (EPSILON, b.arcs[y][3]), -1, y)
    ends_a, ends_b = set(a.finals), set(b.finals)
    finals = [(number, p, q) for (p, q, _), number in names.items() if p in ends_a and q in ends_b]
    graph = Graph(len(names), arcs, starts, [number for number, _, _ in finals])
    return _trimmed(Made(graph, left, right, [p for _, p, _ in finals], [q for _, _, q in finals]))


def _trimmed(made: Made) -> Made:
    """Leave out the states from which no final state can be reached (all are reached from a start)."""
    graph = made.graph
    into: dict[int, list[int]] = defaultdict(list)
    for source, target, _, _ in graph.arcs:
        into[target].append(source)
    alive, stack = set(graph.finals), list(graph.finals)
    while stack:
        for source in into[stack.pop()]:
            if source not in alive:
                alive.add(source)
                stack.append(source)
    alive |= set(graph.starts[:1])  # an automaton without paths keeps a state
    number = {state: k for k, state in enumerate(sorted(alive))}
    kept = [k for k, (source, target, _, _) in enumerate(graph.arcs) if source in alive and target in alive]
    arcs = [(number[s], number[t], i, o) for s, t, i, o in (graph.arcs[k] for k in kept)]
    starts = [number[s] for s in graph.starts if s in alive]
    small = Graph(max(len(number), 1), arcs, starts, [number[s] for s in graph.finals])
    return Made(small, [made.left[k] for k in kept], [made.right[k] for k in kept], made.left_final, made.right_final)


def topological(states: int, arcs: list[Arc]) -> list[int] | None:
    """Return the level of every state (the longest way to it), or ``None`` where there is a cycle."""
    waiting = [0] * states
    leaving: dict[int, list[int]] = defaultdict(list)
    for source, target, _, _ in arcs:
        waiting[target] += 1
        leaving[source].append(target)
    level = [0] * states
    stack = [s for s in range(states) if not waiting[s]]
    seen = 0
    while stack:
        state = stack.pop()
        seen += 1
        for target in leaving[state]:
            level[target] = max(level[target], level[state] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                stack.append(target)
    return level if seen == states else None


def epsilon_paths(graph: Graph) -> dict[int, list[tuple[int, list[int]]]] | None:
    """Return for each state the ends of all paths of epsilon arcs with their arcs, the empty one first.

    ``None`` where they form a cycle.
    """
    silent = [(k, arc) for k, arc in enumerate(graph.arcs) if arc[2] == EPSILON and arc[3] == EPSILON]
    if topological(graph.states, [arc for _, arc in silent]) is None:
        return None
    leaving: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k, arc in silent:
        leaving[arc[0]].append((k, arc[1]))
    paths: dict[int, list[tuple[int, list[int]]]] = {}

    def of(state: int) -> list[tuple[int, list[int]]]:
        if state not in paths:
            paths[state] = [(state, [])]
            paths[state] += [(end, [k, *rest]) for k, target in leaving[state] for end, rest in of(target)]
        return paths[state]

    return {state: of(state) for state in range(graph.states)}
