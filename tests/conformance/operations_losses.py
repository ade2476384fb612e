"""The operations of ``algonets.losses`` of a chain, and on soft orders."""

import torch

from algonets.dp import LinearChain
from algonets.losses import (
    NeuralNDCG,
    PermutationCrossEntropy,
    PiRank,
    QuantileLoss,
    Spearman,
    TopKCrossEntropy,
    direct_loss,
    nll,
    perceptron,
    risk,
    structured_hinge,
)
from algonets.sort import Hard, NeuralSort
from tests.conformance.chains import CHAIN, LAFFERTY, labels_argument, labels_inputs, log_prob_of, score_of
from tests.conformance.registry import Argument, Operation, exempt, register
from tests.oracles.chain_enumeration import Enumeration

MARGIN = 0.6


def listed(*arguments):
    """Return all sequences with their scores, and their Hamming costs."""
    *factors, labels = arguments
    oracle = Enumeration(*factors)
    wrong = [sum(a != b for a, b in zip(y, labels.tolist(), strict=False)) for y in oracle.sequences]
    return oracle, torch.tensor(wrong, dtype=oracle.scores.dtype)


def hinge_of(*arguments):
    """Return the hinge loss by listing all sequences with their Hamming costs."""
    oracle, wrong = listed(*arguments)
    return (oracle.scores + MARGIN * wrong).max() - score_of(*arguments)


def risk_of(*arguments):
    """Return the expected Hamming cost by listing all sequences."""
    oracle, wrong = listed(*arguments)
    return (oracle.scores.softmax(0) * wrong).sum()


def direct_loss_of(*arguments):
    """Return the direct loss by listing all sequences."""
    return (hinge_of(*arguments) + score_of(*arguments) - Enumeration(*arguments[:5]).max()) / MARGIN


def loss_operation(loss, summary, oracle, settings=None, **promises):
    """Register a loss of a chain and labels, a value for each sequence."""
    settings = settings or {}
    register(
        Operation(
            name=f"losses.{loss.__name__}",
            summary=summary,
            function=lambda *args: loss(LinearChain(*args[:5]), args[5], reduction="none", **settings),
            arguments=(*CHAIN, labels_argument("LinearChain.score(labels)")),
            inputs=labels_inputs,
            oracle=oracle,
            backends=("native", "torch"),
            half="float32",
            cost="O(T S²)",
            **promises,
        )
    )


loss_operation(
    nll,
    "Negative log-likelihood of the right labels",
    lambda *args: -log_prob_of(*args),
    differentiability="any order",
    ways=("analytic",),
    reference=LAFFERTY,
)
loss_operation(
    perceptron,
    "Structured perceptron loss",
    lambda *args: Enumeration(*args[:5]).max() - score_of(*args),
    differentiability="piecewise linear",
    ways=("pool",),
    reference="Collins 2002",
)
loss_operation(
    structured_hinge,
    "Structured hinge loss with Hamming costs",
    hinge_of,
    {"margin": MARGIN},
    differentiability="piecewise linear",
    ways=("pool",),
    reference="Taskar, Guestrin, Koller 2003; Tsochantaridis et al. 2005",
)
loss_operation(
    risk,
    "Expected Hamming cost of a random sequence",
    risk_of,
    differentiability="any order",
    ways=("analytic",),
    reference="Smith, Eisner 2006",
)
loss_operation(
    direct_loss,
    "Direct loss with Hamming costs",
    direct_loss_of,
    {"step": MARGIN},
    differentiability="piecewise linear",
    ways=("pool",),
    reference="McAllester, Hazan, Keshet 2010",
)

# ---- losses on soft orders, by NeuralSort, whose matrix is one softmax a rank

TEMPERATURE = 1.3
METHOD = NeuralSort(TEMPERATURE)
NUMBERS_TOO = {"integer": "the order of floating numbers counts as well"}


def neural_sort_of(x):
    """``P[rank, item]``, ascending, by its definition."""
    n, spread = len(x), sum((x - value).abs() for value in x)
    return torch.stack([torch.softmax(((2 * i + 1 - n) * x - spread) / TEMPERATURE, 0) for i in range(n)])


def cross_entropy_of(x, targets):
    """Binary cross entropy, entry by entry."""
    p, truth = neural_sort_of(x), torch.eye(len(x), dtype=x.dtype)[targets.argsort()]
    return -torch.where(truth > 0, p.log(), (1 - p).log()).mean()


def topk_of(x, label):
    """A fifth of it by softmax, the rest by the last three rows."""
    d = 0.2 * torch.softmax(x, 0)[label] + 0.8 * neural_sort_of(x)[-3:, label].sum()
    return -torch.log(d * (1 - 2e-7) + 1e-7)


def ndcg_of(scaling):
    """Relaxed NDCG at 3."""

    def oracle(x, relevance):
        p = neural_sort_of(x).flip(0)
        for _ in range(scaling):
            p = p / p.sum(0, keepdim=True)
            p = p / p.sum(1, keepdim=True)
        gains = 2.0 ** relevance.to(x.dtype) - 1
        discounts = 1 / torch.log2(torch.tensor([2.0, 3.0, 4.0], dtype=x.dtype))
        ideal = (gains.sort(descending=True).values[:3] * discounts).sum()
        return 1 - ((p @ gains)[:3] * discounts).sum() / ideal

    return oracle


def spearman_of(x, targets):
    """One less Pearson's correlation of the ranks."""
    p = neural_sort_of(x)
    ranks = (p.mT @ torch.arange(1.0, len(x) + 1, dtype=x.dtype)) / p.sum(0)
    return 1 - torch.corrcoef(torch.stack([ranks, targets.argsort().argsort().to(x.dtype)]))[0, 1]


def pinball_of(prediction, target):
    """Mean over the sorted quantiles."""
    terms = []
    for q, value in zip((0.2, 0.5, 0.9), prediction.sort().values, strict=True):
        terms.append(q * (target - value) if target >= value else (1 - q) * (value - target))
    return sum(terms) / 3


def with_order(generator, dtype, batch):
    """Scores, and a random order."""
    scores = torch.randn(*batch, 5, generator=generator, dtype=dtype)
    return scores, torch.rand(*batch, 5, generator=generator).argsort(-1)


def with_label(generator, dtype, batch):
    """Scores of classes, and a label."""
    return torch.randn(*batch, 5, generator=generator, dtype=dtype), torch.randint(5, batch, generator=generator)


def quantiles(generator, dtype, batch):
    """Three predicted quantiles, and a target."""
    prediction = torch.randn(*batch, 3, generator=generator, dtype=dtype)
    return prediction, torch.randn(batch, generator=generator, dtype=dtype)


def ordering_operation(loss, summary, oracle, second, inputs=with_order, **promises):
    """Register a loss of scores and something else, a value an example."""
    name = type(loss).__name__
    defaults = {"arguments": (Argument(f"{name}(scores)"), second), "differentiability": "any order"}
    register(
        Operation(
            name=f"losses.{name}",
            summary=summary,
            function=loss,
            inputs=inputs,
            oracle=oracle,
            half="float32",
            ways=("unroll",),
            cost="that of the method",
            **{**defaults, **promises},
        )
    )


def shorter(value):
    """One item too few."""
    return value[..., :-1]


ordering_operation(
    PermutationCrossEntropy(METHOD, reduction="none"),
    "Cross entropy of a soft permutation matrix against the true order",
    cross_entropy_of,
    Argument("PermutationCrossEntropy(targets)", integer=True, rejects=(shorter,), gaps=NUMBERS_TOO),
    reference="Grover et al. 2019; Petersen et al. 2021",
)
ordering_operation(
    TopKCrossEntropy(METHOD, [0.2, 0.0, 0.8], reduction="none"),
    "Cross entropy of being among the first k classes, for a distribution over k",
    topk_of,
    Argument(
        "TopKCrossEntropy(labels)",
        integer=True,
        rejects=(lambda label: label + 5, lambda label: label - 5),
        gaps={"integer": "booleans mean several labels"},
    ),
    inputs=with_label,
    reference="Petersen, Kuehne, Borgelt, Deussen 2022",
)
ordering_operation(
    NeuralNDCG(METHOD, 3, reduction="none"),
    "One less relaxed NDCG@k, with scaling",
    ndcg_of(50),
    Argument("NeuralNDCG(relevance)", integer=True, rejects=(shorter, lambda r: r - 9), gaps=NUMBERS_TOO),
    tolerance=1e-5,
    reference="Pobrotyn, Bialobrzeski 2021",
)
ordering_operation(
    PiRank(METHOD, 3, reduction="none"),
    "One less relaxed NDCG@k, without scaling",
    ndcg_of(0),
    Argument("PiRank(relevance)", integer=True, rejects=(shorter, lambda r: r - 9), gaps=NUMBERS_TOO),
    reference="Swezey, Grover, Charron, Ermon 2021",
)
ordering_operation(
    Spearman(METHOD, reduction="none"),
    "One less Spearman's correlation",
    spearman_of,
    Argument("Spearman(targets)", integer=True, rejects=(shorter,), gaps=NUMBERS_TOO),
    reference="Blondel et al. 2020",
)
ordering_operation(
    QuantileLoss([0.2, 0.5, 0.9], Hard(), reduction="none"),
    "Pinball loss of one quantile, or of many that do not cross",
    pinball_of,
    Argument("QuantileLoss(target)"),
    inputs=quantiles,
    arguments=(Argument("QuantileLoss(prediction)"), Argument("QuantileLoss(target)")),
    differentiability="piecewise linear",
    reference="Koenker, Bassett 1978",
)
exempt("losses.[A-Z]*.*", "members of modules, which the operations call")
