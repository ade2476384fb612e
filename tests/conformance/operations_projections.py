"""The operations of ``algonets.projections``, for the conformance suite."""

import math

import torch

from algonets import projections
from tests.conformance.registry import Argument, Operation, register


def simplex_inputs(g, dtype, batch):
    return (torch.randn(*batch, 5, generator=g, dtype=torch.float64).to(dtype),)


def simplex_by_bisection(x):
    """Return the projection, its threshold by bisection."""
    low, high = x.min() - 1, x.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (x - middle).clamp_min(0).sum() > 1 else (low, middle)
    return (x - low).clamp_min(0)


def projection(name, summary, function, oracle, level, reference, *arguments, inputs=simplex_inputs, **more):
    register(
        Operation(
            name=f"projections.{name}",
            summary=summary,
            function=function,
            arguments=arguments,
            inputs=inputs,
            oracle=oracle,
            differentiability=level,
            reference=reference,
            **{
                "cost": "O(n)" if name in ("project_box", "project_ball") else "O(n log n)",
                "ways": ("analytic",),
                **more,
            },
        )
    )


projection(
    "project_simplex",
    "Euclidean projection onto the simplex",
    projections.project_simplex,
    simplex_by_bisection,
    "piecewise linear",
    "Duchi et al. 2008",
    Argument("project_simplex(x)", nan="propagates"),
)
projection(
    "project_box",
    "Projection onto a box",
    lambda x: projections.project_box(x, -0.5, 0.5),
    lambda x: x.clamp(-0.5, 0.5),
    "piecewise linear",
    "",
    Argument("project_box(x)", nan="propagates"),
)
projection(
    "project_ball",
    "Projection onto a Euclidean ball",
    projections.project_ball,
    lambda x: x / max(1.0, float(x.norm())),
    "any order",
    "",
    Argument("project_ball(x)", nan="propagates"),
)

LESS = (-math.inf,)
EMPTY = (lambda x: x[..., :0],)


def shrink(x):
    """Return the projection onto the ball of the 1-norm, its threshold by bisection."""
    return x if x.abs().sum() <= 1 else x.sign() * simplex_by_bisection(x.abs())


def entmax_by_bisection(x, alpha=1.5):
    """Return entmax, its threshold by bisection."""
    low, high = x.max() - 1 / (alpha - 1), x.max()
    for _ in range(200):
        middle = (low + high) / 2
        total = ((alpha - 1) * (x - middle)).clamp_min(0).pow(1 / (alpha - 1)).sum()
        low, high = (middle, high) if total > 1 else (low, middle)
    return ((alpha - 1) * (x - low)).clamp_min(0).pow(1 / (alpha - 1))


def permutahedron_by_minmax(x, w):
    """Return the projection by the min-max formula of isotonic regression."""
    order = x.argsort(descending=True)
    gap = x[order] - w.sort(descending=True).values
    n = len(x)
    block = lambda i, j: gap[i : j + 1].mean()  # noqa: E731
    values = [min(max(block(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    return x - torch.stack(values)[order.argsort()]


def pair(g, dtype, batch):
    """Two random vectors."""
    return (*simplex_inputs(g, dtype, batch), *simplex_inputs(g, dtype, batch))


def square(g, dtype, batch):
    """Random square matrices."""
    return (torch.randn(*batch, 3, 3, generator=g, dtype=torch.float64).to(dtype),)


def scaled(scores):
    """Alternate normalisation of rows and columns."""
    p = scores.exp()
    for _ in range(3000):
        p = p / p.sum(1, keepdim=True)
        p = p / p.sum(0, keepdim=True)
    return p


projection(
    "project_l1_ball",
    "Projection onto the ball of the 1-norm",
    projections.project_l1_ball,
    shrink,
    "piecewise linear",
    "Duchi et al. 2008",
    Argument("project_l1_ball(x)", nan="propagates", rejects=EMPTY),
)
projection(
    "sparsemax",
    "Sparse probabilities, the nearest to the scores",
    projections.sparsemax,
    simplex_by_bisection,
    "piecewise linear",
    "Martins, Astudillo 2016",
    Argument("sparsemax(scores)", infinite=LESS, rejects=EMPTY),
)
projection(
    "entmax",
    "Sparse probabilities between softmax and sparsemax",
    projections.entmax,
    entmax_by_bisection,
    "twice",
    "Peters, Niculae, Martins 2019",
    Argument("entmax(scores)", infinite=LESS, rejects=EMPTY),
    tolerance=1e-8,
)
projection(
    "project_permutahedron",
    "Projection onto the permutations of a vector",
    projections.project_permutahedron,
    permutahedron_by_minmax,
    "piecewise linear",
    "Blondel et al. 2020",
    Argument("project_permutahedron(x)"),
    Argument("project_permutahedron(w)", rejects=(lambda w: w[..., :2],)),
    inputs=pair,
    backends=("native", "torch"),
)
projection(
    "sinkhorn",
    "Projection onto the doubly stochastic matrices",
    projections.sinkhorn,
    scaled,
    "any order",
    "Sinkhorn 1964",
    Argument("sinkhorn(scores)", infinite=LESS, rejects=(lambda s: s[..., :2],)),
    inputs=square,
    cost="O(n³)",
)
