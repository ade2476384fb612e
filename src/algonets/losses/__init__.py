"""Losses that contain an algorithm: structured losses of a chain, and losses on soft orders."""

from algonets.losses.permutation import PermutationCrossEntropy
from algonets.losses.structured import nll, perceptron, structured_hinge
from algonets.losses.topk_cross_entropy import TopKCrossEntropy

__all__ = [
    "PermutationCrossEntropy",
    "TopKCrossEntropy",
    "nll",
    "perceptron",
    "structured_hinge",
]
