"""What is recalled from noisy, covered, and unseen digits, by each memory; and how, step by step."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from algonets.memory import Hamming, Hopfield, ModernHopfield, flip, hamming_distance, occlude

__all__ = ["MEMORIES", "Recall", "Trace", "classify", "make_memory", "recall", "repeated", "trace"]

RULES = ("hebb", "hebb_centred", "storkey", "pseudo_inverse", "perceptron")
MEMORIES = (*RULES, "modern", "hamming")
NOISE = (0.0, 0.1, 0.2, 0.3, 0.4)
COVERED = (0.25, 0.5)
MODERN_UPDATES = 10


class Recall(NamedTuple):
    """How much came back.

    Attributes:
        exact: share of the queries for which every bit is right, percent.
        bits: bits right, percent.
    """

    exact: float
    bits: float


Memory = Callable[[Tensor], Tensor]
Update = Literal["synchronous", "asynchronous"]


def make_memory(name: str, patterns: Tensor, beta: float = 0.5, update: Update = "synchronous") -> Memory:
    """Store patterns ``(P, n)`` in one of the ``MEMORIES``; the result maps ``(B, n)`` signs to ``(B, n)`` signs.

    ``update`` is that of the classical networks: all units at once, or one after the other.
    """
    n = patterns.shape[-1]
    if name == "hamming":
        network = Hamming(n).store(patterns)
        return lambda queries: network(queries, race=True)
    if name == "modern":
        modern = ModernHopfield(n, beta, updates=MODERN_UPDATES).store(patterns)
        return lambda queries: torch.where(modern(queries) < 0, -1.0, 1.0)
    classical = hopfield(name, patterns)
    return lambda queries: classical(queries, update=update)


def hopfield(name: str, patterns: Tensor) -> Hopfield:
    """Store patterns in the classical network by one of the rules."""
    if name == "hebb_centred":
        return Hopfield(patterns.shape[-1], "hebb", centred=True).store(patterns)
    return Hopfield(patterns.shape[-1], name).store(patterns)  # pyright: ignore[reportArgumentType]


def recall(memory: Memory, patterns: Tensor, disturb: str, amount: float, draws: int, seed: int) -> Recall:
    """Disturb the stored patterns, recall, and compare.

    Args:
        memory: of :func:`make_memory`.
        patterns: ``(P, n)``, what is stored.
        disturb: ``flip`` a share of the bits at random, or ``occlude`` the last rows.
        amount: the share.
        draws: how often each pattern is disturbed.
        seed: of the noise.
    """
    right = patterns.repeat(draws, 1)
    noise = torch.Generator().manual_seed(seed)
    queries = flip(right, amount, noise) if disturb == "flip" else occlude(right, amount)
    same = memory(queries) == right
    return Recall(100 * float(same.all(-1).float().mean()), 100 * float(same.float().mean()))


def repeated(memory: Memory, patterns: Tensor, noise: float, draws: int) -> dict[str, float]:
    """Recall under many draws of noise: how many patterns come back, and in how many draws all of them do."""
    found = [recall(memory, patterns, "flip", noise, 1, seed).exact for seed in range(draws)]
    return {
        "draws": draws,
        "exact": round(sum(found) / draws, 2),
        "worst": round(min(found), 2),
        "draws_with_all": sum(value == 100 for value in found),
    }


def classify(memory: Memory, patterns: Tensor, labels: Tensor, unseen: Tensor, truth: Tensor) -> dict[str, float]:
    """Give unseen digits the label of the memory that they recall.

    Returns:
        Percent: ``accuracy`` by the stored pattern nearest to what was recalled (the first of equally near ones), and
        ``memories``: how often what was recalled is one of the stored patterns.
    """
    distance = hamming_distance(memory(unseen), patterns)
    found = labels[distance.argmin(-1)]
    return {
        "accuracy": round(100 * float((found == truth).float().mean()), 2),
        "memories": round(100 * float((distance.amin(-1) == 0).float().mean()), 2),
    }


class Trace(NamedTuple):
    """A recall step by step.

    Attributes:
        states: ``(K, n)``, some of the states on the way, the first and the last among them.
        steps: the updates before each of them.
        energies: after every update, per unit.
    """

    states: Tensor
    steps: list[int]
    energies: list[float]


def trace(memory: Hopfield, query: Tensor, shown: int, seed: int) -> Trace:
    """Follow asynchronous updates of one query ``(n,)`` in a random order, until a sweep changes nothing."""
    generator = torch.Generator().manual_seed(seed)
    state, states = query.clone(), [query.clone()]
    energies = [float(memory.energy(state)) / memory.n]
    for _ in range(20):
        before = state.clone()
        for unit in torch.randperm(memory.n, generator=generator).tolist():
            field = float(memory.weights[unit] @ state - memory.threshold[unit])
            if field * float(state[unit]) < -1e-6:
                state[unit] = -state[unit]
                # A flip lowers the energy by twice the field against it.
                energies.append(energies[-1] - 2 * abs(field) / memory.n)
                states.append(state.clone())
        if torch.equal(before, state):
            break
    steps = torch.linspace(0, len(states) - 1, shown).round().long().tolist()
    return Trace(torch.stack([states[k] for k in steps]), steps, energies)
