"""The operations of ``algonets.semirings``: ``plus`` and ``times`` of each, lifted from scores and lowered again."""

import itertools
import math

import torch

from algonets import semirings as sr
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

UNCHECKED = "inner loop of a dynamic program, which checks its scores; a semiring takes any tensor"
FORBIDDEN = "a NaN lifts to 'not allowed', as -inf; the dynamic program refuses NaN before"
SAMPLED = "the gradient is one random sample; tests/dp/test_linear_chain.py compares its mean with the marginals"


def plus_inputs(generator, dtype, batch):
    """Return the scores of four alternatives."""
    return (torch.randn(*batch, 4, generator=generator, dtype=torch.float64).to(dtype),)


def times_inputs(generator, dtype, batch):
    """Return the scores of two alternatives for each of two parts."""
    return tuple(torch.randn(*batch, 2, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))


def sparse_maximum(x):
    """Quadratically smoothed maximum, by trying all supports."""
    values = []
    for size in range(1, len(x) + 1):
        for support in itertools.combinations(range(len(x)), size):
            kept = x[list(support)]
            p = kept - (kept.sum() - 1) / size
            if (p >= 0).all():
                values.append((p * kept).sum() - 0.5 * ((p * p).sum() - 1))
    return torch.stack(values).max()


def shannon_entropy(x):
    """Entropy of the softmax by a plain loop."""
    weights = [math.exp(v) for v in x.tolist()]
    return x.new_tensor(-sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights))


def log_sum_exp(x):
    """Log of the plain sum."""
    return x.exp().sum().log()


def all_pairs(plus_oracle):
    """Return the oracle of ``times`` where it distributes over ``plus``: alternatives are all pairs of parts."""
    return lambda a, b: plus_oracle((a[:, None] + b).flatten())


def semiring_operations(semiring, plus_oracle, times_oracle=None, gaps=None, **promises):
    """Register ``plus`` and ``times`` of one semiring, and the object."""
    name, gaps = type(semiring).__name__, gaps or {}

    def plus(x):
        return semiring.plus(semiring.lift(x), -1)

    def argument(call):
        unchecked = {check: UNCHECKED for check in ("type", "integer")}
        return Argument(f"{name}.{call}", nan="propagates", infinite=(-math.inf,), gaps=unchecked | gaps)

    shared = {"cost": "O(n)", "row": f"semirings.{name}", "gaps": gaps}
    register(
        Operation(
            name=f"semirings.{name}.plus",
            function=lambda x: semiring.lower(plus(x)),
            arguments=(argument("plus(x)"),),
            inputs=plus_inputs,
            oracle=plus_oracle,
            **(shared | promises),
        )
    )
    register(
        Operation(
            name=f"semirings.{name}.times",
            function=lambda a, b: semiring.lower(semiring.times(plus(a), plus(b))),
            arguments=(argument("times(a)"), argument("times(b)")),
            inputs=times_inputs,
            oracle=times_oracle or all_pairs(plus_oracle),
            **(shared | promises),
        )
    )
    register_object(
        PublicObject(
            name=f"semirings.{name}",
            make=lambda: semiring,
            use=lambda s: s.lower(s.plus(s.lift(torch.arange(4.0)), -1)),
            shows=tuple(f"{key}={value!r}" for key, value in vars(semiring).items()),
        )
    )


semiring_operations(
    sr.Log(),
    log_sum_exp,
    differentiability="any order",
    summary="Log-sum-exp and plus: log-partitions",
    ways=("analytic", "unroll"),
)
semiring_operations(
    sr.MaxPlus(),
    lambda x: x.sort().values[-1],
    differentiability="piecewise linear",
    summary="Maximum and plus: the best",
    ways=("pool",),
    reference="Viterbi 1967",
)
semiring_operations(
    sr.MinPlus(),
    lambda x: x.sort().values[0],
    differentiability="piecewise linear",
    summary="Minimum and plus: the cheapest",
    ways=("pool",),
)
semiring_operations(
    sr.SoftMin(0.5),
    lambda x: -0.5 * log_sum_exp(-x / 0.5),
    differentiability="any order",
    summary="Smooth minimum and plus",
    ways=("analytic", "unroll"),
    reference="Cuturi, Blondel 2017",
)
semiring_operations(
    sr.KMax(2),
    lambda x: x.sort(descending=True).values[:2],
    differentiability="piecewise linear",
    summary="The k best",
    ways=("pool",),
)
semiring_operations(
    sr.Counting(),
    lambda x: torch.tensor(len(x), dtype=torch.float64),
    differentiability="none",
    gaps={"nan": FORBIDDEN},
    summary="How many are allowed",
    dtype=torch.float64,
)
semiring_operations(
    sr.Boolean(),
    lambda x: torch.tensor(True),
    differentiability="none",
    gaps={"nan": FORBIDDEN},
    summary="Whether any is allowed",
)
semiring_operations(
    sr.Entropy(),
    shannon_entropy,
    differentiability="twice",
    summary="Log-partition and Shannon entropy in one pass",
    ways=("analytic", "unroll"),
    reference="Li, Eisner 2009",
)
semiring_operations(
    sr.Sampling(),
    log_sum_exp,
    differentiability="once",
    gaps={"gradcheck": SAMPLED, "vmap": "an autograd function that draws random numbers; torch.func refuses it"},
    summary="Log-sum-exp whose gradient is one exact sample",
    ways=("analytic",),
    reference="Rush 2020",
)
semiring_operations(
    sr.SparseMax(),
    sparse_maximum,
    lambda a, b: sparse_maximum(a) + sparse_maximum(b),
    differentiability="twice",
    summary="Quadratically smoothed maximum with sparse gradients",
    ways=("analytic", "unroll"),
    reference="Mensch, Blondel 2018; Martins, Astudillo 2016",
)

exempt("semirings.Semiring*", "the abstract base; its semirings are registered")
for method in ("lift", "lower", "full", "where"):
    exempt(f"semirings.*.{method}", "part of plus, times and dp.LinearChain.reduce, which are registered")
for element in ("zero", "one"):
    exempt(f"semirings.*.{element}", "a constant, its laws are tested in tests/semirings")
