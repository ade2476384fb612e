"""What tests of all families share: SciPy's laws, kinks, points to try."""

import pytest
import scipy.stats
import torch

from algonets.distributions import ALL

F64 = torch.float64
SCIPY = {
    "Logistic": scipy.stats.logistic(),
    "Gaussian": scipy.stats.norm(),
    "Cauchy": scipy.stats.cauchy(),
    "Laplace": scipy.stats.laplace(),
    "Uniform": scipy.stats.uniform(-1, 2),
    "WignerSemicircle": scipy.stats.semicircular(),
    "Triangular": scipy.stats.triang(0.5, -1, 2),
    "Gudermannian": scipy.stats.hypsecant(),
    "GumbelMax": scipy.stats.gumbel_r(),
    "GumbelMin": scipy.stats.gumbel_l(),
    "Exponential": scipy.stats.expon(),
    "Gamma": scipy.stats.gamma(2.0),
    "Levy": scipy.stats.levy(),
}
KINKS = {
    "Optimal": [0.25],
    "Uniform": [1.0],
    "CubicHermite": [1.0],
    "WignerSemicircle": [1.0],
    "Triangular": [0.0, 1.0],
}
BOUNDED = ("Uniform", "CubicHermite", "WignerSemicircle", "Triangular")
every_family = pytest.mark.parametrize("family", ALL, ids=lambda f: f.__name__)


def t(*values, dtype=F64):
    return torch.tensor(values, dtype=dtype)


def smooth_points(family):
    """Points on both sides of the median, away from every kink of the family, in units of the scale."""
    if family.__name__ in BOUNDED:
        return t(-0.93, -0.4, -0.11, 0.07, 0.5, 0.93)
    if family.__name__ in ("Exponential", "Gamma", "Levy"):
        return t(0.08, 0.3, 0.9, 2.3, 7.0)
    if family.__name__.endswith("Reversed"):
        return t(-7.0, -2.3, -0.9, -0.3, -0.08)
    if family.__name__.startswith("Gumbel"):
        return t(-1.3, -0.6, -0.11, 0.07, 0.5, 1.3)
    return t(-4.0, -1.2, -0.3, -0.11, 0.07, 0.5, 1.7, 5.0)
