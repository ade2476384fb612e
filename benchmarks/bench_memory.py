"""Associative memories at scale: 10,000 patterns of 784 bits, 1,000 queries in a batch, beside NumPy; one thread.

NumPy does what one would write by hand: a matrix product of signs for the nearest pattern, a softmax of it for the
modern memory, a loop over the units for asynchronous updates. hflayers is in no package index; where it is installed
from its repository, its Hopfield layer with everything learnt switched off is timed, too.
"""

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch
from _timing import machine, milliseconds, save

import algonets as an
from algonets.memory import Hamming, Hopfield, ModernHopfield, as_signs, flip, hebb, pack, packed_hamming_distance

PATTERNS, UNITS, QUERIES, BETA = 10_000, 784, 1_000, 0.5
SETTLED = 118  # 0.15 n: what the classical network is meant to hold

try:
    from hflayers import Hopfield as PeerHopfield  # pyright: ignore[reportMissingImports]
except ImportError:
    PeerHopfield = None


def row(operation: str, ours: Callable[[], Any], theirs: Callable[[], Any] | None, peer: str = "NumPy") -> dict:
    fast = milliseconds(ours)
    slow = None if theirs is None else milliseconds(theirs)
    return {
        "operation": operation,
        "algonets ms": round(fast, 2),
        "peer": "" if slow is None else peer,
        "peer ms": "" if slow is None else round(slow, 2),
        "ratio": "" if slow is None else round(slow / fast, 2),
    }


def softmax(scores: numpy.ndarray) -> numpy.ndarray:
    weights = numpy.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def settle(states: numpy.ndarray, weights: numpy.ndarray) -> numpy.ndarray:
    """Asynchronous updates of a batch, unit by unit, until a sweep changes nothing."""
    states = states.copy()
    while True:
        before = states.copy()
        for unit in range(states.shape[1]):
            field = states @ weights[unit]
            states[:, unit] = numpy.where(field > 0, 1, numpy.where(field < 0, -1, states[:, unit]))
        if (states == before).all():
            return states


def rows() -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    patterns = as_signs(torch.rand(PATTERNS, UNITS, generator=generator) < 0.5)
    queries = flip(patterns[:QUERIES], 0.2, generator)
    x, q = patterns.numpy(), queries.numpy()
    hamming, packed = Hamming(UNITS).store(patterns), Hamming(UNITS, packed=True).store(patterns)
    modern = ModernHopfield(UNITS, BETA).store(patterns)
    bits, asked = pack(patterns), pack(queries)
    nearest = lambda: x[(q @ x.T).argmax(-1)]  # noqa: E731
    for memory in (hamming, packed, modern):
        assert torch.equal(torch.where(memory(queries) < 0, -1.0, 1.0), patterns[:QUERIES])  # noqa: S101
    result = [
        row("Hamming", lambda: hamming(queries), nearest),
        row("Hamming, MAXNET to its end (NumPy: argmax)", lambda: hamming(queries, race=True), nearest),
        row("Hamming, packed", lambda: packed(queries), nearest),
        row("distances of packed patterns", lambda: packed_hamming_distance(asked, bits), lambda: q @ x.T),
        row("modern, one update", lambda: modern(queries), lambda: softmax(BETA * (q @ x.T)) @ x),
        row("Hebb's matrix of all", lambda: hebb(patterns), lambda: x.T @ x / UNITS),
    ]
    if PeerHopfield is not None:
        options = {name: True for name in ("state_pattern_as_static", "stored_pattern_as_static")}
        options |= {"pattern_projection_as_static": True, "normalize_stored_pattern": False}
        options |= {"normalize_stored_pattern_affine": False, "normalize_state_pattern": False}
        options |= {"normalize_state_pattern_affine": False, "normalize_pattern_projection": False}
        options |= {"normalize_pattern_projection_affine": False, "disable_out_projection": True}
        layer = PeerHopfield(scaling=BETA, **options).eval()
        peer = lambda: layer((patterns[None], queries[None], patterns[None]))  # noqa: E731
        result.append(row("modern, one update", lambda: modern(queries), peer, "hflayers"))
    few = Hopfield(UNITS, "pseudo_inverse").store(patterns[:SETTLED])
    noisy = flip(patterns[torch.arange(QUERIES) % SETTLED], 0.2, generator)
    weights = few.weights.numpy()
    name = f"asynchronous settling, {SETTLED} patterns"
    result.append(row(name, lambda: few(noisy), lambda: settle(noisy.numpy(), weights)))

    def reference() -> torch.Tensor:
        with an.backend("torch"):
            return few(noisy)

    result.append(row(name, lambda: few(noisy), reference, "our torch reference"))
    return result


def main() -> None:
    torch.set_num_threads(1)
    start = time.perf_counter()
    found = rows()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about = machine("numpy") | {"patterns": str(PATTERNS), "units": str(UNITS), "queries": str(QUERIES)}
    save("memory_speed", about | {"peak memory of the process": f"{peak:.0f} MiB"}, found)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
