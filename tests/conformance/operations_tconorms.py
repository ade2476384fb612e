"""The operations of ``algonets.tconorms``: both norms of every family, their generators and log-survivals."""

import functools
import math

import torch

from algonets import tconorms as tc
from algonets.tconorms import ArchimedeanTConorm
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

UNCHECKED = "a raw formula for renderers that add up fragments; it takes any tensor"


def power(coordinate, inverse, p):
    """Return the binary formula of a power family."""
    return lambda a, b: inverse((coordinate(a) ** p + coordinate(b) ** p) ** (1 / p))


def odds(f):
    """Return the odds of a probability."""
    return f / (1 - f)


def frank(a, b, p=2.5):
    """Frank's formula."""
    return 1 - math.log(1 + (p ** (1 - a) - 1) * (p ** (1 - b) - 1) / (p - 1), p)


# Family: instance, binary formula, generator, differentiability, summary, reference.
FAMILIES = (
    (tc.Max(), max, None, "piecewise linear", "Maximum; its t-norm is the minimum", ""),
    (tc.Probabilistic(), lambda a, b: a + b - a * b, lambda f: -math.log(1 - f), "any order", "Probabilistic sum", ""),
    (tc.Einstein(), lambda a, b: (a + b) / (1 + a * b), math.atanh, "any order", "Einstein sum", ""),
    (
        tc.Hamacher(0.7),
        lambda a, b: (a + b + (0.7 - 2) * a * b) / (1 + (0.7 - 1) * a * b),
        lambda f: math.log(1 + 0.7 * odds(f)),
        "any order",
        "Hamacher's family",
        "",
    ),
    (
        tc.Frank(2.5),
        frank,
        lambda f: -math.log((2.5 ** (1 - f) - 1) / 1.5),
        "any order",
        "Frank's family",
        "Frank 1979",
    ),
    (
        tc.Yager(2.5),
        power(lambda f: f, lambda c: min(1.0, c), 2.5),
        lambda f: f**2.5,
        "any order",
        "Yager's family: a p-norm, cut at 1",
        "",
    ),
    (
        tc.AczelAlsina(1.5),
        power(lambda f: -math.log(1 - f), lambda c: 1 - math.exp(-c), 1.5),
        lambda f: (-math.log(1 - f)) ** 1.5,
        "any order",
        "Aczel and Alsina's family",
        "Aczel, Alsina 1982",
    ),
    (
        tc.Dombi(1.5),
        power(odds, lambda c: c / (1 + c), 1.5),
        lambda f: odds(f) ** 1.5,
        "any order",
        "Dombi's family",
        "Dombi 1982",
    ),
    (
        tc.SchweizerSklar(-1.5),
        lambda a, b: 1 - ((1 - a) ** -1.5 + (1 - b) ** -1.5 - 1) ** (-1 / 1.5),
        lambda f: (1 - f) ** -1.5 - 1,
        "any order",
        "Schweizer and Sklar's family",
        "Schweizer, Sklar 1963",
    ),
)


def draw(generator, dtype, batch, high=0.7):
    """Return three values inside (0, 1) a batch entry."""
    return (0.05 + (high - 0.05) * torch.rand(*batch, 3, generator=generator, dtype=torch.float64)).to(dtype)


def values_inputs(generator, dtype, batch):
    """Return values to fold."""
    return (draw(generator, dtype, batch),)


def pair_inputs(generator, dtype, batch):
    """Return two tensors of values."""
    return draw(generator, dtype, batch), draw(generator, dtype, batch)


def log_survival_inputs(generator, dtype, batch):
    """Return logarithms of survivals."""
    return (torch.log1p(-draw(generator, torch.float64, batch)).to(dtype),)


def each(formula):
    """Return the oracle that applies a formula of floats element by element."""

    def oracle(*args):
        rows = zip(*(a.tolist() for a in args), strict=True)
        return torch.tensor([formula(*row) for row in rows], dtype=torch.float64)

    return oracle


def fold(formula):
    """Return the oracle that folds all elements by a binary formula of floats."""
    return lambda x: torch.tensor(functools.reduce(formula, x.tolist()), dtype=torch.float64)


def slope(formula, step=1e-6):
    """Return the central difference of a formula."""
    return lambda f: (formula(f + step) - formula(f - step)) / (2 * step)


def inverse(formula):
    """Return the inverse of an increasing formula on [0, 1) by root finding."""

    def root(total):
        from scipy import optimize  # here, so that the docs build needs no SciPy

        return optimize.brentq(lambda f: formula(f) - total, 0.0, 1 - 1e-12, xtol=1e-14)

    return root


def checked(call):
    """Return an argument of values, which are expected in [0, 1] but not checked to be."""
    return Argument(call, nan="propagates")


def family_operations(tconorm, formula, generator, level, summary, reference):
    """Register all methods of a family, and the object."""
    name = type(tconorm).__name__
    pair = (checked(f"{name}(a, b): a"), checked(f"{name}(a, b): b"))
    dual = lambda a, b: 1 - formula(1 - a, 1 - b)  # noqa: E731

    def add(method, function, inputs, oracle, arguments, **promises):
        promises = {"half": "kept", "differentiability": level, "cost": "O(n)"} | promises
        register(
            Operation(
                name=f"tconorms.{name}.{method}",
                function=function,
                inputs=inputs,
                oracle=oracle,
                arguments=arguments,
                summary=summary,
                reference=reference,
                row=f"tconorms.{name}",
                **promises,
            )
        )

    add("__call__", tconorm, pair_inputs, each(formula), pair)
    add("tnorm", tconorm.tnorm, pair_inputs, each(dual), pair)
    add("reduce", tconorm.reduce, values_inputs, fold(formula), (checked(f"{name}.reduce(values)"),))
    arguments = (checked(f"{name}.reduce_tnorm(values)"),)
    add("reduce_tnorm", tconorm.reduce_tnorm, values_inputs, fold(dual), arguments)
    if hasattr(tconorm, "reduce_log_survival"):
        in_logs = lambda a, b: math.log1p(-formula(-math.expm1(a), -math.expm1(b)))  # noqa: E731
        log_survival = Argument(f"{name}.reduce_log_survival(log_survival)", nan="propagates", infinite=(-math.inf,))
        add("reduce_log_survival", tconorm.reduce_log_survival, log_survival_inputs, fold(in_logs), (log_survival,))
    if isinstance(tconorm, ArchimedeanTConorm):
        for method, oracle, tolerance in (
            ("generator", generator, 1e-9),
            ("generator_derivative", slope(generator), 1e-6),
            ("generator_inverse", inverse(generator), 1e-9),
        ):
            argument = Argument(f"{name}.{method}", nan="propagates", gaps={"type": UNCHECKED, "integer": UNCHECKED})
            function = getattr(tconorm, method)
            add(method, function, values_inputs, each(oracle), (argument,), half=None, tolerance=tolerance)
    register_object(
        PublicObject(
            name=f"tconorms.{name}",
            make=lambda: tconorm,
            use=lambda t: t.reduce(torch.linspace(0.0, 0.9, 4)),
            shows=tuple(f"{key}={value!r}" for key, value in vars(tconorm).items()),
        )
    )


for row in FAMILIES:
    family_operations(*row)

exempt("tconorms.TConorm*", "the abstract base; its families are registered")
exempt("tconorms.ArchimedeanTConorm*", "the abstract base; its families are registered")
