"""Weighted automata in batches: lattices of interpretations, and the graph transformer's operations on them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, final

import torch

from algonets._core.backend import native, use_native
from algonets._core.checks import check_at_least, check_finite_or_minus_inf, check_floating
from algonets._core.errors import reject, reject_type, require
from algonets._core.numerics import product_or_zero
from algonets.dp import _lattice_graph as graphs
from algonets.dp._lattice_graph import EPSILON, Graph
from algonets.dp._lattice_weights import final_sums, integers, log_scatter, offsets, picked, sums_of
from algonets.semirings import KMax, Log, MaxPlus, Semiring

__all__ = ["Lattice"]


class _Order(NamedTuple):
    """States by level, arcs by target, as the recursions need them."""

    levels: list[int]  # how many states each level has
    arcs: torch.Tensor  # number of the arc in each place
    first: torch.Tensor  # (N + 1): places of the arcs into each state in order
    source: torch.Tensor  # (A): the arc's source, counted in order
    states: torch.Tensor  # (N): number of the state in each place


@final
class Lattice:
    r"""Weighted finite-state automata, one for each example of a batch; a path's score is the sum of its weights.

    .. math:: s(\text{path}) = \sum_{a \in \text{path}} w_a + \text{final}_{\text{last state}}, \qquad
              \text{forward} = \log \sum_{\text{paths}} e^{s(\text{path})}

    Each arc reads an input label and writes an output label; :data:`Lattice.EPSILON` (-1) stands for none. An acceptor
    is an automaton whose arcs write what they read. All examples live in one list of states and one of arcs, so that
    they may differ in shape. Operations that make new automata (:meth:`compose`, ...) add up weights with torch:
    gradients flow through them into the automata that went in. This is a *graph transformer network*.

    Args:
        source, target: States of each arc, integers ``(A,)``.
        weight: Scores ``(A,)``; -inf forbids.
        states: How many states.
        starts: The start states, with score 0.
        finals: The final states.
        final_weight: Their scores; 0 by default.
        labels: What each arc reads, ``(A,)``; epsilon by default.
        outputs: What each arc writes; the same as ``labels`` by default.

    For a batch use :meth:`stack`. Structures go in and out as *parts*: how often a path takes each arc, ``(A,)``, so
    that the losses of the library work.

    Raises:
        ValueError, TypeError: shapes that do not fit, states out of range, NaN or +inf weights.

    Differentiability: any order in the weights.

    Cost: sums and best paths ``O(A)``; composition at most the product of both numbers of arcs, in Python.

    References:
        L. Bottou, Y. LeCun, Y. Bengio, *Global Training of Document Processing Systems Using Graph Transformer
        Networks*, CVPR 1997. Y. LeCun et al., Proceedings of the IEEE 86(11), 1998, sections IV to VIII.
        M. Mohri, *Weighted Automata Algorithms*, 2009. A. Hannun et al., *Differentiable Weighted Finite-State
        Transducers*, 2020.

    Example:
        >>> weight = torch.tensor([1.0, 0.0, 2.0])
        >>> lattice = Lattice([0, 0, 1], [1, 1, 2], weight, states=3, starts=[0], finals=[2], labels=[5, 6, 7])
        >>> lattice.viterbi()[0].tolist(), lattice.paths()
        ([3.0], [[5, 7]])
        >>> word = Lattice.from_lexicon([[6, 7]])
        >>> lattice.intersect(word).forward().tolist()
        [2.0]
    """

    EPSILON = EPSILON

    def __init__(
        self,
        source: Any,
        target: Any,
        weight: torch.Tensor,
        states: int,
        starts: Sequence[int],
        finals: Sequence[int],
        final_weight: torch.Tensor | None = None,
        labels: Any = None,
        outputs: Any = None,
    ):
        weight = check_floating("Lattice(weight)", weight)
        require(weight.ndim == 1, "Lattice(weight)", "must have shape (A,)", weight)
        check_finite_or_minus_inf("Lattice(weight)", weight)
        states = check_at_least("Lattice(states)", states, 1)
        count = len(weight)
        ends = [integers(name, x, count) for name, x in (("source", source), ("target", target))]
        reads = [EPSILON] * count if labels is None else integers("labels", labels, count)
        writes = reads if outputs is None else integers("outputs", outputs, count)
        starts, finals = (integers(n, x, None) for n, x in (("starts", starts), ("finals", finals)))
        for name, numbers in (("source", ends[0]), ("target", ends[1]), ("starts", starts), ("finals", finals)):
            good = all(0 <= s < states for s in numbers)
            require(good, f"Lattice({name})", f"must be in 0 .. {states - 1}", numbers)
        if final_weight is None:
            final_weight = weight.new_zeros(len(finals))
        final_weight = check_floating("Lattice(final_weight)", final_weight)
        good = final_weight.shape == (len(finals),)
        require(good, "Lattice(final_weight)", f"must have {len(finals)} entries", final_weight)
        check_finite_or_minus_inf("Lattice(final_weight)", final_weight)
        arcs = list(zip(*ends, reads, writes, strict=True))
        self._fill([Graph(states, arcs, starts, finals)], weight, final_weight)

    def _fill(self, members: list[Graph], weight: torch.Tensor, final_weight: torch.Tensor) -> None:
        self._graphs = members
        self._weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
        self._final = final_weight.to(self._weight)
        self._kept: _Order | None = None

    @classmethod
    def _make(cls, members: list[Graph], weight: torch.Tensor, final_weight: torch.Tensor) -> "Lattice":
        lattice = cls.__new__(cls)
        lattice._fill(members, weight, final_weight)
        return lattice

    # ---- construction --------------------------------------------------------------------------------------------

    @classmethod
    def stack(cls, lattices: Sequence["Lattice"]) -> "Lattice":
        """Return one batch of several lattices."""
        if not lattices or not all(isinstance(lattice, Lattice) for lattice in lattices):
            reject_type("Lattice.stack(lattices)", "must be a sequence of one Lattice or more", lattices)
        members = [graph for lattice in lattices for graph in lattice._graphs]
        weights, finals = (torch.cat([getattr(x, name) for x in lattices]) for name in ("_weight", "_final"))
        return cls._make(members, weights, finals)

    @classmethod
    def from_lexicon(cls, words: Sequence[Sequence[int]], weight: torch.Tensor | None = None) -> "Lattice":
        """Return an acceptor of some words, a prefix tree.

        Args:
            words: Each a sequence of labels; two words may be the same and then add up.
            weight: A score for each word; 0 by default.
        """
        require(len(words) > 0, "Lattice.from_lexicon(words)", "must hold at least one word", words)
        tree: dict[tuple[int, int], int] = {}
        finals = []
        for word in words:
            state = 0
            for label in word:
                state = tree.setdefault((state, int(label)), len(tree) + 1)
            finals.append(state)
        weight = torch.zeros(len(words)) if weight is None else check_floating("Lattice.from_lexicon(weight)", weight)
        good = weight.shape == (len(words),)
        require(good, "Lattice.from_lexicon(weight)", f"must have {len(words)} entries", weight)
        arcs = [(source, target, label, label) for (source, label), target in tree.items()]
        return cls._make([Graph(len(tree) + 1, arcs, [0], finals)], weight.new_zeros(len(arcs)), weight)

    @classmethod
    def from_ctc_topology(cls, symbols: int, blank: int = 0, dtype: torch.dtype = torch.float32) -> "Lattice":
        """Return the transducer from labellings of frames to targets: repeats merged, blanks removed."""
        symbols = check_at_least("Lattice.from_ctc_topology(symbols)", symbols, 1)
        require(0 <= blank < symbols, "Lattice.from_ctc_topology(blank)", f"must be in 0 .. {symbols - 1}", blank)
        arcs = []  # state = last label; the blank's is the start
        for before in range(symbols):
            for label in range(symbols):
                silent = label in (blank, before)
                arcs.append((before, label, label, EPSILON if silent else label))
        return cls._make(
            [Graph(symbols, arcs, [blank], list(range(symbols)))],
            torch.zeros(len(arcs), dtype=dtype),
            torch.zeros(symbols, dtype=dtype),
        )

    @classmethod
    def from_scores(cls, scores: torch.Tensor, lengths: torch.Tensor | None = None) -> "Lattice":
        """Return acceptors of all label sequences, from scores ``(T, S)`` or ``(B, T, S)`` of the labels of frames."""
        scores = check_floating("Lattice.from_scores(scores)", scores)
        require(scores.ndim in (2, 3), "Lattice.from_scores(scores)", "must have shape (T, S) or (B, T, S)", scores)
        check_finite_or_minus_inf("Lattice.from_scores(scores)", scores)
        batch = scores if scores.ndim == 3 else scores.unsqueeze(0)
        steps, symbols = batch.shape[1:]
        sizes = [steps] * len(batch) if lengths is None else lengths.reshape(-1).tolist()
        members = [Graph(n + 1, [(t, t + 1, s, s) for t in range(n) for s in range(symbols)], [0], [n]) for n in sizes]
        rows = [row[:n].reshape(-1) for row, n in zip(batch, sizes, strict=True)]
        weight = torch.cat([batch.new_zeros(0), *rows])
        return cls._make(members, weight, weight.new_zeros(len(members)))

    # ---- what it holds ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many examples."""
        return len(self._graphs)

    def __getitem__(self, index: int) -> "Lattice":
        """One example."""
        arcs = [len(g.arcs) for g in self._graphs]
        finals = [len(g.finals) for g in self._graphs]
        return self._make([self._graphs[index]], self._weight.split(arcs)[index], self._final.split(finals)[index])

    def __repr__(self) -> str:
        states = sum(g.states for g in self._graphs)
        return f"Lattice(batch=({len(self)},), states={states}, arcs={len(self._weight)})"

    @property
    def weight(self) -> torch.Tensor:
        """Scores of all arcs ``(A,)``."""
        return self._weight

    @property
    def arcs(self) -> torch.Tensor:
        """Example, source, target, input and output of all arcs, ``(A, 5)``; states count from 0 in each example."""
        rows = [(b, *arc) for b, graph in enumerate(self._graphs) for arc in graph.arcs]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 5)

    def with_weight(self, weight: torch.Tensor) -> "Lattice":
        """Return the same automata with other scores ``(A,)`` of their arcs."""
        weight = check_floating("Lattice.with_weight(weight)", weight)
        good = weight.shape == self._weight.shape
        require(good, "Lattice.with_weight(weight)", f"must have {len(self._weight)} entries", weight)
        check_finite_or_minus_inf("Lattice.with_weight(weight)", weight)
        copy = self._make(self._graphs, weight, self._final)
        copy._kept = self._kept
        return copy

    # ---- algebra -----------------------------------------------------------------------------------------------------

    def compose(self, other: "Lattice") -> "Lattice":
        """Return the transducers that feed what these write into ``other``.

        Args:
            other: As many automata, or one for all; one of these serves all of ``other`` likewise. Either may have
                cycles (a closure); the result must be without to be summed.
        """
        return self._combine("compose", other)

    def intersect(self, other: "Lattice") -> "Lattice":
        """Return acceptors of what both read: :meth:`compose` for acceptors.

        Raises:
            ValueError: where an arc writes something else than it reads.
        """
        for name, lattice in (("self", self), ("other", other)):
            good = all(arc[2] == arc[3] for graph in lattice._graphs for arc in graph.arcs)
            require(good, f"Lattice.intersect({name})", "must be an acceptor", lattice, "Use compose().")
        return self._combine("intersect", other)

    def _combine(self, method: str, other: Any) -> "Lattice":
        call = f"Lattice.{method}(other)"
        if not isinstance(other, Lattice):
            reject_type(call, "must be a Lattice", other)
        n, m = len(self), len(other)
        require(n == m or 1 in (n, m), call, f"must have {n} automata or one", other)
        begins = [offsets(x._graphs) for x in (self, other)]
        members, columns = [], [[], [], [], []]
        for b in range(max(n, m)):
            which = (b if n > 1 else 0, b if m > 1 else 0)
            made = graphs.compose(self._graphs[which[0]], other._graphs[which[1]])
            members.append(made.graph)
            for side, (arcs, finals) in enumerate(((made.left, made.left_final), (made.right, made.right_final))):
                graph = (self, other)[side]._graphs[which[side]]
                first_arc, first_final = begins[side][0][which[side]], begins[side][1][which[side]]
                columns[side] += [k + first_arc if k >= 0 else -1 for k in arcs]
                columns[2 + side] += [(graph, s, first_final) for s in finals]
        weight = picked(self._weight, columns[0]) + picked(other._weight.to(self._weight), columns[1])
        final = final_sums(self._final, columns[2]) + final_sums(other._final.to(self._final), columns[3])
        return self._make(members, weight, final)

    def closure(self) -> "Lattice":
        """Return automata that take any number of these one after the other (Kleene's star): they have cycles."""
        members, order, finals = [], [], []
        arc = end = 0
        for graph in self._graphs:
            hub = graph.states
            back = [(s, hub, EPSILON, EPSILON) for s in graph.finals]
            into = [(hub, s, EPSILON, EPSILON) for s in graph.starts]
            members.append(Graph(hub + 1, [*graph.arcs, *back, *into], [hub], [hub]))
            order += [*range(arc, arc + len(graph.arcs)), *[-1] * (len(back) + len(into))]
            finals += [*[-1] * len(graph.arcs), *range(end, end + len(back)), *[-1] * len(into)]
            arc, end = arc + len(graph.arcs), end + len(graph.finals)
        weight = picked(self._weight, order) + picked(self._final, finals)
        return self._make(members, weight, weight.new_zeros(len(members)))

    def remove_epsilon(self) -> "Lattice":
        """Return automata with the same paths but without arcs that neither read nor write.

        Paths of epsilons go into the arc that follows, one arc for each path, so that in every semiring the sum stays
        the same; those that end go into final weights, added up by log-sum-exp.

        Raises:
            ValueError: where epsilons form a cycle.
        """
        members, pieces, endings = [], [], []
        arc = end = 0
        for graph in self._graphs:
            paths = graphs.epsilon_paths(graph)
            if paths is None:
                return reject("Lattice.remove_epsilon()", "must have no cycle of epsilons", self)
            place = {s: k for k, s in enumerate(graph.finals)}
            loud = [(k, a) for k, a in enumerate(graph.arcs) if (a[2], a[3]) != (EPSILON, EPSILON)]
            leaving: dict[int, list] = {}
            for k, a in loud:
                leaving.setdefault(a[0], []).append((k, a))
            arcs, finals = [], []
            for state, ways in paths.items():
                ends = [[e + end for e in [place[q]]] + [k + arc for k in path] for q, path in ways if q in place]
                if ends:
                    finals.append(state)
                    endings.append(ends)
                for q, path in ways:
                    for k, a in leaving.get(q, ()):
                        arcs.append((state, *a[1:]))
                        pieces.append([k + arc, *[j + arc for j in path]])
            members.append(Graph(graph.states, arcs, graph.starts, finals))
            arc, end = arc + len(graph.arcs), end + len(graph.finals)
        weight = sums_of(self._weight, pieces)
        flat = [way for ways in endings for way in ways]
        scores = picked(self._final, [way[0] for way in flat]) + sums_of(self._weight, [way[1:] for way in flat])
        groups = scores.split([len(ways) for ways in endings])
        final = torch.stack([Log().plus(group, 0) for group in groups]) if groups else scores
        return self._make(members, weight, final)

    # ---- sums and best paths ----------------------------------------------------------------------------------------

    def forward(self, semiring: Semiring | None = None) -> torch.Tensor:
        """Return the sum over all paths of each example, ``(B,)``: log-sum-exp, or that of any semiring.

        -inf, with a zero gradient, where there is no path. Differentiability: any order.

        Raises:
            ValueError: where an automaton has a cycle.
        """
        if semiring is None:
            return self._run()
        if not isinstance(semiring, Semiring):
            reject_type("Lattice.forward(semiring)", "must be a Semiring or None", semiring)
        return semiring.lower(self._reference(semiring, self._weight, self._final))

    def log_partition(self) -> torch.Tensor:
        """Return :meth:`forward`."""
        return self._run()

    def max(self) -> torch.Tensor:
        """Return the score of the best path, ``(B,)``. Differentiability: piecewise linear."""
        best, arcs, ends = self._solve(True)
        owner, final_owner = self._owners()
        total = self._per_example(product_or_zero(arcs, self._weight), owner)
        total = total + self._per_example(product_or_zero(ends, self._final), final_owner)
        return torch.where(best == -math.inf, torch.full_like(total, -math.inf), total)

    def argmax(self) -> torch.Tensor:
        """Return which arcs the best paths take, 0/1 ``(A,)``."""
        return self._solve(True)[1]

    def viterbi(self) -> tuple[torch.Tensor, list[list[int]]]:
        """Return the score of the best path of each example, ``(B,)``, and its arcs in order."""
        return self.max(), self._ordered(self.argmax())

    def paths(self) -> list[list[int]]:
        """Return what the best path of each example writes, without epsilons."""
        table = self.arcs
        return [[o for o in table[path, 4].tolist() if o != EPSILON] for path in self._ordered(self.argmax())]

    def k_best(self, k: int) -> tuple[torch.Tensor, list[list[list[int]]]]:
        """Return the k best scores ``(B, k)``, -inf where there are fewer, and the arcs of these paths in order."""
        k = check_at_least("Lattice.k_best(k)", k, 1)
        with torch.enable_grad():
            x, f = self._weight.detach().requires_grad_(), self._final.detach()
            values = self._reference(KMax(k), x, f)
            found: list[list[list[int]]] = [[] for _ in self._graphs]
            for rank in range(k):
                arcs = torch.zeros_like(x)
                if values.requires_grad:
                    (arcs,) = torch.autograd.grad(values[:, rank].sum(), x, retain_graph=True)
                for b, path in enumerate(self._ordered(arcs)):
                    if values[b, rank] > -math.inf:
                        found[b].append(path)
        return self.forward(KMax(k)), found

    def marginals(self) -> torch.Tensor:
        """Return the probability that a path takes each arc, ``(A,)``. Differentiability: any order."""
        if torch.is_grad_enabled() and (self._weight.requires_grad or self._final.requires_grad):
            return torch.func.grad(lambda w: self._reference(Log(), w, self._final).sum())(self._weight)
        return self._solve(False)[1]

    def score(self, parts: torch.Tensor) -> torch.Tensor:
        """Return the score of paths given by how often they take each arc, ``(B,)``, final weights left out.

        To have final weights in it, add an arc to one last state instead.
        """
        good = isinstance(parts, torch.Tensor) and parts.shape == self._weight.shape
        require(good, "Lattice.score(parts)", f"must have {len(self._weight)} entries", parts)
        return self._per_example(product_or_zero(parts.to(self._weight), self._weight), self._owners()[0])

    def log_prob(self, parts: torch.Tensor) -> torch.Tensor:
        """Return :meth:`score` minus :meth:`forward`, ``(B,)``."""
        return self.score(parts) - self.forward()

    def hamming(self, parts: torch.Tensor, margin: float = 1.0) -> "Lattice":
        """Return the lattice in which every arc that given paths do not take gains ``margin``."""
        return self.with_weight(self._weight + margin * (1 - parts.to(self._weight)))

    # ---- private ----------------------------------------------------------------------------------------------------

    def _owners(self) -> tuple[torch.Tensor, torch.Tensor]:
        device = self._weight.device
        counts = [[len(getattr(g, n)) for g in self._graphs] for n in ("arcs", "finals")]
        sizes = [torch.tensor(row, dtype=torch.int64, device=device) for row in counts]
        number = torch.arange(len(self), device=device)
        return torch.repeat_interleave(number, sizes[0]), torch.repeat_interleave(number, sizes[1])

    def _per_example(self, values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(len(self)).index_add(0, owner, values)

    def _ordered(self, taken: torch.Tensor) -> list[list[int]]:
        first = 0
        answer = []
        flags = (taken > 0).tolist()
        for graph in self._graphs:
            after = {graph.arcs[k][0]: k for k in range(len(graph.arcs)) if flags[first + k]}
            targets = {graph.arcs[k][1] for k in after.values()}
            begins = [s for s in graph.starts if s in after and s not in targets]
            path, state = [], begins[0] if begins else -1
            while state in after:
                path.append(first + after[state])
                state = graph.arcs[after[state]][1]
            answer.append(path)
            first += len(graph.arcs)
        return answer

    def _order(self) -> _Order:
        if self._kept is None:
            rows, first_state, levels = [], 0, []
            for graph in self._graphs:
                found = graphs.topological(graph.states, graph.arcs)
                if found is None:
                    reject("Lattice.forward()", "must have no cycles", self, "Compose a closure with something finite.")
                levels += found
                rows += [(s + first_state, t + first_state) for s, t, _, _ in graph.arcs]
                first_state += graph.states
            level = torch.tensor(levels)
            states = torch.argsort(level, stable=True)
            place = torch.empty_like(states)
            place[states] = torch.arange(len(states))
            table = torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)
            source, target = place[table[:, 0]], place[table[:, 1]]
            arcs = torch.argsort(target, stable=True)
            count = torch.bincount(target, minlength=len(states))
            first = torch.cat([torch.zeros(1, dtype=torch.int64), count.cumsum(0)])
            self._kept = _Order(torch.bincount(level).tolist(), arcs, first, source[arcs], states)
        return self._kept

    def _ends(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """In the order of states: start flags, example; for each final state its place and its example."""
        order, flags, owner, finals, first = self._order(), [], [], [], 0
        for b, graph in enumerate(self._graphs):
            flag = [False] * graph.states
            for s in graph.starts:
                flag[s] = True
            flags += flag
            owner += [b] * graph.states
            finals += [s + first for s in graph.finals]
            first += graph.states
        place = torch.empty_like(order.states)
        place[order.states] = torch.arange(len(order.states))
        start, example = torch.tensor(flags)[order.states], torch.tensor(owner)[order.states]
        ends = place[torch.tensor(finals, dtype=torch.int64)]
        return start, example, ends, example[ends]

    def _reference(self, semiring: Semiring, weight: torch.Tensor, final: torch.Tensor) -> torch.Tensor:
        """(B,) elements, a level of states at a time."""
        if not self._graphs:
            return semiring.full(semiring.zero, (0,), semiring.lift(weight))
        order, (start, _, ends, owner) = self._order(), self._ends()
        device = weight.device
        lifted = semiring.lift(torch.cat([weight, weight.new_full((1,), -math.inf)]))  # the last is padding
        one = semiring.full(semiring.one, (1,), lifted)
        zero = semiring.full(semiring.zero, (1,), lifted)
        first = order.first.tolist()
        alpha, done = zero, 0  # place 0 is impossible
        for size in order.levels:
            counts = [first[s + 1] - first[s] for s in range(done, done + size)]
            width = max([*counts, 0])
            pick = torch.full((size, width), len(weight))
            come = torch.zeros(size, width, dtype=torch.int64)
            for row, count in enumerate(counts):
                begin = first[done + row]
                pick[row, :count] = order.arcs[begin : begin + count]
                come[row, :count] = order.source[begin : begin + count] + 1
            begins = semiring.where(start[done : done + size].to(device), one, zero).unsqueeze(1)
            ways = semiring.times(alpha[come.to(device)], lifted[pick.to(device)])
            alpha = torch.cat([alpha, semiring.plus(torch.cat([begins, ways], 1), 1)])
            done += size
        ended = semiring.times(alpha[(ends + 1).to(device)], semiring.lift(final))
        return torch.stack([semiring.plus(torch.cat([zero, ended[owner == b]]), 0) for b in range(len(self))])

    def _solve(self, maximum: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B,) values, (A,) marginals of arcs and (F,) of final states; indicators of the best path."""
        weight, final = self._weight.detach(), self._final.detach()
        if not self._graphs:
            return weight.new_zeros(0), torch.zeros_like(weight), torch.zeros_like(final)
        if use_native("Lattice", weight):
            return self._kernel(weight, final, maximum, True)

        def total(w: torch.Tensor, f: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value = self._reference(MaxPlus() if maximum else Log(), w, f)
            return value.sum(), value

        (arcs, ends), value = torch.func.grad(total, (0, 1), has_aux=True)(weight, final)
        return value, arcs, ends

    def _kernel(
        self, weight: torch.Tensor, final: torch.Tensor, maximum: bool, wanted: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        order, (start, example, ends, _) = self._order(), self._ends()
        every = weight.new_full((len(order.states),), -math.inf)
        every = every.scatter_reduce(0, ends, final, "amax") if maximum else log_scatter(every, ends, final)
        value = weight.new_empty(len(self))
        arcs, places = torch.zeros_like(weight), torch.zeros_like(every)
        native().lattice_run(
            order.first,
            order.source,
            weight[order.arcs].contiguous(),
            every,
            start.to(torch.uint8),
            example,
            maximum,
            value,
            arcs if wanted else None,
            places if wanted else None,
        )
        by_arc = torch.zeros_like(arcs)
        by_arc[order.arcs] = arcs
        share = (final - every[ends]).exp() if not maximum else (final == every[ends]).to(final)
        share = torch.where(final == -math.inf, torch.zeros_like(final), share)
        return value, by_arc, places[ends] * share

    def _run(self) -> torch.Tensor:
        if self._graphs and use_native("Lattice", self._weight):
            return _Sum.apply(self._weight, self._final, self)  # pyright: ignore[reportReturnType]
        return self._reference(Log(), self._weight, self._final)


class _Sum(torch.autograd.Function):
    """Log-sums over paths by the kernel; a second derivative differentiates the recursion."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, final: torch.Tensor, lattice: Lattice) -> torch.Tensor:
        wanted = any(ctx.needs_input_grad)
        value, arcs, ends = lattice._kernel(weight.detach(), final.detach(), False, wanted)
        ctx.lattice = lattice
        ctx.save_for_backward(weight, final, arcs, ends)
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        (grad,) = grads
        weight, final, arcs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():
            wanted = [t for t in (weight, final) if t.requires_grad]
            total = ctx.lattice._reference(Log(), weight, final)
            found = iter(torch.autograd.grad(total, wanted, grad, create_graph=True, allow_unused=True))
            return *(next(found) if t.requires_grad else None for t in (weight, final)), None
        owner, final_owner = ctx.lattice._owners()
        return grad[owner] * arcs, grad[final_owner] * ends, None
