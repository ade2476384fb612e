"""The methods that are compared: one program under several laws and temperatures, and a baseline without it."""

from typing import Literal, NamedTuple

from algonets import distributions
from algonets.distributions import Distribution

__all__ = ["LAWS", "LawName", "Method", "grid"]

LawName = Literal["logistic", "gaussian", "cauchy", "laplace", "reciprocal"]
LAWS: dict[LawName, type[Distribution]] = {
    "logistic": distributions.Logistic,
    "gaussian": distributions.Gaussian,
    "cauchy": distributions.Cauchy,
    "laplace": distributions.Laplace,
    "reciprocal": distributions.Reciprocal,
}


class Method(NamedTuple):
    """A law at a temperature, or what stands in for the algorithm where ``law`` is None."""

    name: str
    law: Distribution | None
    family: str
    scale: float


def grid(laws: list[LawName], scales: list[float], baselines: list[str]) -> dict[str, Method]:
    """Return the baselines and then every law at every scale, by name."""
    plain = [Method(name, None, name, 0.0) for name in baselines]
    relaxed = [Method(f"{law}-{scale:g}", LAWS[law](scale), law, scale) for law in laws for scale in scales]
    return {method.name: method for method in (*plain, *relaxed)}
