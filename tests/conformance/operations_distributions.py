"""The operations of ``algonets.distributions``: every method of every family, scale (and shift) being tensors."""

import math

import torch

from algonets import distributions
from algonets.distributions import ALL
from tests.conformance.laws import law, log_slope
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

SHAPE = 2.5
LINE, POSITIVE, NEGATIVE, BOUNDED = (-2.0, 2.0), (0.2, 3.0), (-3.0, -0.2), (-0.9, 0.9)
INFINITE_SCORE = "BUG (minor): at x = +-inf the score is infinite and a zero cotangent gives the scale a NaN gradient"
UNBOUNDED_SCORES = ("Gaussian", "GumbelMax", "GumbelMin")
PETERSEN = "Petersen et al. 2022"

FAMILIES = {
    "Logistic": (LINE, "any order", "Logistic law: exponential tails", "Petersen et al. 2021"),
    "Gaussian": (LINE, "any order", "Gaussian law", "Berthet et al. 2020"),
    "Cauchy": (LINE, "any order", "Cauchy law: heavy tails", PETERSEN),
    "Reciprocal": (LINE, "once", "Reciprocal law: the cheapest heavy tail", PETERSEN),
    "Optimal": (LINE, "once", "Law of the error-optimal monotone sorting network", PETERSEN),
    "Laplace": (LINE, "once", "Laplace law", "Struski et al. 2025"),
    "Uniform": (BOUNDED, "once", "Uniform law: a linear ramp", ""),
    "CubicHermite": (BOUNDED, "once", "Cubic Hermite law: smoothstep", PETERSEN),
    "WignerSemicircle": (BOUNDED, "once", "Wigner semicircle law", PETERSEN),
    "Triangular": (BOUNDED, "once", "Triangular law", "Petersen et al. 2024"),
    "Gudermannian": (LINE, "twice", "Hyperbolic secant law", PETERSEN),
    "GumbelMax": (LINE, "any order", "Gumbel law of maxima", "Gumbel 1954"),
    "GumbelMin": (LINE, "any order", "Gumbel law of minima", "Gumbel 1954"),
    "Exponential": (POSITIVE, "any order", "Exponential law, away from its edge", ""),
    "ExponentialReversed": (NEGATIVE, "any order", "Mirrored exponential law, away from its edge", ""),
    "Gamma": (POSITIVE, "any order", "Gamma law", PETERSEN),
    "GammaReversed": (NEGATIVE, "any order", "Mirrored gamma law", PETERSEN),
    "Levy": (POSITIVE, "any order", "Levy law: the heaviest tail", PETERSEN),
    "LevyReversed": (NEGATIVE, "any order", "Mirrored Levy law", PETERSEN),
}
SOLVED = ("Gamma", "GammaReversed", "WignerSemicircle")
SHIFTED = ("Exponential", "ExponentialReversed", "Gamma", "GammaReversed", "Levy", "LevyReversed")

ORACLES = {
    "cdf": lambda f, u, scale: f.cdf(u),
    "survival": lambda f, u, scale: 1 - f.cdf(u),
    "log_cdf": lambda f, u, scale: math.log(f.cdf(u)),
    "log_survival": lambda f, u, scale: math.log(1 - f.cdf(u)),
    "pdf": lambda f, u, scale: f.pdf(u) / scale,
}


def shape_of(family):
    """Return the shape parameter, if the family has one."""
    return (SHAPE,) if family.startswith("Gamma") else ()


def build(family, scale, *shift):
    """Return a law with tensor parameters."""
    return getattr(distributions, family)(scale, *shape_of(family), *shift)


def location(family, shift):
    """Return where the standard law begins or ends."""
    return 0.0 if not shift else (shift[0] if family.endswith("Reversed") else -shift[0])


def parameters(generator, dtype, family):
    """Return three scales, and three shifts if the family has them."""
    scale = 0.5 + torch.rand(3, generator=generator, dtype=torch.float64)
    shift = torch.randn(3, generator=generator, dtype=torch.float64)
    return (scale.to(dtype), shift.to(dtype)) if family in SHIFTED else (scale.to(dtype),)


def point_inputs(family):
    """Return inputs inside the support: points, scales and perhaps shifts."""
    low, high = FAMILIES[family][0]

    def inputs(generator, dtype, batch):
        scale, *shift = parameters(generator, torch.float64, family)
        u = low + (high - low) * torch.rand(*batch, 3, generator=generator, dtype=torch.float64)
        x = scale * (u + location(family, shift))
        return tuple(value.to(dtype) for value in (x, scale, *shift))

    return inputs


def probability_inputs(family):
    """Return probabilities, scales and perhaps shifts."""

    def inputs(generator, dtype, batch):
        rest = parameters(generator, dtype, family)
        q = 0.05 + 0.9 * torch.rand(*batch, 3, generator=generator, dtype=torch.float64)
        return q.to(dtype), *rest

    return inputs


def scale_inputs(family):
    """Return a batch of scales and of shifts, for samples."""

    def inputs(generator, dtype, batch):
        size = (*batch, 3)
        scale = 0.5 + torch.rand(size, generator=generator, dtype=torch.float64)
        shift = torch.randn(size, generator=generator, dtype=torch.float64)
        return (scale.to(dtype), shift.to(dtype)) if family in SHIFTED else (scale.to(dtype),)

    return inputs


def oracle_of(family, method):
    """Return the oracle of one method, number by number."""

    def value(x, scale, *shift):
        f, where = law(family, *shape_of(family)), location(family, shift)
        if method == "quantile":
            return scale * (f.ppf(x) + where)
        u = x / scale - where
        if method == "score":
            return log_slope(family, u, *shape_of(family)) / scale
        return ORACLES[method](f, u, scale)

    def oracle(*args):
        rows = zip(*(a.tolist() for a in args), strict=True)
        return torch.tensor([float(value(*row)) for row in rows], dtype=torch.float64)

    return oracle


def parameter_arguments(family, shared):
    """Return the arguments of scale and shift."""
    scale = Argument(f"{family}(scale=...)", shared=shared, rejects=(lambda s: -s, lambda s: s * 0))
    shift = Argument(f"{family}(shift=...)", shared=shared)
    return (scale, shift) if family in SHIFTED else (scale,)


def method_operation(family, method, level, **promises):
    """Register an element-wise method of a family."""
    if method == "quantile":
        argument, inputs = Argument(f"{family}.quantile(q)", nan="propagates"), probability_inputs(family)
    else:
        gaps = {"infinite": INFINITE_SCORE} if method == "score" and family in UNBOUNDED_SCORES else {}
        infinities = (-math.inf, math.inf)
        argument = Argument(f"{family}.{method}(x)", nan="propagates", infinite=infinities, gaps=gaps)
        inputs = point_inputs(family)
    register(
        Operation(
            name=f"distributions.{family}.{method}",
            function=lambda x, *rest: getattr(build(family, *rest), method)(x),
            arguments=(argument, *parameter_arguments(family, True)),
            inputs=inputs,
            oracle=oracle_of(family, method),
            tolerance=1e-4 if method == "score" else 1e-9,
            differentiability=level,
            half="kept",
            **promises,
        )
    )


def family_operations(family):
    """Register all methods of a family, and the object."""
    _, level, summary, reference = FAMILIES[family]
    about = {"summary": summary, "reference": reference, "row": f"distributions.{family}", "cost": "O(n)"}
    for method in (*ORACLES, "score"):
        method_operation(family, method, level, **about)
    slow = frozenset({"compile"}) if family.startswith("Gamma") else frozenset()
    quantile_level = "twice" if family in SOLVED and level == "any order" else level
    method_operation(family, "quantile", quantile_level, slow=slow, **about)
    register(
        Operation(
            name=f"distributions.{family}.sample",
            function=lambda scale, *shift, generator: build(family, scale, *shift).sample(
                scale.shape, generator=generator, dtype=scale.dtype
            ),
            arguments=parameter_arguments(family, False),
            inputs=scale_inputs(family),
            oracle="random: tests/distributions compares samples with the CDF",
            differentiability="any order",
            half="kept",
            random=True,
            **about,
        )
    )
    register_object(
        PublicObject(
            name=f"distributions.{family}",
            make=lambda: build(family, 0.75, *((0.25,) if family in SHIFTED else ())),
            use=lambda law: (law.cdf(torch.linspace(-2, 2, 5)), law.quantile(torch.tensor([0.1, 0.5, 0.9]))),
            shows=("scale=0.75", *(("shift=0.25",) if family in SHIFTED else ())),
        )
    )


for cls in ALL:
    family_operations(cls.__name__)

exempt("distributions.ALL", "the list of the families, each of which is registered")
exempt("distributions.Distribution*", "the abstract base; its families are registered")
exempt("distributions.*.support", "a property that reads the parameters, tested in tests/distributions")
exempt("distributions.*.mean", "a property that reads the parameters, tested in tests/distributions")
