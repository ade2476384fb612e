"""The ways from a cheapest path to a gradient on costs, by name."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from torch import Tensor
from torch.nn import functional

from algonets.distributions import Gaussian
from algonets.gradients import Identity, ImplicitMLE, Interpolated, Perturbed
from algonets.graph import GridPath, SoftShortestPath
from algonets.losses import FenchelYoung, Imitation, Perceptron, StructuredHinge

__all__ = ["METHODS", "Entry", "MethodName", "PathLoss", "build_method"]

MethodName = Literal[
    "resnet", "perceptron", "hinge", "unroll", "fenchel-young", "perturbed", "imle", "blackbox", "identity"
]
PathLoss = Callable[[Tensor, Tensor], Tensor]
"""Costs and the right paths, both ``(B, side, side)``, to a loss. For the baseline: logits instead of costs."""


class Entry(NamedTuple):
    """How the loss is built from its strength (noise, margin, temperature, lambda), what that is, and the way."""

    build: Callable[[float], PathLoss]
    strength: float
    way: str
    title: str


def _solver() -> GridPath:
    # Margins and noise make costs negative: there they count as 0.
    return GridPath(8, negative="clamp")


def _hamming(layer: Callable[[Tensor], Tensor]) -> PathLoss:
    """Tiles that are on one path and not on the other, per map."""

    def loss(costs: Tensor, paths: Tensor) -> Tensor:
        found = layer(costs)
        return (found * (1 - paths) + (1 - found) * paths).sum((1, 2)).mean()

    return loss


def _soft(temperature: float) -> PathLoss:
    """Minus the log-likelihood of the path among all walks, times the temperature."""
    layer = SoftShortestPath(GridPath(8), temperature)
    return lambda costs, paths: ((costs * paths).sum((1, 2)) - layer.value(costs)).mean()


METHODS: dict[MethodName, Entry] = {
    "resnet": Entry(
        lambda _: functional.binary_cross_entropy_with_logits, 1.0, "none", "no algorithm: ResNet predicts the path"
    ),
    "perceptron": Entry(lambda _: Perceptron(_solver()), 1.0, "pool", "perceptron"),
    "hinge": Entry(lambda s: StructuredHinge(_solver(), margin=s), 0.2, "pool", "hinge, margin 0.2"),
    "unroll": Entry(_soft, 0.2, "unroll", "soft Bellman-Ford, temperature 0.2"),
    "fenchel-young": Entry(
        lambda s: FenchelYoung(Perturbed(_solver(), Gaussian(s), 4)), 0.5, "analytic", "perturbed, Fenchel-Young"
    ),
    "perturbed": Entry(
        lambda s: _hamming(Perturbed(_solver(), Gaussian(s), 4)), 0.5, "analytic", "perturbed, Hamming loss"
    ),
    "imle": Entry(lambda s: _hamming(ImplicitMLE(_solver(), 4, s)), 20.0, "analytic", "I-MLE, lambda 20"),
    "blackbox": Entry(lambda s: _hamming(Interpolated(_solver(), s)), 20.0, "analytic", "blackbox, lambda 20"),
    # The Hamming distance is linear: its gradient does not ask what the solver found, and identity hands just that on.
    "identity": Entry(lambda _: Imitation(Identity(_solver(), "norm")), 1.0, "analytic", "identity, normalised"),
}
"""Name -> entry, in the order of the tables."""


def build_method(name: MethodName, strength: float | None = None) -> PathLoss:
    """Build a loss of the table, at its own strength unless another is given."""
    entry = METHODS[name]
    return entry.build(entry.strength if strength is None else strength)


if set(METHODS) != set(get_args(MethodName)):
    raise RuntimeError("METHODS must have exactly the names of MethodName.")
