"""A linear model of the costs, trained by the quality of the decisions."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from algonets.distributions import Gaussian
from algonets.experiments.predict_optimise.problems import Task
from algonets.gradients import FrankWolfe, Identity, ImplicitMLE, Interpolated, Perturbed, SumOfGamma
from algonets.losses import (
    FenchelYoung,
    Imitation,
    LearningToRank,
    MAPContrastive,
    NoiseContrastive,
    PerturbationGradient,
    SolutionPool,
    SPOPlus,
    normalised_regret,
    optimality_ratio,
)

__all__ = ["METHODS", "Outcome", "train"]

Loss = Callable[[Tensor, Tensor, Tensor, torch.Generator], Tensor]


class Setting(NamedTuple):
    """What a method may use: the solver, the best training solutions, samples, and scales."""

    solver: Callable[..., Tensor]
    best: Tensor
    samples: int
    sigma: float
    lam: float


class Outcome(NamedTuple):
    """Held-out figures at the end of training: regret in %, share of optimal decisions in %, seconds of training."""

    regret: float
    optimal: float
    seconds: float
    curve: list[float]


def _squared(found: Tensor, right: Tensor) -> Tensor:
    return (found - right).square().mean(-1)


def _by_solution(loss: Any) -> Loss:
    return lambda theta, cost, y, generator: loss(theta, y, generator=generator)


def _by_regret(layer: Any) -> Loss:
    """The true cost of the layer's solution, by the layer's gradient."""
    sign = 1.0 if layer.sense == "min" else -1.0
    return lambda theta, cost, y, generator: sign * (cost * layer(theta, generator=generator)).sum(-1).mean()


def _mse(setting: Setting) -> Loss:
    return lambda theta, cost, y, generator: (theta - cost).square().mean()


def _spo(setting: Setting) -> Loss:
    loss = SPOPlus(setting.solver)
    return lambda theta, cost, y, generator: loss(theta, cost, y)


def _perturbation_gradient(setting: Setting) -> Loss:
    loss = PerturbationGradient(setting.solver)
    return lambda theta, cost, y, generator: loss(theta, cost)


def _perturbed(setting: Setting, gradient: Any) -> Perturbed:
    return Perturbed(setting.solver, Gaussian(setting.sigma), setting.samples, gradient)


def _pool(setting: Setting) -> SolutionPool:
    return SolutionPool(setting.solver, setting.best, 0.05)


def _rank(setting: Setting) -> Loss:
    loss = LearningToRank(_pool(setting))
    return lambda theta, cost, y, generator: loss(theta, cost, generator=generator)


METHODS: dict[str, Callable[[Setting], Loss]] = {
    "two-stage": _mse,
    "spo+": _spo,
    "fenchel-young": lambda s: _by_solution(FenchelYoung(_perturbed(s, "score"))),
    "sparsemap": lambda s: _by_solution(FenchelYoung(FrankWolfe(s.solver, tolerance=1e-6, iterations=30))),
    "dpo": lambda s: _by_solution(Imitation(_perturbed(s, "score"), _squared)),
    "dpo-difference": lambda s: _by_solution(Imitation(_perturbed(s, "difference"), _squared)),
    "blackbox": lambda s: _by_regret(Interpolated(s.solver, s.lam)),
    "identity": lambda s: _by_regret(Identity(s.solver, "none")),
    "i-mle": lambda s: _by_regret(ImplicitMLE(s.solver, s.samples, s.lam, SumOfGamma(5, s.sigma))),
    "pg": _perturbation_gradient,
    "nce": lambda s: _by_solution(NoiseContrastive(_pool(s))),
    "map": lambda s: _by_solution(MAPContrastive(_pool(s))),
    "rank": _rank,
}
"""Name to what makes the loss; ``two-stage`` is the baseline that knows nothing of the decisions."""


def train(
    method: str,
    task: Task,
    held_out: Task,
    *,
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 1e-2,
    samples: int = 3,
    sigma: float = 1.0,
    lam: float = 10.0,
    seed: int = 0,
    every: int = 0,
) -> Outcome:
    """Train a linear model and measure it on held-out instances; ``every`` epochs it is measured for the curve."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Linear(task.features.shape[1], task.costs.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, fused=True)
    best = held_out.solver(held_out.costs)
    curve, measuring = [], 0.0
    start = time.perf_counter()
    right = task.solver(task.costs)  # the labels are part of the work
    loss = METHODS[method](Setting(task.solver, right, samples, sigma, lam))
    for epoch in range(epochs):
        for rows in torch.randperm(len(right), generator=generator).split(batch_size):
            value = loss(model(task.features[rows]), task.costs[rows], right[rows], generator)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        if every and (epoch + 1) % every == 0:
            begin = time.perf_counter()
            curve.append(_measure(model, held_out, best)[0])
            measuring += time.perf_counter() - begin
    seconds = time.perf_counter() - start - measuring
    return Outcome(*_measure(model, held_out, best), seconds, curve)


def _measure(model: torch.nn.Module, task: Task, best: Tensor) -> tuple[float, float]:
    with torch.no_grad():
        theta = model(task.features)
    lost = normalised_regret(task.solver, theta, task.costs, best)
    return 100 * lost.item(), 100 * optimality_ratio(task.solver, theta, task.costs, best).item()
