"""Learning what terrain costs from cheapest paths alone (Vlastelica et al. 2020), by every way."""

from algonets.experiments.paths.evaluate import Score, evaluate
from algonets.experiments.paths.methods import METHODS, MethodName, PathLoss, build_method
from algonets.experiments.paths.model import PathLearner
from algonets.experiments.paths.run import PathsExperiment

__all__ = [
    "METHODS",
    "MethodName",
    "PathLearner",
    "PathLoss",
    "PathsExperiment",
    "Score",
    "build_method",
    "evaluate",
]
