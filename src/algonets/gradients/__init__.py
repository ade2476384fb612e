"""Layers around solvers: gradients for algorithms that can only be called."""

from algonets.gradients._problem import SolverWarning
from algonets.gradients.comparison import compare, estimators
from algonets.gradients.diagnosis import Diagnosis, diagnose
from algonets.gradients.frank_wolfe import FrankWolfe
from algonets.gradients.identity import Identity
from algonets.gradients.implicit_mle import ImplicitMLE
from algonets.gradients.interpolated import Interpolated
from algonets.gradients.layer import Layer
from algonets.gradients.perturbed import Perturbed
from algonets.gradients.pushforward import Pushforward
from algonets.gradients.smoothed import Smoothed
from algonets.gradients.solver import Solver
from algonets.gradients.straight_through import StraightThrough
from algonets.gradients.sum_of_gamma import SumOfGamma

__all__ = [
    "Diagnosis",
    "FrankWolfe",
    "Identity",
    "ImplicitMLE",
    "Interpolated",
    "Layer",
    "Perturbed",
    "Pushforward",
    "Smoothed",
    "Solver",
    "SolverWarning",
    "StraightThrough",
    "SumOfGamma",
    "compare",
    "diagnose",
    "estimators",
]
