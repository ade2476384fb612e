"""The operations of ``algonets.losses``: structured losses of a chain."""

import torch

from algonets.dp import LinearChain
from algonets.losses import nll, perceptron, structured_hinge
from tests.conformance.chains import CHAIN, LAFFERTY, labels_argument, labels_inputs, log_prob_of, score_of
from tests.conformance.registry import Operation, register
from tests.oracles.chain_enumeration import Enumeration

MARGIN = 0.6


def hinge_of(*arguments):
    """Return the hinge loss by listing all sequences with their Hamming costs."""
    *factors, labels = arguments
    oracle = Enumeration(*factors)
    wrong = [sum(a != b for a, b in zip(y, labels.tolist(), strict=False)) for y in oracle.sequences]
    return (oracle.scores + MARGIN * torch.tensor(wrong, dtype=oracle.scores.dtype)).max() - score_of(*arguments)


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
