"""Alternative ways to train, for losses that contain algorithms."""

from algonets.training.isaac import IsaacNewton
from algonets.training.kfac import KFAC
from algonets.training.line_search import Backtracking
from algonets.training.natural_gradient import NaturalGradient
from algonets.training.newton_loss import NewtonLoss, NewtonStep
from algonets.training.no_back_track import NoBackTrack
from algonets.training.online import OnlineLearner, learn_online
from algonets.training.outputs import BernoulliOutput, CategoricalOutput, GaussianOutput, OutputDistribution
from algonets.training.rtrl import RTRL
from algonets.training.target_propagation import GradientStep, TargetPropagation
from algonets.training.uoro import UORO

__all__ = [
    "KFAC",
    "RTRL",
    "UORO",
    "Backtracking",
    "BernoulliOutput",
    "CategoricalOutput",
    "GaussianOutput",
    "GradientStep",
    "IsaacNewton",
    "NaturalGradient",
    "NewtonLoss",
    "NewtonStep",
    "NoBackTrack",
    "OnlineLearner",
    "OutputDistribution",
    "TargetPropagation",
    "learn_online",
]
