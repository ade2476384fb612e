"""Laws on the real line: one object serves sorting, relaxed programs, rendering and gradient estimators.

A hard algorithm compares: ``x > 0`` is a step. Add noise ``-X`` to ``x`` and the comparison is right with
probability ``P(X <= x) = F(x)``: the CDF of a law is a soft step. So the same law is

- the soft comparator of ``algonets.sort`` and the soft condition of ``algonets.relax`` (``cdf``),
- the soft coverage of a pixel at a signed distance from an edge in ``algonets.render`` (``cdf``,
  ``log_survival`` to fold many faces, ``quantile`` to know which faces can be skipped),
- the perturbation of ``algonets.gradients`` (``sample``, and ``score`` for the derivative).

``scale`` is the softness in every one of them; as it goes to 0 the soft step becomes the hard one.
The tail decides how far gradients reach, and how much can be culled.

==================== ===================== ============ ========= ==========================
family               tail of ``1 - F``     support      symmetric CDF is smooth
==================== ===================== ============ ========= ==========================
Logistic             exp(-u)               line         yes       infinitely
Gaussian             exp(-u^2 / 2)         line         yes       infinitely
Gudermannian         exp(-u)               line         yes       infinitely
Laplace              exp(-u)               line         yes       C1, curvature jumps at 0
Cauchy               1 / u                 line         yes       infinitely
Reciprocal           1 / u                 line         yes       C1, curvature jumps at 0
Optimal              1 / u                 line         yes       C1, curvature jumps at 1/4
Uniform              none                  [-1, 1]      yes       C0, kinks at the ends
CubicHermite         none                  [-1, 1]      yes       C1
WignerSemicircle     none                  [-1, 1]      yes       C1
Triangular           none                  [-1, 1]      yes       C1, curvature jumps at 0
GumbelMax            exp(-u)               line         no        infinitely
GumbelMin            exp(-exp(u))          line         no        infinitely
Exponential          exp(-u)               [0, inf)     no        C0, kink at 0
ExponentialReversed  none                  (-inf, 0]    no        C0, kink at 0
Gamma                u^(shape-1) exp(-u)   [0, inf)     no        C1 at 0 for shape > 1
GammaReversed        none                  (-inf, 0]    no        C1 at 0 for shape > 1
Levy                 1 / sqrt(u)           [0, inf)     no        infinitely
LevyReversed         none                  (-inf, 0]    no        infinitely
==================== ===================== ============ ========= ==========================

(``u = x / scale``, before any ``shift``.)
"""

from algonets.distributions.base import Distribution
from algonets.distributions.cauchy import Cauchy
from algonets.distributions.cubic_hermite import CubicHermite
from algonets.distributions.exponential import Exponential, ExponentialReversed
from algonets.distributions.gamma import Gamma, GammaReversed
from algonets.distributions.gaussian import Gaussian
from algonets.distributions.gudermannian import Gudermannian
from algonets.distributions.gumbel import GumbelMax, GumbelMin
from algonets.distributions.laplace import Laplace
from algonets.distributions.levy import Levy, LevyReversed
from algonets.distributions.logistic import Logistic
from algonets.distributions.optimal import Optimal
from algonets.distributions.reciprocal import Reciprocal
from algonets.distributions.triangular import Triangular
from algonets.distributions.uniform import Uniform
from algonets.distributions.wigner_semicircle import WignerSemicircle

__all__ = [
    "ALL",
    "Cauchy",
    "CubicHermite",
    "Distribution",
    "Exponential",
    "ExponentialReversed",
    "Gamma",
    "GammaReversed",
    "Gaussian",
    "Gudermannian",
    "GumbelMax",
    "GumbelMin",
    "Laplace",
    "Levy",
    "LevyReversed",
    "Logistic",
    "Optimal",
    "Reciprocal",
    "Triangular",
    "Uniform",
    "WignerSemicircle",
]

ALL: tuple[type[Distribution], ...] = (
    Logistic,
    Gaussian,
    Cauchy,
    Reciprocal,
    Optimal,
    Laplace,
    Uniform,
    CubicHermite,
    WignerSemicircle,
    Triangular,
    Gudermannian,
    GumbelMax,
    GumbelMin,
    Exponential,
    ExponentialReversed,
    Gamma,
    GammaReversed,
    Levy,
    LevyReversed,
)
"""Every family, each constructible without arguments."""
