"""Losses that contain an algorithm: structured losses of a chain, and losses on soft orders."""

from algonets.losses.neural_ndcg import NeuralNDCG
from algonets.losses.permutation import PermutationCrossEntropy
from algonets.losses.pirank import PiRank
from algonets.losses.quantile import QuantileLoss
from algonets.losses.spearman import Spearman
from algonets.losses.structured import nll, perceptron, structured_hinge
from algonets.losses.topk_cross_entropy import TopKCrossEntropy

__all__ = [
    "NeuralNDCG",
    "PermutationCrossEntropy",
    "PiRank",
    "QuantileLoss",
    "Spearman",
    "TopKCrossEntropy",
    "nll",
    "perceptron",
    "structured_hinge",
]
