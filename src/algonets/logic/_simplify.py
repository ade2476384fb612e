"""Simplification of circuits in plain Python: the reference of ``native/circuit/simplify.cpp``, gate for gate."""

import numpy as np

__all__ = ["Graph", "reference"]


class Graph:
    """An and-xor graph under construction. Node 0 is the constant 0, then inputs, then gates; a literal is 2 node + 1
    if it is negated.
    """

    def __init__(self, inputs: int, simplify: bool):
        self.first_gate = 1 + inputs
        self.simplify = simplify
        self.gates: list[tuple[int, int, int]] = []  # literal, literal, 0: and, 1: xor
        self.known: dict[tuple[int, int, int], int] = {}

    def make(self, a: int, b: int, kind: int) -> int:
        """Add a gate, or find the same."""
        key = (min(a, b), max(a, b), kind)
        if self.simplify and key in self.known:
            return self.known[key]
        self.gates.append(key)
        self.known[key] = 2 * (self.first_gate + len(self.gates) - 1)
        return self.known[key]

    def parts(self, literal: int, kind: int) -> tuple[int, int] | None:
        """Inputs of the gate behind a literal, if it is of that kind."""
        if literal >> 1 < self.first_gate:
            return None
        a, b, found = self.gates[(literal >> 1) - self.first_gate]
        return (a, b) if found == kind else None

    def all(self, a: int, b: int) -> int:
        """Both."""
        if not self.simplify:
            return self.make(a, b, 0)
        if a == 0 or b == 0 or a == b ^ 1:
            return 0
        if a in (1, b):
            return b
        if b == 1:
            return a
        for x, y in ((a, b), (b, a)):
            inside = self.parts(y, 0)
            if inside is None:
                continue
            if not y & 1:
                if x in inside:
                    return y
                if x ^ 1 in inside:
                    return 0
            elif x ^ 1 in inside:
                return x
            elif x in inside:  # x and not (x and q) is x and not q
                return self.all(x, (inside[1] if inside[0] == x else inside[0]) ^ 1)
        left, right = self.parts(a, 0), self.parts(b, 0)
        if not a & 1 and not b & 1 and left and right and any(p ^ 1 in right for p in left):
            return 0
        return self.make(a, b, 0)

    def differ(self, a: int, b: int) -> int:
        """One but not both."""
        flip, a, b = (a ^ b) & 1, a & ~1, b & ~1
        if self.simplify:
            if a == 0 or b == 0:
                return (a | b) ^ flip
            if a == b:
                return flip
            for x, y in ((a, b), (b, a)):
                inside = self.parts(y, 1)
                if inside is not None and x in inside:
                    return (inside[1] if inside[0] == x else inside[0]) ^ flip
        return self.make(a, b, 1) ^ flip

    def function(self, table: int, a: int, b: int) -> int:
        """A gate by its number; a function and its complement share one."""
        if not self.simplify and table in (0, 15):
            return self.make(a & ~1, a & ~1, 1) ^ (table == 15)
        if not self.simplify and table in (3, 12):
            return self.make(a, a, 0) ^ (table == 12)
        if not self.simplify and table in (5, 10):
            return self.make(b, b, 0) ^ (table == 10)
        flip = table >> 3
        low = 15 - table if flip else table
        if low in (0, 3, 5):
            return {0: 0, 3: a, 5: b}[low] ^ flip
        if low == 6:
            return self.differ(a, b) ^ flip
        x, y = {1: (a, b), 2: (a, b ^ 1), 4: (a ^ 1, b), 7: (a ^ 1, b ^ 1)}[low]
        return self.all(x, y) ^ (low == 7) ^ flip

    def finish(self, outputs: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Keep what the outputs need: literals a and b, kinds, literals of the outputs."""
        live = [not self.simplify] * len(self.gates)
        wanted = [literal >> 1 for literal in outputs]
        for node in wanted:
            if node >= self.first_gate:
                live[node - self.first_gate] = True
        for g in range(len(self.gates) - 1, -1, -1):
            if live[g]:
                for literal in self.gates[g][:2]:
                    if literal >> 1 >= self.first_gate:
                        live[(literal >> 1) - self.first_gate] = True
        place = np.cumsum([0, *live])[:-1] if self.gates else np.zeros(0, np.int64)

        def moved(literal: int) -> int:
            node = literal >> 1
            return (
                literal
                if node < self.first_gate
                else 2 * (self.first_gate + int(place[node - self.first_gate])) + (literal & 1)
            )

        kept = [(moved(a), moved(b), kind) for (a, b, kind), keep in zip(self.gates, live, strict=True) if keep]
        a, b, kinds = zip(*kept, strict=True) if kept else ((), (), ())
        literals = np.array([moved(literal) for literal in outputs], np.uint32)
        return np.array(a, np.uint32), np.array(b, np.uint32), np.array(kinds, np.uint8), literals


def reference(
    inputs: int, first: np.ndarray, second: np.ndarray, table: np.ndarray, outputs: np.ndarray, simplify: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Build the graph of a netlist; see :meth:`Graph.finish` for the result."""
    graph = Graph(inputs, simplify)
    signal = [2 * (i + 1) for i in range(inputs)]
    for a, b, t in zip(first.tolist(), second.tolist(), table.tolist(), strict=True):
        signal.append(graph.function(t, signal[a], signal[b]))
    return graph.finish([signal[k] for k in outputs.tolist()])
