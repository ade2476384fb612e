"""Linear chains for the conformance suite: arguments, small inputs, and oracles by enumeration."""

import dataclasses
import math

import torch

from tests.conformance.registry import Argument
from tests.oracles.chain_enumeration import Enumeration

STEPS, STATES = 4, 3
LAFFERTY = "Lafferty, McCallum, Pereira 2001"
RABINER = "Rabiner 1989"
COST = "O(T S²)"
FORBIDDEN = (-math.inf,)

UNARY = Argument(
    "LinearChain(unary)", infinite=FORBIDDEN, rejects=(lambda u: u[..., :0], lambda u: u[..., 0, 0].reshape(-1)[0])
)
TRANSITION = Argument(
    "LinearChain(transition)", shared=True, infinite=FORBIDDEN, rejects=(lambda a: a[:2], lambda a: a[0])
)
START = Argument("LinearChain(start)", shared=True, infinite=FORBIDDEN, rejects=(lambda s: s[:2],))
END = Argument("LinearChain(end)", shared=True, infinite=FORBIDDEN, rejects=(lambda s: s[:2],))
LENGTHS = Argument(
    "LinearChain(lengths)",
    integer=True,
    rejects=(lambda n: n * 0, lambda n: n + STEPS, lambda n: n[None]),
)
COSTS_ARGUMENT = Argument(
    "LinearChain.augmented(costs)",
    rejects=(lambda c: c[..., :2],),
)
CHAIN = (UNARY, TRANSITION, START, END, LENGTHS)
OWN_TRANSITION = dataclasses.replace(
    TRANSITION, shared=False, rejects=(lambda a: a[..., :2], lambda a: a[..., :1, :, :])
)
OWN_START = dataclasses.replace(START, shared=False, rejects=(lambda s: s[..., :2],))
OWN_CHAIN = (UNARY, OWN_TRANSITION, OWN_START, END, LENGTHS)  # own transitions of every step, own start scores


def labels_argument(call: str) -> Argument:
    """Return the argument of given labels."""
    rejects = (lambda y: y + STATES, lambda y: y - STATES, lambda y: y[..., :1])
    return Argument(call, integer=True, rejects=rejects)


def temperature_argument(method: str) -> Argument:
    """Return the argument of a scalar temperature."""
    rejects = (lambda t: -t, lambda t: t * 0, lambda t: t.expand(2))
    return Argument(f"LinearChain.{method}(temperature)", shared=True, rejects=rejects)


def normal(generator, dtype, *shape):
    """Draw in float64, so that every dtype gets the same numbers."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def chain_inputs(generator, dtype, batch):
    """Return unary, transition, start, end and lengths."""
    unary, transition, start, end = (
        normal(generator, dtype, *shape) for shape in ((*batch, STEPS, STATES), (STATES, STATES), (STATES,), (STATES,))
    )
    return unary, transition, start, end, torch.randint(1, STEPS + 1, batch, generator=generator)


def own_inputs(generator, dtype, batch):
    """Return factors of which each example and each step has its own."""
    unary, _, _, end, lengths = chain_inputs(generator, dtype, batch)
    transition = normal(generator, dtype, *batch, STEPS - 1, STATES, STATES)
    return unary, transition, normal(generator, dtype, *batch, STATES), end, lengths


def labels_inputs(generator, dtype, batch, factors=chain_inputs):
    """Return the factors of a chain and labels."""
    return *factors(generator, dtype, batch), torch.randint(STATES, (*batch, STEPS), generator=generator)


def own_labels_inputs(generator, dtype, batch):
    """Return factors of which each example has its own, and labels."""
    return labels_inputs(generator, dtype, batch, own_inputs)


def tempered_inputs(generator, dtype, batch):
    """Return the factors of a chain and a temperature."""
    return *chain_inputs(generator, dtype, batch), torch.tensor(0.7, dtype=dtype)


def more_unary_inputs(generator, dtype, batch):
    """Return the factors of a chain and as many unary scores again."""
    return *chain_inputs(generator, dtype, batch), normal(generator, dtype, *batch, STEPS, STATES)


def padded(labels, oracle) -> torch.Tensor:
    """Fill labels up with -1."""
    return torch.tensor([*labels, *[-1] * (oracle.steps - oracle.length)])


def best_labels(oracle: Enumeration) -> torch.Tensor:
    """Return the best sequence."""
    return padded(oracle.sequences[int(oracle.scores.argmax())], oracle)


def one_hot(*factors):
    """Return the best sequence as the solver does."""
    labels = best_labels(Enumeration(*factors))
    return (labels[:, None] == torch.arange(STATES)).to(factors[0].dtype)


def topk(*factors):
    """Return the three best sequences."""
    oracle = Enumeration(*factors)
    order = oracle.scores.sort(descending=True).indices[:3]
    return oracle.kbest(3), torch.stack([padded(oracle.sequences[i], oracle) for i in order])


def score_of(*arguments):
    """Return the score of labels by looking them up."""
    oracle = Enumeration(*arguments[:5])
    return oracle.scores[oracle.sequences.index(tuple(arguments[5][: oracle.length].tolist()))]


def log_prob_of(*arguments):
    """Return the log-probability of labels."""
    return score_of(*arguments) - Enumeration(*arguments[:5]).log_partition()


def cross_entropy_of(unary, transition, start, end, lengths, other):
    """Return the cross-entropy of two chains that differ in their unary scores."""
    p, q = (Enumeration(u, transition, start, end, lengths).probabilities() for u in (unary, other))
    return -(p * q.log()).sum()


def tempered(unary, transition, start, end, lengths, temperature):
    """Return the enumeration of a chain with all scores divided by the temperature."""
    return Enumeration(*(x / temperature for x in (unary, transition, start, end)), lengths)


def window_marginals(unary, transition, start, end, lengths, iterations=2):
    """Beliefs of k parallel updates: marginals of the part of the chain within k steps."""
    length, rows = int(lengths), torch.zeros_like(unary)
    for t in range(length):
        low, high = max(0, t - iterations), min(length, t + iterations + 1)
        first = start if low == 0 else torch.zeros_like(start)
        last = end if high == length else torch.zeros_like(end)
        rows[t] = Enumeration(unary[low:high], transition, first, last).unary_marginals()[t - low]
    return rows


def mean_field_loop(unary, transition, start, end, lengths, iterations=2):
    """Coordinate ascent, one position after another, by plain loops."""
    length = int(lengths)
    scores = unary.clone()
    scores[0] += start
    scores[length - 1] += end
    belief = [torch.softmax(scores[t], 0) for t in range(length)]
    for _ in range(iterations):
        for t in [*range(0, length, 2), *range(1, length, 2)]:
            field = scores[t]
            field = field + (belief[t - 1] @ transition if t > 0 else 0)
            field = field + (transition @ belief[t + 1] if t + 1 < length else 0)
            belief[t] = torch.softmax(field, 0)
    return torch.stack([*belief, *[torch.zeros_like(belief[0])] * (unary.shape[0] - length)])
