"""Running a circuit on packed bits: the native program, and its reference in NumPy."""

from typing import Any

import numpy as np
import torch

from algonets._core.backend import active_backend, get_num_threads, native, native_status

__all__ = ["Runtime", "as_bits", "as_rows", "pack_bits", "simplify"]

_BLOCK = 1 << 12


def _use_native() -> bool:
    return native_status()[0] and active_backend() != "torch"


def simplify(inputs: int, arrays: tuple[np.ndarray, ...], shorten: bool) -> tuple[np.ndarray, ...]:
    """Build the and-xor graph of a netlist: literals a and b, kinds, literals of the outputs."""
    first, second, table, outputs = arrays
    if not _use_native():
        from algonets.logic._simplify import reference

        return reference(inputs, first, second, table, outputs, shorten)
    gates = len(table)
    a, b = np.empty(gates, np.uint32), np.empty(gates, np.uint32)
    kind, literals = np.empty(gates, np.uint8), np.empty(len(outputs), np.uint32)
    count = native().circuit_simplify(inputs, first, second, table, outputs, shorten, a, b, kind, literals)
    return a[:count].copy(), b[:count].copy(), kind[:count].copy(), literals


class Runtime:
    """What runs a graph: counts of the groups for packed bits, bytes or floats."""

    def __init__(self, inputs: int, graph: tuple[np.ndarray, ...], ends: np.ndarray, thresholds: np.ndarray):
        self.inputs, self.graph, self.ends = inputs, graph, ends
        self.above = np.ascontiguousarray(thresholds, np.float32)
        # x > t is x >= floor(t) + 1 for whole numbers; bytes end at 255.
        least = np.floor(self.above.astype(np.float64)) + 1
        self.at_least = np.clip(least, 0, 255).astype(np.uint8)
        live = np.zeros((len(least), -(-least.shape[1] // 64) * 64), np.uint8)
        live[:, : least.shape[1]] = least <= 255
        words = np.packbits(live, axis=1, bitorder="little")
        self.live = words.view(np.int64) if words.size else words.reshape(len(least), 0).astype(np.int64)
        self.program: Any = None
        if native_status()[0]:
            self.program = native().CircuitProgram(inputs, *graph, ends)

    def bytes_rows(self, x: np.ndarray) -> np.ndarray:
        """Count for uint8 ``(N, features)``."""
        if not _use_native():
            return self._rows(x.astype(np.float32) > self.above[:, None])
        scores = np.empty((len(x), len(self.ends)), np.int32)
        self.program.run_bytes(x, self.at_least, self.live, scores, get_num_threads())
        return scores

    def float_rows(self, x: np.ndarray) -> np.ndarray:
        """Count for float32 ``(N, features)``."""
        if not _use_native():
            return self._rows(x > self.above[:, None])
        scores = np.empty((len(x), len(self.ends)), np.int32)
        self.program.run_floats(x, self.above, scores, get_num_threads())
        return scores

    def words(self, words: np.ndarray, samples: int) -> np.ndarray:
        """Count for packed bits, int64 ``(inputs, >= samples / 64)``, sample s in bit s % 64 of word s // 64."""
        scores = np.empty((samples, len(self.ends)), np.int32)
        if not _use_native():
            for start in range(0, samples, _BLOCK):
                stop = min(start + _BLOCK, samples)
                scores[start:stop] = self._reference(words[:, start // 64 : -(-stop // 64)])[: stop - start]
            return scores
        self.program.run_words(words, samples, scores, get_num_threads())
        return scores

    def _rows(self, bits: np.ndarray) -> np.ndarray:
        """Count for booleans ``(bits, N, features)``."""
        rows = as_bits(bits)
        return self.words(pack_bits(rows), len(rows))

    def _reference(self, words: np.ndarray) -> np.ndarray:
        """One NumPy operation a gate."""
        a, b, kind, literals = self.graph
        values = np.zeros((1 + self.inputs + len(a), words.shape[1]), np.int64)
        values[1 : 1 + self.inputs] = words

        def read(literal: int) -> np.ndarray:
            return ~values[literal >> 1] if literal & 1 else values[literal >> 1]

        for gate, (x, y, k) in enumerate(zip(a.tolist(), b.tolist(), kind.tolist(), strict=True)):
            values[1 + self.inputs + gate] = read(x) ^ read(y) if k else read(x) & read(y)
        bits = values[literals >> 1] ^ -(literals & 1).astype(np.int64)[:, None]
        unpacked = np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), axis=1, bitorder="little")
        starts = np.concatenate(([0], self.ends))[:-1]
        parts = [unpacked[i:j].sum(0, dtype=np.int32) for i, j in zip(starts, self.ends, strict=True)]
        return np.stack(parts, 1) if parts else np.zeros((unpacked.shape[1], 0), np.int32)


def as_bits(bits: np.ndarray) -> np.ndarray:
    """Booleans ``(bits, N, features)`` to the input bits ``(N, bits features)``."""
    each, rows, features = bits.shape
    return bits.transpose(1, 0, 2).reshape(rows, each * features)


def pack_bits(rows: np.ndarray) -> np.ndarray:
    """Booleans ``(N, inputs)`` to int64 words ``(inputs, ceil(N / 64))``."""
    samples = -(-len(rows) // 64) * 64
    padded = np.zeros((rows.shape[1], samples), np.uint8)
    padded[:, : len(rows)] = rows.T != 0
    packed = np.packbits(padded, axis=1, bitorder="little")
    return packed.view(np.int64) if packed.size else np.zeros((rows.shape[1], samples // 64), np.int64)


def as_rows(x: torch.Tensor, features: int) -> np.ndarray:
    """A tensor as contiguous rows in NumPy."""
    return x.detach().cpu().reshape(-1, features).contiguous().numpy()
