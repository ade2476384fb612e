"""How many patterns a network of n units keeps: random ones, and digits."""

from typing import Any

import torch
from torch import Tensor

from algonets.experiments.memory.recall import RULES, hopfield
from algonets.memory import Hopfield, as_signs, overlap

__all__ = ["EXPECTED", "correlation", "digit_capacity", "random_capacity", "random_overlaps"]

EXPECTED = {0.10: 0.998, 0.138: 0.95, 0.15: 0.77, 0.20: 0.31}
"""Hebb's mean overlap after settling from stored random patterns, n = 2000; by load P / n."""

LOADS = (0.05, 0.08, 0.10, 0.12, 0.138, 0.15, 0.17, 0.20)
RULE_LOADS = (0.05, 0.10, 0.15, 0.20, 0.30, 0.50, 0.75, 1.0)


def random_signs(count: int, n: int, seed: int) -> Tensor:
    """Patterns ``(count, n)`` of fair coins."""
    return as_signs(torch.rand(count, n, generator=torch.Generator().manual_seed(seed)) < 0.5)


def random_overlaps(n: int = 2000, tried: int = 100, seed: int = 0) -> dict[str, float]:
    """Store random patterns by Hebb's rule, settle from them, and measure the overlap with where one ends.

    Near 0.138 n it falls suddenly: the noise of the other patterns drives the state away, all the way.
    """
    found = {}
    for load in LOADS:
        patterns = random_signs(round(load * n), n, seed)
        memory = Hopfield(n).store(patterns)
        first = patterns[:tried]
        found[f"{load:g}"] = round(float(overlap(memory(first), first).mean()), 4)
    return found


def random_capacity(n: int = 400, seed: int = 0) -> dict[str, dict[str, float]]:
    """Share of random patterns that are fixed points, percent, for every rule and load."""
    return {
        rule: {
            f"{load:g}": _kept(hopfield(rule, patterns), patterns)
            for load in RULE_LOADS
            for patterns in [random_signs(round(load * n), n, seed)]
        }
        for rule in RULES
        if rule != "hebb_centred"  # of fair coins it is Hebb's
    }


def digit_capacity(patterns: Tensor, counts: list[int]) -> dict[str, dict[str, float]]:
    """Share of the first so many digits that are fixed points, percent, for every rule."""
    return {
        rule: {str(count): _kept(hopfield(rule, patterns[:count]), patterns[:count]) for count in counts}
        for rule in RULES
    }


def correlation(patterns: Tensor) -> dict[str, Any]:
    """Why Hebb's rule keeps few digits: how alike they are, as they are and less their mean activity.

    The field of a stored pattern is itself plus, from each of the others, itself times the overlap. Of P fair coins
    these add up to noise of size ``sqrt(P / n)``; of alike patterns to ``P`` times the overlap, all in one direction.
    """
    count = len(patterns)
    other = ~torch.eye(count, dtype=torch.bool)
    activity = float(patterns.mean())
    centred = patterns - activity
    alike = (patterns @ patterns.mT / patterns.shape[1])[other]
    left = (centred @ centred.mT / centred.square().sum(-1).mean())[other]
    strengths = torch.linalg.svdvals(patterns.double()).square()
    return {
        "mean_activity": round(activity, 3),
        "mean_overlap": round(float(alike.mean()), 3),
        "mean_overlap_centred": round(float(left.mean()), 3),
        "first_direction": round(100 * float(strengths[0] / strengths.sum()), 1),
    }


def _kept(memory: Hopfield, patterns: Tensor) -> float:
    return round(100 * float((memory.stability(patterns) >= 0).all(-1).float().mean()), 1)
