"""Weighted automata in batches: lattices of interpretations, and the graph transformer's operations on them."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch

from algonets._core.checks import check_at_least, check_finite_or_minus_inf, check_floating
from algonets._core.errors import reject_type, require
from algonets._core.numerics import product_or_zero
from algonets.dp import _lattice_algebra as algebra
from algonets.dp._chain_factors import check_lengths
from algonets.dp._lattice_graph import EPSILON, Graph
from algonets.dp._lattice_sums import Automata
from algonets.dp._lattice_weights import integers
from algonets.semirings import KMax, Log, Semiring

__all__ = ["Lattice"]


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
        ends = [integers(name, x, count, 0, states - 1) for name, x in (("source", source), ("target", target))]
        reads = torch.full((count,), EPSILON) if labels is None else integers("labels", labels, count, EPSILON)
        writes = reads if outputs is None else integers("outputs", outputs, count, EPSILON)
        first, last = (integers(n, x, None, 0, states - 1) for n, x in (("starts", starts), ("finals", finals)))
        if final_weight is None:
            final_weight = weight.new_zeros(len(last))
        final_weight = check_floating("Lattice(final_weight)", final_weight)
        good = final_weight.shape == (len(last),)
        require(good, "Lattice(final_weight)", f"must have {len(last)} entries", final_weight)
        check_finite_or_minus_inf("Lattice(final_weight)", final_weight)
        graph = Graph(states, torch.stack([*ends, reads, writes], 1), first, last)
        self._automata = Automata([graph], weight, final_weight)

    @classmethod
    def _of(cls, automata: Automata) -> "Lattice":
        lattice = cls.__new__(cls)
        lattice._automata = automata
        return lattice

    # ---- construction --------------------------------------------------------------------------------------------

    @classmethod
    def stack(cls, lattices: Sequence["Lattice"]) -> "Lattice":
        """Return one batch of several lattices."""
        if not lattices or not all(isinstance(lattice, Lattice) for lattice in lattices):
            reject_type("Lattice.stack(lattices)", "must be a sequence of one Lattice or more", lattices)
        parts = [lattice._automata for lattice in lattices]
        members = [graph for part in parts for graph in part.members]
        weights, finals = torch.cat([part.weight for part in parts]), torch.cat([part.final for part in parts])
        return cls._of(Automata(members, weights, finals))

    @classmethod
    def from_lexicon(cls, words: Sequence[Sequence[int]], weight: torch.Tensor | None = None) -> "Lattice":
        """Return an acceptor of some words, a prefix tree.

        Args:
            words: Each a sequence of labels; two words may be the same and then add up.
            weight: A score for each word; 0 by default.
        """
        require(len(words) > 0, "Lattice.from_lexicon(words)", "must hold at least one word", words)
        if not all(isinstance(word, Sequence) and all(type(x) is int and x >= 0 for x in word) for word in words):
            reject_type("Lattice.from_lexicon(words)", "must be sequences of labels, integers from 0 up", words)
        tree: dict[tuple[int, int], int] = {}
        finals = []
        for word in words:
            state = 0
            for label in word:
                state = tree.setdefault((state, label), len(tree) + 1)
            finals.append(state)
        weight = torch.zeros(len(words)) if weight is None else check_floating("Lattice.from_lexicon(weight)", weight)
        good = weight.shape == (len(words),)
        require(good, "Lattice.from_lexicon(weight)", f"must have {len(words)} entries", weight)
        arcs = [(source, target, label, label) for (source, label), target in tree.items()]
        graph = Graph(len(tree) + 1, arcs, [0], finals)
        return cls._of(Automata([graph], weight.new_zeros(len(arcs)), weight))

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
        graph = Graph(symbols, arcs, [blank], list(range(symbols)))
        zeros = torch.zeros(len(arcs) + symbols, dtype=dtype)
        return cls._of(Automata([graph], *zeros.split([len(arcs), symbols])))

    @classmethod
    def from_scores(cls, scores: torch.Tensor, lengths: torch.Tensor | None = None) -> "Lattice":
        """Return acceptors of all label sequences, from scores ``(T, S)`` or ``(B, T, S)`` of the labels of frames."""
        scores = check_floating("Lattice.from_scores(scores)", scores)
        require(scores.ndim in (2, 3), "Lattice.from_scores(scores)", "must have shape (T, S) or (B, T, S)", scores)
        check_finite_or_minus_inf("Lattice.from_scores(scores)", scores)
        batch = scores if scores.ndim == 3 else scores.unsqueeze(0)
        steps, symbols = batch.shape[1:]
        call, shape = "Lattice.from_scores(lengths)", batch.shape[:1]
        sizes = (
            [steps] * len(batch)
            if lengths is None
            else check_lengths(call, lengths, shape, steps, torch.device("cpu"), 0).tolist()
        )
        members = [Graph(n + 1, [(t, t + 1, s, s) for t in range(n) for s in range(symbols)], [0], [n]) for n in sizes]
        rows = [row[:n].reshape(-1) for row, n in zip(batch, sizes, strict=True)]
        weight = torch.cat([batch.new_zeros(0), *rows])
        return cls._of(Automata(members, weight, weight.new_zeros(len(members))))

    # ---- what it holds ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many examples."""
        return len(self._automata.members)

    def __getitem__(self, index: int) -> "Lattice":
        """One example."""
        whole = self._automata
        arcs, finals = ([len(getattr(g, name)) for g in whole.members] for name in ("arcs", "finals"))
        weight, final_weight = whole.weight.split(arcs)[index], whole.final.split(finals)[index]
        return self._of(Automata([whole.members[index]], weight, final_weight))

    def __repr__(self) -> str:
        states = sum(g.states for g in self._automata.members)
        return f"Lattice(batch=({len(self)},), states={states}, arcs={len(self.weight)})"

    @property
    def weight(self) -> torch.Tensor:
        """Scores of all arcs ``(A,)``."""
        return self._automata.weight

    @property
    def arcs(self) -> torch.Tensor:
        """Example, source, target, input and output of all arcs, ``(A, 5)``; states count from 0 in each example."""
        batch = [torch.zeros(0, 5, dtype=torch.int64)]
        for b, graph in enumerate(self._automata.members):
            batch.append(torch.nn.functional.pad(graph.arcs, (1, 0), value=b))
        return torch.cat(batch)

    def with_weight(self, weight: torch.Tensor) -> "Lattice":
        """Return the same automata with other scores ``(A,)`` of their arcs."""
        weight = check_floating("Lattice.with_weight(weight)", weight)
        good = weight.shape == self.weight.shape
        require(good, "Lattice.with_weight(weight)", f"must have {len(self.weight)} entries", weight)
        check_finite_or_minus_inf("Lattice.with_weight(weight)", weight)
        return self._of(self._automata.with_weight(weight))

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
            if not isinstance(lattice, Lattice):
                reject_type(f"Lattice.intersect({name})", "must be a Lattice", lattice)
            good = all(torch.equal(graph.arcs[:, 2], graph.arcs[:, 3]) for graph in lattice._automata.members)
            require(good, f"Lattice.intersect({name})", "must be an acceptor", lattice, "Use compose().")
        return self._combine("intersect", other)

    def _combine(self, method: str, other: Any) -> "Lattice":
        call = f"Lattice.{method}(other)"
        if not isinstance(other, Lattice):
            reject_type(call, "must be a Lattice", other)
        n, m = len(self), len(other)
        require(n == m or 1 in (n, m), call, f"must have {n} automata or one", other)
        return self._of(algebra.compose(self._automata, other._automata))

    def closure(self) -> "Lattice":
        """Return automata that take any number of these one after the other (Kleene's star): they have cycles."""
        return self._of(algebra.closure(self._automata))

    def remove_epsilon(self) -> "Lattice":
        """Return automata with the same paths but without arcs that neither read nor write.

        Paths of epsilons go into the arc that follows, one arc for each path, so that in every semiring the sum stays
        the same; those that end go into final weights, added up by log-sum-exp.

        Raises:
            ValueError: where epsilons form a cycle.
        """
        return self._of(algebra.remove_epsilon(self._automata))

    # ---- sums and best paths ----------------------------------------------------------------------------------------

    def forward(self, semiring: Semiring | None = None) -> torch.Tensor:
        """Return the sum over all paths of each example, ``(B,)``: log-sum-exp, or that of any semiring.

        -inf, with a zero gradient, where there is no path. Differentiability: any order.

        Raises:
            ValueError: where an automaton has a cycle.
        """
        if semiring is None:
            return self._automata.log_sum()
        if not isinstance(semiring, Semiring):
            reject_type("Lattice.forward(semiring)", "must be a Semiring or None", semiring)
        return semiring.lower(self._automata.reference(semiring, self.weight, self._automata.final))

    def log_partition(self) -> torch.Tensor:
        """Return :meth:`forward`."""
        return self._automata.log_sum()

    def max(self) -> torch.Tensor:
        """Return the score of the best path, ``(B,)``. Differentiability: piecewise linear."""
        whole = self._automata
        best, arcs, ends = whole.solve(True)
        total = whole.per_example(product_or_zero(arcs, whole.weight))
        total = total + whole.per_example(product_or_zero(ends, whole.final), "finals")
        return torch.where(best == -math.inf, torch.full_like(total, -math.inf), total)

    def argmax(self) -> torch.Tensor:
        """Return which arcs the best paths take, 0/1 ``(A,)``."""
        return self._automata.solve(True)[1]

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
            x, f = self.weight.detach().requires_grad_(), self._automata.final.detach()
            values = self._automata.reference(KMax(k), x, f)
            found: list[list[list[int]]] = [[] for _ in self._automata.members]
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
        whole = self._automata
        if torch.is_grad_enabled() and (whole.weight.requires_grad or whole.final.requires_grad):
            return torch.func.grad(lambda w: whole.reference(Log(), w, whole.final).sum())(whole.weight)
        return self._automata.solve(False)[1]

    def score(self, parts: torch.Tensor) -> torch.Tensor:
        """Return the score of paths given by how often they take each arc, ``(B,)``, final weights left out.

        To have final weights in it, add an arc to one last state instead.
        """
        good = isinstance(parts, torch.Tensor) and parts.shape == self.weight.shape
        require(good, "Lattice.score(parts)", f"must have {len(self.weight)} entries", parts)
        return self._automata.per_example(product_or_zero(parts.to(self.weight), self.weight))

    def log_prob(self, parts: torch.Tensor) -> torch.Tensor:
        """Return :meth:`score` minus :meth:`forward`, ``(B,)``."""
        return self.score(parts) - self.forward()

    def hamming(self, parts: torch.Tensor, margin: float = 1.0) -> "Lattice":
        """Return the lattice in which every arc that given paths do not take gains ``margin``."""
        return self.with_weight(self.weight + margin * (1 - parts.to(self.weight)))

    def _ordered(self, taken: torch.Tensor) -> list[list[int]]:
        """Numbers of the arcs that are taken, in the order of the path, for each example."""
        numbers = (taken > 0).nonzero().flatten()
        after: list[dict[int, tuple[int, int]]] = [{} for _ in range(len(self))]
        for number, row in zip(numbers.tolist(), self.arcs[numbers.cpu()].tolist(), strict=True):
            after[row[0]][row[1]] = (number, row[2])
        answer = []
        for graph, steps in zip(self._automata.members, after, strict=True):
            targets = {target for _, target in steps.values()}
            state = next((s for s in graph.starts.tolist() if s in steps and s not in targets), -1)
            path = []
            while state in steps:
                number, state = steps[state]
                path.append(number)
            answer.append(path)
        return answer
