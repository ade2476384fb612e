"""Oracles of the distributions: SciPy, or three closed forms that SciPy lacks, in standard form."""

import math

__all__ = ["NAMES", "law"]

NAMES = {
    "Logistic": "logistic",
    "Gaussian": "norm",
    "Cauchy": "cauchy",
    "Laplace": "laplace",
    "Gudermannian": "hypsecant",
    "GumbelMax": "gumbel_r",
    "GumbelMin": "gumbel_l",
    "Exponential": "expon",
    "Gamma": "gamma",
    "Levy": "levy",
    "WignerSemicircle": "semicircular",
}


class Reciprocal:
    """``1/2 + u / (2 (1 + |u|))``."""

    def cdf(self, u):
        return 0.5 + u / (2 * (1 + abs(u)))

    def pdf(self, u):
        return 0.5 / (1 + abs(u)) ** 2

    def ppf(self, q):
        v = 2 * q - 1
        return v / (1 - abs(v))


class Optimal:
    """``1/2 + u`` in the middle, ``1 - 1 / (16 u)`` beyond."""

    def cdf(self, u):
        return 0.5 + u if abs(u) <= 0.25 else (1 - 1 / (16 * u) if u > 0 else -1 / (16 * u))

    def pdf(self, u):
        return 1.0 if abs(u) <= 0.25 else 1 / (16 * u * u)

    def ppf(self, q):
        return q - 0.5 if 0.25 <= q <= 0.75 else (1 / (16 * (1 - q)) if q > 0.5 else -1 / (16 * q))


class CubicHermite:
    """``3 y^2 - 2 y^3`` with ``y = (1 + u) / 2``; the quantile by bisection."""

    def cdf(self, u):
        y = (1 + u) / 2
        return 3 * y**2 - 2 * y**3

    def pdf(self, u):
        return 0.75 * (1 - u * u)

    def ppf(self, q):
        from scipy import optimize

        return optimize.brentq(lambda u: self.cdf(u) - q, -1, 1, xtol=1e-14)


class Mirrored:
    """The law of ``-U``."""

    def __init__(self, original):
        self.original = original

    def cdf(self, u):
        return self.original.sf(-u)

    def sf(self, u):
        return self.original.cdf(-u)

    def pdf(self, u):
        return self.original.pdf(-u)

    def ppf(self, q):
        return -self.original.ppf(1 - q)


def law(family: str, *shape: float):
    """Return the standard law of a family: ``cdf``, ``pdf`` and ``ppf`` of a float."""
    from scipy import stats  # here, so that the docs build needs no SciPy

    if family.endswith("Reversed"):
        return Mirrored(law(family.removesuffix("Reversed"), *shape))
    if family == "Triangular":
        return stats.triang(0.5, -1, 2)
    if family == "Uniform":
        return stats.uniform(-1, 2)
    if family in NAMES:
        return getattr(stats, NAMES[family])(*shape)
    return {"Reciprocal": Reciprocal, "Optimal": Optimal, "CubicHermite": CubicHermite}[family]()


def log_slope(family: str, u: float, *shape: float, step: float = 1e-6) -> float:
    """Central difference of the log density."""
    f = law(family, *shape)
    return (math.log(f.pdf(u + step)) - math.log(f.pdf(u - step))) / (2 * step)
