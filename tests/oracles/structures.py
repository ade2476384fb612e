"""Enumerate every structure of a small dynamic program, in plain Python: slow and obviously right.

A structure is a list of parts: index tuples, one list for each factor. No code is shared with the library.
"""

import itertools
import math

import torch

__all__ = [
    "Structures",
    "ctc_labellings",
    "derivations",
    "edit_scripts",
    "global_alignments",
    "hidden_states",
    "local_alignments",
    "second_order_labels",
    "segmentations",
    "trees_of_heads",
    "trees_of_spans",
    "warping_paths",
]


class Structures:
    """All structures of one example, with the factors that score them."""

    def __init__(self, factors, structures):
        self.factors = [factor.detach().double() for factor in factors]
        self.parts = [
            torch.stack([_indicator(factor.shape, one[k]) for one in structures])
            if structures
            else torch.zeros(0, *factor.shape, dtype=torch.float64)
            for k, factor in enumerate(self.factors)
        ]
        pairs = zip(self.parts, self.factors, strict=True)
        each = [torch.where(p == 0, 0.0, p * f).reshape(len(structures), -1).sum(1) for p, f in pairs]
        self.scores = torch.stack(each).sum(0)

    def log_partition(self, temperature=1.0):
        return temperature * torch.logsumexp(self.scores / temperature, 0)

    def max(self):
        return self.scores.max()

    def probabilities(self):
        return self.scores.softmax(0)

    def argmax(self):
        return tuple(p[int(self.scores.argmax())] for p in self.parts)

    def marginals(self):
        return tuple(torch.tensordot(self.probabilities(), p, 1) for p in self.parts)

    def entropy(self):
        p = self.probabilities()
        return -torch.where(p > 0, p * p.clamp_min(1e-300).log(), 0.0).sum()

    def kbest(self, k):
        best = self.scores[self.scores > -math.inf].sort(descending=True).values[:k]
        return torch.cat([best, best.new_full((k - len(best),), -math.inf)])

    def count(self):
        return (self.scores > -math.inf).sum().double()


def _indicator(shape, places):
    counts = torch.zeros(shape, dtype=torch.float64)
    for place in places:
        counts[place] += 1
    return counts


def segmentations(steps, longest, states):
    """Labelled segmentations: parts of (T, K, S) and of (S, S)."""

    def cuts(left):
        if left == 0:
            yield ()
        for size in range(1, min(longest, left) + 1):
            for rest in cuts(left - size):
                yield (size, *rest)

    found = []
    for sizes in cuts(steps):
        starts = [sum(sizes[:k]) for k in range(len(sizes))]
        for labels in itertools.product(range(states), repeat=len(sizes)):
            segments = [(t, size - 1, label) for t, size, label in zip(starts, sizes, labels, strict=True)]
            found.append((segments, list(itertools.pairwise(labels))))
    return found


def hidden_states(steps, states):
    """State sequences: parts of (S,), (S, S) and (T, S)."""
    return [
        ([z[0]], list(itertools.pairwise(z)), list(enumerate(z)))
        for z in itertools.product(range(states), repeat=steps)
    ]


def second_order_labels(steps, states):
    """Label sequences: parts of (T, S) and (S, S, S)."""
    return [
        (list(enumerate(y)), [y[t - 2 : t + 1] for t in range(2, steps)])
        for y in itertools.product(range(states), repeat=steps)
    ]


def _moves(n, m):
    """Paths of moves "match", "delete" and "insert" through an n by m grid."""
    if n == 0 and m == 0:
        yield ()
        return
    for move, (a, b) in {"match": (1, 1), "delete": (1, 0), "insert": (0, 1)}.items():
        if a <= n and b <= m:
            for rest in _moves(n - a, m - b):
                yield (move, *rest)


def _walk(moves, i=0, j=0):
    for move in moves:
        yield move, i, j
        i, j = i + (move != "insert"), j + (move != "delete")


def edit_scripts(n, m):
    """Edit scripts: parts of (n, m), (n,) and (m,)."""
    found = []
    for moves in _moves(n, m):
        steps = list(_walk(moves))
        found.append(
            (
                [(i, j) for move, i, j in steps if move == "match"],
                [i for move, i, _ in steps if move == "delete"],
                [j for move, _, j in steps if move == "insert"],
            )
        )
    return found


def _gaps(moves):
    runs = [(move, len(list(run))) for move, run in itertools.groupby(moves) if move != "match"]
    return len(runs), sum(size - 1 for _, size in runs)


def global_alignments(n, m, affine):
    """Global alignments: parts of (n, m), and of the scalars for opening and extending gaps (or for both in one)."""
    found = []
    for moves in _moves(n, m):
        opened, extended = _gaps(moves)
        matches = [(i, j) for move, i, j in _walk(moves) if move == "match"]
        gaps = ([()] * opened, [()] * extended) if affine else ([()] * (opened + extended),)
        found.append((matches, *gaps))
    return found


def local_alignments(n, m, affine):
    """Local alignments, the empty one too: each begins and ends with a match."""
    found = [([], [], []) if affine else ([], [])]
    for top, left in itertools.product(range(n), range(m)):
        for bottom, right in itertools.product(range(top, n), range(left, m)):
            for moves in _moves(bottom - top + 1, right - left + 1):
                if moves[0] == moves[-1] == "match":
                    opened, extended = _gaps(moves)
                    matches = [(i, j) for move, i, j in _walk(moves, top, left) if move == "match"]
                    gaps = ([()] * opened, [()] * extended) if affine else ([()] * (opened + extended),)
                    found.append((matches, *gaps))
    return found


def warping_paths(n, m):
    """Monotone paths of cells from corner to corner: parts of (n, m)."""

    def paths(i, j):
        if (i, j) == (n - 1, m - 1):
            yield ((i, j),)
            return
        for a, b in ((i + 1, j + 1), (i + 1, j), (i, j + 1)):
            if a < n and b < m:
                for rest in paths(a, b):
                    yield ((i, j), *rest)

    return [(list(path),) for path in paths(0, 0)]


def ctc_labellings(steps, symbols, target, blank=0):
    """Labellings of the frames that collapse to the target: parts of (T, S)."""
    found = []
    for labels in itertools.product(range(symbols), repeat=steps):
        merged = [label for label, _ in itertools.groupby(labels) if label != blank]
        if merged == list(target):
            found.append((list(enumerate(labels)),))
    return found


def trees_of_spans(n, labels):
    """Binary trees over n words with a label on every span: parts of (n, n, L)."""

    def trees(i, j):
        if i == j:
            yield ((i, j),)
            return
        for k in range(i, j):
            for left, right in itertools.product(list(trees(i, k)), list(trees(k + 1, j))):
                yield ((i, j), *left, *right)

    return [
        ([(i, j, label) for (i, j), label in zip(spans, chosen, strict=True)],)
        for spans in trees(0, n - 1)
        for chosen in itertools.product(range(labels), repeat=len(spans))
    ]


def derivations(n, nonterminals, preterminals):
    """Derivations of n words: parts of (n, P), (NT, S, S) and (NT,)."""
    symbols = nonterminals + preterminals

    def below(symbol, i, j):
        if symbol >= nonterminals:
            if i == j:
                yield ([(i, symbol - nonterminals)], [])
            return
        for k in range(i, j):
            for x, y in itertools.product(range(symbols), repeat=2):
                for a, b in itertools.product(list(below(x, i, k)), list(below(y, k + 1, j))):
                    yield (a[0] + b[0], [(symbol, x, y), *a[1], *b[1]])

    return [(terms, rules, [root]) for root in range(nonterminals) for terms, rules in below(root, 0, n - 1)]


def trees_of_heads(n, projective, single_root):
    """Dependency trees: parts of (n, n), the diagonal for roots."""

    def reaches(heads, word):
        seen = set()
        while heads[word] != word:
            if word in seen:
                return False
            seen.add(word)
            word = heads[word]
        return True

    def crosses(a, b):
        (i, j), (k, m) = sorted(a), sorted(b)
        return i < k < j < m or k < i < m < j

    found = []
    for heads in itertools.product(range(n), repeat=n):
        roots = [c for c in range(n) if heads[c] == c]
        if not roots or (single_root and len(roots) > 1) or not all(reaches(heads, c) for c in range(n)):
            continue
        arcs = [(h, c) for c, h in enumerate(heads) if h != c]
        over = any(min(arc) < root < max(arc) for arc in arcs for root in roots)
        if projective and (over or any(crosses(a, b) for a, b in itertools.combinations(arcs, 2))):
            continue
        found.append(([(h, c) for c, h in enumerate(heads)],))
    return found
