"""Losses that contain an algorithm: around solvers and layers, of a chain, and on soft orders.

Two families share the words perceptron and hinge. The functions :func:`perceptron` and :func:`structured_hinge`, with
:func:`nll`, :func:`risk` and :func:`direct_loss`, take a chain, or any dynamic program, and its labels. The modules
:class:`Perceptron` and :class:`StructuredHinge` take any solver, scores theta and a solution of their shape.

========================== ==================== ==========================================================
loss                       labels               solver calls an example
========================== ==================== ==========================================================
FenchelYoung(layer)        solutions            those of the layer's forward
Perceptron(solver)         solutions            1
StructuredHinge(solver)    solutions            1
Imitation(layer)           solutions            those of the layer, forward and backward
NoiseContrastive(pool)     solutions            at most 1, by the pool
MAPContrastive(pool)       solutions            at most 1, by the pool
SPOPlus(solver)            costs (solutions)    1, or 2 where the best solutions are not given
PerturbationGradient       costs                2
LearningToRank(pool)       costs                at most 1, by the pool
========================== ==================== ==========================================================
"""

from algonets.losses.contrastive import MAPContrastive, NoiseContrastive
from algonets.losses.fenchel_young import FenchelYoung
from algonets.losses.imitation import Imitation
from algonets.losses.learning_to_rank import LearningToRank
from algonets.losses.neural_ndcg import NeuralNDCG
from algonets.losses.permutation import PermutationCrossEntropy
from algonets.losses.perturbation_gradient import PerturbationGradient
from algonets.losses.pirank import PiRank
from algonets.losses.quantile import QuantileLoss
from algonets.losses.regrets import normalised_regret, optimality_ratio, regret
from algonets.losses.solution_pool import SolutionPool
from algonets.losses.solver_hinge import StructuredHinge
from algonets.losses.solver_perceptron import Perceptron
from algonets.losses.spearman import Spearman
from algonets.losses.spo_plus import SPOPlus
from algonets.losses.structured import direct_loss, nll, perceptron, risk, structured_hinge
from algonets.losses.topk_cross_entropy import TopKCrossEntropy

__all__ = [
    "FenchelYoung",
    "Imitation",
    "LearningToRank",
    "MAPContrastive",
    "NeuralNDCG",
    "NoiseContrastive",
    "Perceptron",
    "PermutationCrossEntropy",
    "PerturbationGradient",
    "PiRank",
    "QuantileLoss",
    "SPOPlus",
    "SolutionPool",
    "Spearman",
    "StructuredHinge",
    "TopKCrossEntropy",
    "direct_loss",
    "nll",
    "normalised_regret",
    "optimality_ratio",
    "perceptron",
    "regret",
    "risk",
    "structured_hinge",
]
