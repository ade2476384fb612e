"""The best spanning arborescence by contraction of cycles (Chu and Liu 1965, Edmonds 1967)."""

import numpy as np

__all__ = ["best_tree"]


def best_tree(scores: np.ndarray, single_root: bool) -> np.ndarray | None:
    """Return the head of each word in the best tree (itself for a root), or ``None`` where none is allowed.

    Args:
        scores: (n, n), from head to child, the diagonal from the root; -inf forbids.
        single_root: Whether exactly one word may depend on the root.
    """
    n = len(scores)
    full = np.full((n + 1, n + 1), -np.inf)  # node 0 is the root
    full[1:, 1:] = scores
    np.fill_diagonal(full, -np.inf)
    full[0, 1:] = np.diagonal(scores)
    if not single_root:
        return _words(_contract(full))
    best, value = None, -np.inf
    for root in range(1, n + 1):
        if full[0, root] == -np.inf:
            continue
        one = full.copy()
        one[0, 1:] = -np.inf
        one[0, root] = full[0, root]
        heads = _contract(one)
        if heads is None:
            continue
        score = float(one[heads[1:], np.arange(1, n + 1)].sum())
        if score > value:
            best, value = heads, score
    return _words(best)


def _words(heads: np.ndarray | None) -> np.ndarray | None:
    if heads is None:
        return None
    own = np.arange(len(heads) - 1)
    return np.where(heads[1:] == 0, own, heads[1:] - 1)


def _contract(scores: np.ndarray) -> np.ndarray | None:
    """Return the head of each node (of node 0, the root: 0) of (m, m) scores from head to child."""
    m = len(scores)
    if m == 1:
        return np.zeros(1, dtype=np.int64)
    heads = scores.argmax(0)
    heads[0] = 0
    if (scores[heads[1:], np.arange(1, m)] == -np.inf).any():
        return None
    cycle = _cycle(heads)
    if cycle is None:
        return heads
    inside = np.zeros(m, dtype=bool)
    inside[cycle] = True
    outside = np.flatnonzero(~inside)  # node 0 among them, first
    gain = scores[:, cycle] - scores[heads[cycle], cycle]  # of entering the cycle at a node instead of its own arc
    entry = gain[outside].argmax(1)
    exits = scores[np.ix_(cycle, outside)].argmax(0)
    small = np.full((len(outside) + 1, len(outside) + 1), -np.inf)
    small[:-1, :-1] = scores[np.ix_(outside, outside)]
    small[:-1, -1] = gain[outside, entry]
    small[-1, :-1] = scores[cycle[exits], outside]
    small[:, 0] = -np.inf
    found = _contract(small)
    if found is None:
        return None
    result = heads.copy()
    for place, node in enumerate(outside):
        if place:
            result[node] = cycle[exits[place]] if found[place] == len(outside) else outside[found[place]]
    into = found[-1]
    result[cycle[entry[into]]] = outside[into]
    return result


def _cycle(heads: np.ndarray) -> np.ndarray | None:
    """Return the nodes of a cycle of the head function, or ``None``."""
    state = np.zeros(len(heads), dtype=np.int64)  # 0 unseen, else the walk that saw it
    state[0] = -1
    for start in range(1, len(heads)):
        node = start
        while state[node] == 0:
            state[node] = start
            node = heads[node]
        if state[node] == start:
            cycle = [node]
            while heads[cycle[-1]] != node:
                cycle.append(heads[cycle[-1]])
            return np.array(cycle)
    return None
