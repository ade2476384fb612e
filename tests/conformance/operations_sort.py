"""The operations of ``algonets.sort``: by an odd-even network, whose plain loop is the oracle; all methods as objects.

What every method promises is tested in ``tests/sort/test_contract.py``.
"""

import itertools
import math

import torch

from algonets import sort
from algonets.distributions import Cauchy
from algonets.sort import OddEven
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object
from tests.sort.methods import CASES

N = 5
SCALE = 0.3
METHOD = OddEven(Cauchy(SCALE))
PETERSEN = "Petersen, Borgelt, Kuehne, Deussen 2021"
NETWORK = "O(n²) comparators (odd-even), O(n log² n) (bitonic, Batcher)"


def matrix_of(x: torch.Tensor) -> torch.Tensor:
    """The product of the mixing matrices of all layers, one comparator at a time."""
    n, values = len(x), x.tolist()
    matrix = torch.eye(n, dtype=torch.float64)
    for layer in range(n):
        for a in range(layer % 2, n - 1, 2):
            alpha = 0.5 + math.atan((values[a + 1] - values[a]) / SCALE) / math.pi
            mix = torch.eye(n, dtype=torch.float64)
            mix[a, a], mix[a, a + 1], mix[a + 1, a], mix[a + 1, a + 1] = alpha, 1 - alpha, 1 - alpha, alpha
            matrix = mix @ matrix
            low, high = values[a], values[a + 1]
            values[a], values[a + 1] = alpha * low + (1 - alpha) * high, (1 - alpha) * low + alpha * high
    return matrix


def sorted_of(x):
    """Sorted values of the oracle."""
    return matrix_of(x) @ x


def items(generator, dtype, batch):
    """Random items."""
    return (torch.randn(*batch, N, generator=generator, dtype=dtype),)


def keys_and_payload(generator, dtype, batch):
    """Random keys with two numbers each."""
    keys = torch.randn(*batch, N, generator=generator, dtype=dtype)
    return keys, torch.randn(*batch, N, 2, generator=generator, dtype=dtype)


def operation(name, summary, function, oracle, argument="x", infinite=(), **promises):
    """Register an operation on one tensor."""
    call = name.split(".")[-1]
    defaults = {"arguments": (Argument(f"{call}({argument})", infinite=infinite),), "inputs": items}
    register(
        Operation(
            name=f"sort.{name}",
            summary=summary,
            function=function,
            oracle=oracle,
            **{
                **defaults,
                "differentiability": "any order",
                "ways": ("unroll",),
                "backends": ("native", "torch"),
                "half": "kept",
                "cost": NETWORK,
                "reference": PETERSEN,
                **promises,
            },
        )
    )


operation(
    "soft_sort", "Sorted values; this row and those below: by a network", lambda x: sort.soft_sort(x, METHOD), sorted_of
)
operation("soft_argsort", "`P[rank, item]`", lambda x: sort.soft_argsort(x, METHOD), matrix_of)
operation(
    "soft_rank",
    "1-based ranks",
    lambda x: sort.soft_rank(x, METHOD, descending=True),
    lambda x: N + 1 - matrix_of(x).mT @ torch.arange(1, N + 1, dtype=torch.float64),
)
operation(
    "soft_topk",
    "Values, membership or one-hot indices of the k largest",
    lambda x: sort.soft_topk(x, 2.5, METHOD, output="mask"),
    lambda x: torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0], dtype=torch.float64) @ matrix_of(x),
)
operation(
    "soft_quantile",
    "Quantiles, with weights",
    lambda x: sort.soft_quantile(x, 0.3, METHOD),
    lambda x: 0.8 * sorted_of(x)[1] + 0.2 * sorted_of(x)[2],
)
operation("soft_median", "Median", lambda x: sort.soft_median(x, METHOD), lambda x: sorted_of(x)[2])
operation("soft_min", "Minimum", lambda x: sort.soft_min(x, METHOD), lambda x: sorted_of(x)[0])
operation("soft_max", "Maximum", lambda x: sort.soft_max(x, METHOD), lambda x: sorted_of(x)[-1])
operation(
    "sort_with",
    "A payload sorted by its keys",
    lambda keys, payload: sort.sort_with(keys, payload, METHOD)[1],
    lambda keys, payload: matrix_of(keys) @ payload,
    inputs=keys_and_payload,
    arguments=(
        Argument("sort_with(keys)"),
        Argument("sort_with(payload)", nan="propagates", rejects=(lambda payload: payload[..., :3, :],)),
    ),
)
operation(
    "by_item",
    "The other convention, `P[item, rank]`",
    sort.by_item,
    lambda matrix: matrix.T,
    argument="matrix",
    inputs=lambda generator, dtype, batch: (torch.rand(*batch, 3, 4, generator=generator, dtype=dtype),),
    arguments=(Argument("by_item(matrix)", nan="propagates"),),
    backends=("torch",),
    ways=(),
    half=None,
    cost="O(1), a view",
    reference="",
)


def scores(generator, dtype, batch):
    """Random square scores."""
    return (torch.randn(*batch, 3, 3, generator=generator, dtype=dtype),)


def scaled(matrix: torch.Tensor) -> torch.Tensor:
    """Rows and columns normalised in turn, many times."""
    p = matrix.exp()
    for _ in range(2000):
        p = p / p.sum(-1, keepdim=True)
        p = p / p.sum(-2, keepdim=True)
    return p


def assigned(matrix: torch.Tensor) -> torch.Tensor:
    """The best of all permutations."""
    n = len(matrix)
    best = max(
        itertools.permutations(range(n)), key=lambda order: sum(float(matrix[i, j]) for i, j in enumerate(order))
    )
    return torch.eye(n, dtype=matrix.dtype)[list(best)]


MATCHING = {
    "inputs": scores,
    "argument": "scores",
    "backends": ("torch",),
    "half": None,
    "cost": "O(n³)",
    "ways": ("analytic",),
    "infinite": (-math.inf,),
}
operation(
    "sinkhorn",
    "Doubly stochastic scaling",
    sort.sinkhorn,
    scaled,
    reference="Sinkhorn 1964",
    **MATCHING,
)
operation(
    "gumbel_sinkhorn",
    "Random relaxed permutations",
    lambda s, generator: sort.gumbel_sinkhorn(s, 1.0, samples=2, generator=generator).movedim(0, -3),
    "random: tests/sort/test_sinkhorn.py compares frequencies",
    random=True,
    reference="Mena et al. 2018",
    **MATCHING,
)
operation(
    "hungarian",
    "The best assignment, with a straight-through gradient",
    lambda s: sort.hungarian(s, gradient="none"),
    assigned,
    differentiability="piecewise constant",
    reference="Jonker, Volgenant 1987",
    **{**MATCHING, "ways": ()},
)

X = torch.tensor([[0.3, -1.2, 0.9, 0.1]])


def use(method):
    """Do what the method can."""
    results = []
    if "sort" in method.abilities:
        results.append(sort.soft_sort(X, method))
    if "rank" in method.abilities:
        results.append(sort.soft_rank(X, method))
    if "mask" in method.abilities:
        results.append(sort.soft_topk(X, 2, method, output="mask"))
    return tuple(results)


register_object(
    PublicObject(
        name="sort.LogisticART",
        make=lambda: sort.LogisticART(0.3, power=0.2),
        use=lambda law: law.cdf(X),
        shows=("0.3", "0.2"),
    )
)
for name in sort.__all__:
    member = getattr(sort, name)
    cases = [case for case in CASES if type(case.make(0.7)) is member]
    if cases:
        register_object(PublicObject(name=f"sort.{name}", make=lambda case=cases[0]: case.make(0.7), use=use))

exempt("sort.METHODS", "a list of classes")
exempt("sort.ComparatorMethod", "abstract: its families are registered")
exempt("sort.suggest_scale", "a rule of thumb in plain numbers: tests/sort")
exempt("sort.Network", "the wiring, integers: tests/sort/test_networks.py")
exempt("sort.Properties", "a record of promises, shown in the docs and tested by tests/sort/test_contract.py")
exempt("sort.SortMethod", "abstract: its families are registered")
exempt("sort.[A-Z]*.*", "members of methods and modules, which the operations call: tests/sort")
for name in ("Argsort", "Hard", "Max", "Median", "Min", "Quantile", "Rank", "Sort", "SortWith", "TopK"):
    exempt(f"sort.{name}", "an operation as a module or method: tests/sort/test_functions.py compares them")
