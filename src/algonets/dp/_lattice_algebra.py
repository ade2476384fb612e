"""Operations that make new automata: their graphs on the host, their weights added up with torch."""

import itertools

import torch

from algonets._core.errors import reject
from algonets.dp import _lattice_graph as graphs
from algonets.dp._lattice_graph import EPSILON, Graph
from algonets.dp._lattice_sums import Automata
from algonets.dp._lattice_weights import final_sums, picked, sums_of
from algonets.semirings import Log

__all__ = ["closure", "compose", "remove_epsilon"]


def _offsets(members: list[Graph]) -> tuple[list[int], list[int]]:
    """Where the arcs and the final states of each example begin."""
    sizes = [len(graph.arcs) for graph in members], [len(graph.finals) for graph in members]
    return tuple(list(itertools.accumulate(row, initial=0)) for row in sizes)  # pyright: ignore[reportReturnType]


def compose(a: Automata, b: Automata) -> Automata:
    """Feed what ``a`` writes into ``b``; either may be one automaton for all of the other's."""
    n, m = len(a.members), len(b.members)
    begins = [_offsets(x.members) for x in (a, b)]
    members: list[Graph] = []
    arcs: tuple[list[torch.Tensor], ...] = ([], [])
    finals: tuple[list[tuple[Graph, torch.Tensor, int]], ...] = ([], [])
    for k in range(max(n, m) if min(n, m) else 0):
        which = (k if n > 1 else 0, k if m > 1 else 0)
        made = graphs.compose(a.members[which[0]], b.members[which[1]])
        members.append(made.graph)
        for side, (came, ends) in enumerate(((made.left, made.left_final), (made.right, made.right_final))):
            graph = (a, b)[side].members[which[side]]
            arcs[side].append(torch.where(came < 0, -1, came + begins[side][0][which[side]]))
            finals[side].append((graph, ends, begins[side][1][which[side]]))
    none = torch.zeros(0, dtype=torch.int64)
    left, right = (torch.cat([none, *parts]) for parts in arcs)
    weight = picked(a.weight, left) + picked(b.weight.to(a.weight), right)
    final = final_sums(a.final, finals[0]) + final_sums(b.final.to(a.weight), finals[1])
    return Automata(members, weight, final)


def closure(a: Automata) -> Automata:
    """Add to each automaton a state that is start and end, with epsilons to its starts and from its ends."""
    members, arcs, finals = [], [], []
    for graph, arc, end in zip(a.members, *_offsets(a.members), strict=False):
        hub = graph.states
        ends, starts, own = len(graph.finals), len(graph.starts), len(graph.arcs)

        def silent(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return torch.stack([source, target, *[torch.full_like(source, EPSILON)] * 2], 1)

        back = silent(graph.finals, torch.full_like(graph.finals, hub))
        into = silent(torch.full_like(graph.starts, hub), graph.starts)
        members.append(Graph(hub + 1, torch.cat([graph.arcs, back, into]), [hub], [hub]))
        nothing = torch.full((own + ends + starts,), -1)
        arcs.append(nothing.clone().index_copy(0, torch.arange(own), torch.arange(arc, arc + own)))
        finals.append(nothing.index_copy(0, torch.arange(own, own + ends), torch.arange(end, end + ends)))
    none = torch.zeros(0, dtype=torch.int64)
    weight = picked(a.weight, torch.cat([none, *arcs])) + picked(a.final, torch.cat([none, *finals]))
    return Automata(members, weight, weight.new_zeros(len(members)))


def remove_epsilon(a: Automata) -> Automata:
    """Put paths of epsilons into the arc that follows, and those that end into final weights."""
    members, pieces, endings = [], [], []
    for graph, arc, end in zip(a.members, *_offsets(a.members), strict=False):
        paths = graphs.epsilon_paths(graph)
        if paths is None:
            return reject(
                "Lattice.remove_epsilon()", "must have no cycle of epsilons", f"one in example {len(members)}"
            )
        places: dict[int, list[int]] = {}
        for k, state in enumerate(graph.finals.tolist()):
            places.setdefault(state, []).append(k)
        leaving: dict[int, list] = {}
        for k, row in enumerate(graph.arcs.tolist()):
            if (row[2], row[3]) != (EPSILON, EPSILON):
                leaving.setdefault(row[0], []).append((k, row))
        arcs, finals = [], []
        for state, ways in paths.items():
            ends = [[e + end, *[k + arc for k in path]] for q, path in ways for e in places.get(q, ())]
            if ends:
                finals.append(state)
                endings.append(ends)
            for q, path in ways:
                for k, row in leaving.get(q, ()):
                    arcs.append((state, *row[1:]))
                    pieces.append([k + arc, *[j + arc for j in path]])
        members.append(Graph(graph.states, arcs, graph.starts, finals))
    weight = sums_of(a.weight, pieces)
    flat = [way for ways in endings for way in ways]
    first = torch.tensor([way[0] for way in flat], dtype=torch.int64)
    scores = picked(a.final, first) + sums_of(a.weight, [way[1:] for way in flat])
    parts = scores.split([len(ways) for ways in endings])
    final = torch.stack([Log().plus(part, 0) for part in parts]) if endings else scores
    return Automata(members, weight, final)
