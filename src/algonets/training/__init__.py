"""Alternative ways to train, for losses that contain algorithms.

Curvature of the loss (:class:`NewtonLoss`, :class:`TargetPropagation`), of layers (:class:`IsaacNewton`) and of the
whole network (:class:`NaturalGradient`, :class:`KFAC`); learning online without history (:class:`RTRL`, :class:`UORO`,
:class:`NoBackTrack`); noise, Jacobians and adversaries; structure and description length; annealing and monitoring of
the algorithms in a model. Lightning callbacks are in :mod:`algonets.training.callbacks`, which imports Lightning.
"""

from algonets.training.algorithms import Found, find_algorithms
from algonets.training.annealing import Annealing
from algonets.training.bayes_by_backprop import BayesianLinear, gaussian_kl
from algonets.training.description_length import Description, description_length, round_weights
from algonets.training.domain_adversary import DomainAdversary, GradientReversal, gradient_reversal
from algonets.training.gradient_monitor import GradientMonitor, GradientReport
from algonets.training.hard_concrete import HardConcrete, L0Linear
from algonets.training.isaac import IsaacNewton
from algonets.training.jacobian_penalty import jacobian_penalty, noise_penalty
from algonets.training.kfac import KFAC
from algonets.training.line_search import Backtracking
from algonets.training.natural_gradient import NaturalGradient
from algonets.training.newton_loss import NewtonLoss, NewtonStep
from algonets.training.no_back_track import NoBackTrack
from algonets.training.online import OnlineLearner, learn_online
from algonets.training.outputs import BernoulliOutput, CategoricalOutput, GaussianOutput, OutputDistribution
from algonets.training.pruning import gradual_pruning, make_permanent, prune_magnitude, prune_random, sparsity
from algonets.training.rtrl import RTRL
from algonets.training.schedules import CosineSchedule, GeometricSchedule, LinearSchedule, RampSchedule
from algonets.training.self_similarity import SelfSimilarity
from algonets.training.target_propagation import GradientStep, TargetPropagation
from algonets.training.uoro import UORO

__all__ = [
    "KFAC",
    "RTRL",
    "UORO",
    "Annealing",
    "Backtracking",
    "BayesianLinear",
    "BernoulliOutput",
    "CategoricalOutput",
    "CosineSchedule",
    "Description",
    "DomainAdversary",
    "Found",
    "GaussianOutput",
    "GeometricSchedule",
    "GradientMonitor",
    "GradientReport",
    "GradientReversal",
    "GradientStep",
    "HardConcrete",
    "IsaacNewton",
    "L0Linear",
    "LinearSchedule",
    "NaturalGradient",
    "NewtonLoss",
    "NewtonStep",
    "NoBackTrack",
    "OnlineLearner",
    "OutputDistribution",
    "RampSchedule",
    "SelfSimilarity",
    "TargetPropagation",
    "description_length",
    "find_algorithms",
    "gaussian_kl",
    "gradient_reversal",
    "gradual_pruning",
    "jacobian_penalty",
    "learn_online",
    "make_permanent",
    "noise_penalty",
    "prune_magnitude",
    "prune_random",
    "round_weights",
    "sparsity",
]
