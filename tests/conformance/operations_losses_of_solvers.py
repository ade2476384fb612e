"""The operations of ``algonets.losses`` around solvers, by an argmax of four, whose solutions are unit vectors."""

import functools
import math

import torch

from algonets import gradients
from algonets.losses import (
    FenchelYoung,
    Imitation,
    LearningToRank,
    MAPContrastive,
    NoiseContrastive,
    Perceptron,
    PerturbationGradient,
    SolutionPool,
    SPOPlus,
    StructuredHinge,
    regret,
)
from tests.conformance.operations_losses import MARGIN, shorter
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object
from tests.gradients.solvers import argmax

VERTICES = torch.eye(4, dtype=torch.float64)
POOL = SolutionPool(argmax, VERTICES[:3], grow=0.0)
COUNTS_TOO = {"integer": "solutions and costs may be counts"}


def with_solution(generator, dtype, batch):
    """Scores and the indicator of one item."""
    theta = torch.randn(*batch, 4, generator=generator, dtype=dtype)
    return theta, torch.eye(4, dtype=dtype)[torch.randint(4, batch, generator=generator)]


def with_cost(generator, dtype, batch):
    """Predicted and true scores."""
    theta = torch.randn(*batch, 4, generator=generator, dtype=dtype)
    return theta, torch.randn(*batch, 4, generator=generator, dtype=dtype)


def solver_operation(loss, summary, second, oracle, name="", **promises):
    """Register a loss of theta and a solution or a cost."""
    name = name or type(loss).__name__
    # What the label or the pool uses cannot be forbidden; here the first entry is used by both.
    forbidden = () if second == "y" or name == "LearningToRank" else (-math.inf,)
    register(
        Operation(
            name=f"losses.{name}",
            summary=summary,
            function=loss,
            arguments=(
                Argument(f"{name}(theta)", infinite=forbidden, rejects=(lambda theta: theta[0, 0],)),
                Argument(f"{name}({second})", rejects=(shorter,), gaps=COUNTS_TOO),
            ),
            inputs=with_solution if second == "y" else with_cost,
            oracle=oracle,
            **{"half": "float32", "differentiability": "piecewise linear", "ways": ("pool",), **promises},
        )
    )


def spo_of(theta, cost):
    """SPO+ of a maximum, by its definition for costs ``-theta`` and ``-cost``."""
    best = VERTICES[cost.argmax()]
    return max((2 * theta - cost) @ v for v in VERTICES) - 2 * theta @ best + cost @ best


def rank_of(theta, cost):
    """Cross entropy of the two softmaxes over the pool."""
    return -(cost[:3].softmax(0) * theta[:3].log_softmax(0)).sum()


def sparsemax_loss(theta, y):
    """Fenchel-Young loss of the simplex with half the squared norm."""
    ordered = theta.sort(descending=True).values
    top = ordered[ordered * torch.arange(1, 5) > ordered.cumsum(0) - 1]
    p = (theta - (top.sum() - 1) / len(top)).clamp_min(0)
    return theta @ p - 0.5 * p @ p + 0.5 * y @ y - theta @ y


def lost_of(theta, cost):
    """Regret by enumeration."""
    return cost.max() - cost[theta.argmax()]


solver_operation(
    FenchelYoung(gradients.FrankWolfe(argmax), reduction="none"),
    "Fenchel-Young loss of a regularised solver (here SparseMAP)",
    "y",
    sparsemax_loss,
    differentiability="once",
    ways=("analytic",),
    gaps={name: "the number of iterations depends on the values" for name in ("vmap", "compile")},
    cost="that of the layer",
    reference="Blondel et al. 2020; Berthet et al. 2020",
)
solver_operation(
    Perceptron(argmax, reduction="none"),
    "Structured perceptron loss of any solver",
    "y",
    lambda theta, y: theta.max() - theta @ y,
    cost="1 call",
    reference="Collins 2002",
)
solver_operation(
    StructuredHinge(argmax, margin=MARGIN, reduction="none"),
    "Structured hinge loss of any solver",
    "y",
    lambda theta, y: max(theta @ v + MARGIN * (v - y).abs().sum() for v in VERTICES) - theta @ y,
    cost="1 call",
    reference="Tsochantaridis et al. 2005",
)
solver_operation(
    SPOPlus(argmax, reduction="none"),
    "Convex bound of the regret",
    "cost",
    spo_of,
    cost="2 calls",
    reference="Elmachtoub, Grigas 2022",
)
solver_operation(
    PerturbationGradient(argmax, 0.2, reduction="none"),
    "True cost of the decision as a difference of optimal values",
    "cost",
    lambda theta, cost: ((theta - 0.2 * cost).max() - (theta + 0.2 * cost).max()) / 0.4,
    cost="2 calls",
    reference="Huang, Gupta 2024",
)
solver_operation(
    NoiseContrastive(POOL, reduction="none"),
    "Label against the mean of a pool",
    "y",
    lambda theta, y: theta[:3].mean() - theta @ y,
    differentiability="any order",
    cost="at most 1 call",
    reference="Mulamba et al. 2021",
)
solver_operation(
    MAPContrastive(POOL, reduction="none"),
    "Label against the best of a pool",
    "y",
    lambda theta, y: theta[:3].max() - theta @ y,
    cost="at most 1 call",
    reference="Mulamba et al. 2021",
)
solver_operation(
    LearningToRank(POOL, reduction="none"),
    "Rank a pool as the true costs do",
    "cost",
    rank_of,
    differentiability="any order",
    cost="at most 1 call",
    reference="Mandi et al. 2022",
)
solver_operation(
    Imitation(gradients.Interpolated(argmax, 50.0), reduction="none"),
    "Distance between a layer's solution and the label",
    "y",
    lambda theta, y: 0.5 * (VERTICES[theta.argmax()] - y).square().sum(),
    differentiability="once",
    ways=("analytic",),
    gaps={"gradcheck": "that of the layer, an estimate by design"},
    cost="that of the layer",
    reference="Vlastelica et al. 2020",
)
solver_operation(
    functools.partial(regret, argmax),
    "What a decision on predicted costs loses",
    "cost",
    lost_of,
    "regret",
    differentiability="piecewise constant",
    ways=(),
    half=None,
    cost="2 calls",
    reference="Elmachtoub, Grigas 2022",
)
register_object(
    PublicObject(
        name="losses.SolutionPool",
        make=lambda: SolutionPool(argmax, VERTICES[1:3], grow=0.5),
        use=lambda pool: pool.solutions,
        shows=("argmax", "2 solutions", "grow=0.5"),
    )
)
exempt("losses.normalised_regret", "a sum of regrets, tested in tests/losses/test_regrets.py")
exempt("losses.optimality_ratio", "a count of regrets, tested in tests/losses/test_regrets.py")
