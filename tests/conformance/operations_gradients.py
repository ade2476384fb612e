"""The operations of ``algonets.gradients``: every layer around an argmax."""

import functools
import math

import torch

from algonets import gradients
from algonets.distributions import Gaussian, GumbelMax
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object
from tests.gradients.solvers import argmax, topk

ESTIMATE = "the gradient is an estimate, not the derivative of this draw: tests/gradients compare it with the truth"
HARD = "the value is piecewise constant; the gradient is that of a relative: tests/gradients check it"
TWO = topk


def scores(generator, dtype, batch):
    """Random scores."""
    return (torch.randn(*batch, 4, generator=generator, dtype=dtype),)


def layer_operation(name, summary, layer, oracle, **promises):
    """Register a layer as a function of theta."""
    random = not callable(oracle)
    call, forbidden = ("x", ()) if name == "Smoothed" else ("theta", (-math.inf,))
    register(
        Operation(
            name=f"gradients.{name}.forward",
            summary=summary,
            function=layer,
            arguments=(Argument(f"{name}({call})", infinite=forbidden, rejects=(lambda theta: theta[0, 0],)),),
            oracle=oracle,
            random=random,
            half="kept",
            **{"inputs": scores, "differentiability": "once", "ways": ("analytic",), **promises},
        )
    )


def sparsemax(theta):
    """Projection onto the simplex by its threshold."""
    ordered = theta.sort(descending=True).values
    sums = ordered.cumsum(0) - 1
    counts = torch.arange(1, len(theta) + 1)
    size = int((ordered * counts > sums).sum())
    return (theta - sums[size - 1] / size).clamp_min(0)


def expected(y):
    """Return a cost of a solution that is not linear."""
    return (y * torch.tensor([1.0, 3.0, -1.0, 2.0], dtype=y.dtype)).sum(-1).square()


DIFFERENCE = gradients.Perturbed(argmax, GumbelMax(), 6)
SCORE = gradients.Perturbed(argmax, Gaussian(0.7), 6, "score", antithetic=True)
layer_operation(
    "Perturbed",
    "Mean solution under noise",
    DIFFERENCE,
    "random: tests/gradients/test_perturbed.py",
    gaps={"gradcheck": ESTIMATE},
    cost="S to 3S calls",
    reference="Berthet et al. 2020; Domke 2010",
)
layer_operation(
    "ImplicitMLE",
    "Perturb-and-MAP with a target distribution",
    gradients.ImplicitMLE(argmax, 3, 50.0),
    "random: tests/gradients/test_implicit_mle.py",
    gaps={"gradcheck": ESTIMATE, "compile": "the noise is drawn in another way where it is traced: other numbers"},
    cost="2S calls",
    reference="Niepert et al. 2021; Minervini et al. 2023",
)
layer_operation(
    "Smoothed",
    "Mean of any function under noise",
    gradients.Smoothed(expected, Gaussian(0.5), 6),
    "random: tests/gradients/test_smoothed.py",
    gaps={"gradcheck": ESTIMATE},
    cost="S calls",
    reference="Petersen et al. 2024",
)
register(
    Operation(
        name="gradients.Pushforward.forward",
        summary="Expected cost of a random solution",
        function=gradients.Pushforward(SCORE, expected),
        arguments=(Argument("Perturbed(theta)", infinite=(-math.inf,), rejects=(lambda theta: theta[0, 0],)),),
        inputs=scores,
        oracle="random: tests/gradients/test_pushforward.py",
        random=True,
        half="kept",
        differentiability="once",
        ways=("analytic",),
        gaps={"gradcheck": ESTIMATE},
        cost="that of the layer",
        reference="Dalle et al. 2022",
    )
)
layer_operation(
    "Interpolated",
    "Solution with the gradient of an interpolation",
    gradients.Interpolated(TWO, 50.0),
    topk,
    gaps={"gradcheck": HARD},
    cost="2 calls",
    reference="Vlastelica et al. 2020",
)
layer_operation(
    "Identity",
    "Solution with the identity as its Jacobian",
    gradients.Identity(TWO),
    topk,
    gaps={"gradcheck": HARD},
    cost="1 call",
    reference="Sahoo et al. 2023",
)
layer_operation(
    "StraightThrough",
    "Solution with the gradient of a soft relative",
    gradients.StraightThrough(argmax, functools.partial(torch.softmax, dim=-1)),
    argmax,
    gaps={"gradcheck": HARD},
    cost="1 call",
    reference="Bengio et al. 2013; Jang et al. 2017",
)
ROWS = "the number of iterations depends on the values"
layer_operation(
    "FrankWolfe",
    "Regularised solution (SparseMAP)",
    gradients.FrankWolfe(argmax, 0.8),
    lambda theta: sparsemax(theta / 0.8),
    differentiability="twice",
    gaps={"vmap": ROWS, "compile": ROWS},
    cost="about 2K calls",
    reference="Niculae et al. 2018; Wolfe 1976",
)


def layer_object(make, *shows):
    """Register an object that is compared by its values for fixed noise."""
    theta = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    register_object(
        PublicObject(
            name=f"gradients.{type(make()).__name__}",
            make=make,
            use=lambda layer: layer(theta, generator=torch.Generator().manual_seed(2)),
            shows=shows,
        )
    )


layer_object(lambda: gradients.Perturbed(argmax, Gaussian(0.5), 4, quasi=True), "argmax", "scale=0.5", "quasi=True")
layer_object(lambda: gradients.ImplicitMLE(argmax, 2, adaptive=True), "adaptive=True")
layer_object(lambda: gradients.Smoothed(expected, Gaussian(0.5), 6), "expected", "samples=6")
layer_object(lambda: gradients.Pushforward(SCORE, expected), "cost=expected")
layer_object(lambda: gradients.Interpolated(argmax, 3.0), "lam=3.0")
layer_object(lambda: gradients.Identity(argmax, "mean"), "projection='mean'")
layer_object(lambda: gradients.StraightThrough(argmax, torch.sigmoid), "sigmoid")
layer_object(lambda: gradients.FrankWolfe(argmax, 0.5, weights=torch.tensor([1.0, 2.0, 1.0, 1.0])), "temperature=0.5")
register_object(
    PublicObject(
        name="gradients.SumOfGamma",
        make=lambda: gradients.SumOfGamma(3, 0.5),
        use=lambda law: law.sample((2, 3), generator=torch.Generator().manual_seed(0)),
        shows=("k=3", "scale=0.5"),
    )
)
register_object(
    PublicObject(
        name="gradients.Solver",
        make=lambda: gradients.Solver(TWO, "min", cache=3),
        use=lambda solver: solver(torch.tensor([[0.1, 0.2, 0.3]])),
        shows=("topk", "sense='min'", "cache=3"),
    )
)
exempt("gradients.Diagnosis*", "figures, tested in tests/gradients/test_diagnosis.py")
exempt("gradients.diagnose", "a measurement, tested in tests/gradients/test_diagnosis.py")
exempt("gradients.compare", "a measurement, tested in tests/gradients/test_diagnosis.py")
exempt("gradients.estimators", "a list of layers, tested in tests/gradients/test_diagnosis.py")
exempt("gradients.Solver.solve", "calls of any function, tested in tests/gradients/test_solver.py")
exempt("gradients.Layer*", "the abstract base; its layers are registered")
exempt("gradients.*.extra_repr", "text for the repr of the modules")
exempt("gradients.*.sense", "the sense of the solver, tested in tests/gradients")
exempt("gradients.*.problem", "the checked arguments of one call, for the losses")
exempt("gradients.*.potential", "what Fenchel-Young losses read, tested in tests/losses")
exempt("gradients.*.penalty", "what Fenchel-Young losses read, tested in tests/losses")
exempt("gradients.*.regularised_maximum", "a view of the potential, tested in tests/gradients")
exempt("gradients.*.atoms", "the summands of forward, tested in tests/gradients")
exempt("gradients.Perturbed.spread", "a measure of one call, tested in tests/gradients")
exempt("gradients.SumOfGamma.sample", "a sampler without a gradient, tested in tests/gradients")
exempt("gradients.SolverWarning", "a warning")
