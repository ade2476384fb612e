"""The operations of ``algonets.dp``: linear chains, the Viterbi solver, the CRF layer."""

import dataclasses
import math

import torch

from algonets.dp import CRF, LinearChain, viterbi
from algonets.semirings import KMax
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object
from tests.oracles.chain_enumeration import Enumeration

STEPS, STATES = 4, 3
LENGTHS_COMPARED = "BUG: lengths are compared by torch.equal, which torch.func.vmap refuses when they are batched"
NAN_TEMPERATURE = "BUG: the gradient of a tensor temperature is NaN if any score is -inf (0 times -inf)"
FACTORISED = "documented: no factorised distribution respects a forbidden transition; it raises a ValueError"
SCALE_ROUNDED = "BUG (minor): 1 / temperature is computed in the half type of a tensor temperature"
PARAMETERS_ROUNDED = "BUG: the float32 parameters are rounded to the half type of the scores, then widened again"
NO_TENSOR = "BUG (minor): unary.dtype is read before anything is checked, hence an AttributeError"
COSTS = "BUG: costs are not checked at all, though the docstring demands finite ones of a certain shape"
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
    gaps={"type": "BUG: what is not a tensor goes to torch.as_tensor, whose error has no call, rule and remedy"},
)
COSTS_ARGUMENT = Argument(
    "LinearChain.augmented(costs)",
    rejects=(lambda c: c[..., :2],),
    gaps=dict.fromkeys(("type", "integer", "value", "nan"), COSTS),
)
CHAIN = (UNARY, TRANSITION, START, END, LENGTHS)


def labels_argument(call: str) -> Argument:
    """Return the argument of given labels."""
    rejects = (lambda y: y + STATES, lambda y: y - STATES, lambda y: y[..., :1])
    return Argument(call, integer=True, rejects=rejects)


def temperature_argument(method: str) -> Argument:
    """Return the argument of a scalar temperature."""
    rejects = (lambda t: -t, lambda t: t * 0, lambda t: t.expand(2))
    gaps = {"value": "BUG (minor): the message for a temperature that is no scalar does not name the call"}
    return Argument(f"LinearChain.{method}(temperature)", shared=True, rejects=rejects, gaps=gaps)


def normal(generator, dtype, *shape):
    """Draw in float64, so that every dtype gets the same numbers."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def chain_inputs(generator, dtype, batch):
    """Return unary, transition, start, end and lengths."""
    unary, transition, start, end = (
        normal(generator, dtype, *shape) for shape in ((*batch, STEPS, STATES), (STATES, STATES), (STATES,), (STATES,))
    )
    return unary, transition, start, end, torch.randint(2, STEPS + 1, batch, generator=generator)


def labels_inputs(generator, dtype, batch):
    """Return the factors of a chain and labels."""
    factors = chain_inputs(generator, dtype, batch)
    return *factors, torch.randint(STATES, (*batch, STEPS), generator=generator)


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


def of_enumeration(*methods):
    """Return an oracle: methods of the enumeration."""

    def oracle(*factors):
        return tuple(getattr(Enumeration(*factors), method)() for method in methods)

    return oracle


def two_chains(method):
    """Return a method of two chains that differ in their unary scores."""
    return lambda *args: getattr(LinearChain(*args[:5]), method)(LinearChain(args[5], *args[1:5]))


def chain_operation(method, summary, call=None, **promises):
    """Register a method of LinearChain; ``call`` takes the chain and the arguments after its factors."""
    call = call or (lambda chain: getattr(chain, method)())
    defaults = {
        "name": f"dp.LinearChain.{method}",
        "summary": summary,
        "function": lambda *args, **extra: call(LinearChain(*args[:5]), *args[5:], **extra),
        "arguments": CHAIN,
        "inputs": chain_inputs,
        "differentiability": "any order",
        "cost": COST,
        "half": "float32",
    }
    register(Operation(**(defaults | promises)))


BOTH = ("native", "torch")

chain_operation(
    "max",
    "Score of the best label sequence",
    differentiability="piecewise linear",
    oracle=of_enumeration("max"),
    ways=("pool",),
    backends=BOTH,
    reference="Viterbi 1967; Danskin 1967",
)
chain_operation(
    "argmax",
    "Best label sequence",
    differentiability="none",
    oracle=lambda *factors: best_labels(Enumeration(*factors)),
    backends=BOTH,
    reference="Viterbi 1967",
)
chain_operation(
    "topk",
    "The k best sequences and their scores",
    lambda chain: chain.topk(3),
    differentiability="piecewise linear",
    oracle=topk,
    ways=("pool",),
    cost="O(T S² k)",
)
chain_operation(
    "log_partition",
    "Smooth maximum, or log-sum-exp, over all sequences",
    lambda chain, temperature: chain.log_partition(temperature),
    arguments=(*CHAIN, temperature_argument("log_partition")),
    inputs=tempered_inputs,
    oracle=lambda *args: tempered(*args).log_partition() * args[5],
    ways=("analytic",),
    backends=BOTH,
    reference=LAFFERTY,
    gaps={"half": SCALE_ROUNDED, "infinite": NAN_TEMPERATURE},
)
chain_operation(
    "marginals",
    "Probabilities of labels and of label pairs",
    lambda chain, temperature: chain.marginals(temperature),
    arguments=(*CHAIN, temperature_argument("marginals")),
    inputs=tempered_inputs,
    oracle=lambda *args: (tempered(*args).unary_marginals(), tempered(*args).pairwise_marginals()),
    ways=("analytic",),
    backends=BOTH,
    reference=RABINER,
    gaps={"half": SCALE_ROUNDED, "infinite": NAN_TEMPERATURE},
)
chain_operation(
    "entropy",
    "Shannon entropy of the sequences",
    oracle=of_enumeration("entropy"),
    ways=("analytic",),
    backends=BOTH,
    gaps={"vmap": LENGTHS_COMPARED},
)
chain_operation(
    "cross_entropy",
    "Cross-entropy of two chains",
    function=two_chains("cross_entropy"),
    arguments=(*CHAIN, UNARY),
    inputs=more_unary_inputs,
    oracle=cross_entropy_of,
    ways=("analytic",),
    backends=BOTH,
    gaps={"vmap": LENGTHS_COMPARED},
)
chain_operation(
    "kl",
    "Kullback-Leibler divergence of two chains",
    function=two_chains("kl"),
    arguments=(*CHAIN, UNARY),
    inputs=more_unary_inputs,
    oracle=lambda *args: cross_entropy_of(*args) - Enumeration(*args[:5]).entropy(),
    ways=("analytic",),
    backends=BOTH,
    gaps={"vmap": LENGTHS_COMPARED},
)
chain_operation(
    "sample",
    "Exact random sequences",
    lambda chain, generator: chain.sample(2, generator).movedim(0, -2),
    differentiability="none",
    oracle="random: tests/dp/test_linear_chain.py compares frequencies with the enumeration",
    backends=BOTH,
    random=True,
    cost="O(T S (S + n))",
    reference=RABINER,
)
chain_operation(
    "score",
    "Score of given labels",
    lambda chain, labels: chain.score(labels),
    arguments=(*CHAIN, labels_argument("LinearChain.score(labels)")),
    inputs=labels_inputs,
    oracle=score_of,
    cost="O(T)",
)
chain_operation(
    "log_prob",
    "Log-probability of given labels",
    lambda chain, labels: chain.log_prob(labels),
    arguments=(*CHAIN, labels_argument("LinearChain.score(labels)")),
    inputs=labels_inputs,
    oracle=log_prob_of,
    ways=("analytic",),
    backends=BOTH,
    reference=LAFFERTY,
)
chain_operation(
    "messages",
    "Beliefs of unrolled belief propagation",
    lambda chain: (chain.messages(2), chain.messages()),
    oracle=lambda *factors: (window_marginals(*factors), Enumeration(*factors).unary_marginals()),
    ways=("unroll",),
    cost="O(T S²) an iteration",
    reference="Pearl 1988",
)
chain_operation(
    "mean_field",
    "Beliefs of unrolled mean-field updates",
    lambda chain: chain.mean_field(2),
    arguments=(UNARY, dataclasses.replace(TRANSITION, gaps={"infinite": FACTORISED}), START, END, LENGTHS),
    oracle=mean_field_loop,
    ways=("unroll",),
    cost="O(T S²) an iteration",
    reference="Zheng et al. 2015",
)
chain_operation(
    "reduce",
    "The recursion in any semiring",
    lambda chain: chain.reduce(KMax(3)),
    differentiability="piecewise linear",
    oracle=lambda *factors: Enumeration(*factors).kbest(3),
    ways=("pool", "analytic"),
    reference="Goodman 1999",
)
chain_operation(
    "count",
    "Number of allowed sequences",
    differentiability="none",
    oracle=lambda *factors: Enumeration(*factors).allowed.sum().double(),
    dtype=torch.float64,
    half=None,
)
chain_operation(
    "feasible",
    "Whether any sequence is allowed",
    differentiability="none",
    oracle=lambda *factors: Enumeration(*factors).allowed.any(),
    half=None,
)
chain_operation(
    "augmented",
    "The chain with costs added to its unary scores",
    lambda chain, costs: chain.augmented(costs).log_partition(),
    arguments=(*CHAIN, COSTS_ARGUMENT),
    inputs=more_unary_inputs,
    oracle=lambda unary, *rest: Enumeration(unary + rest[-1], *rest[:-1]).log_partition(),
    backends=BOTH,
    cost="O(T S)",
)
register(
    Operation(
        name="dp.viterbi",
        summary="Solver: the best sequence as one-hot rows",
        function=viterbi,
        arguments=CHAIN,
        inputs=chain_inputs,
        differentiability="piecewise constant",
        oracle=one_hot,
        backends=BOTH,
        half="kept",
        cost=COST,
        reference="Viterbi 1967",
    )
)


# ---- the CRF layer ---------------------------------------------------------------------------------------------


def example_crf() -> CRF:
    """Return a layer with transitions that matter."""
    crf = CRF(STATES)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return crf


def crf_factors(unary):
    """Return the learned scores in the dtype of the enumeration."""
    return tuple(x.detach().to(unary.dtype) for x in (CRF_LAYER.transition, CRF_LAYER.start, CRF_LAYER.end))


def crf_enumeration(unary, lengths):
    """Return the enumeration of the layer's chain."""
    return Enumeration(unary, *crf_factors(unary), lengths)


def crf_inputs(generator, dtype, batch):
    """Return unary scores and lengths."""
    unary, _, _, _, lengths = chain_inputs(generator, dtype, batch)
    return unary, lengths


def crf_labels_inputs(generator, dtype, batch):
    """Return unary scores, lengths and labels."""
    unary, *_, lengths, labels = labels_inputs(generator, dtype, batch)
    return unary, lengths, labels


CRF_LAYER = example_crf()
CRF_UNARY = dataclasses.replace(UNARY, gaps={"type": NO_TENSOR})


def crf_operation(method, summary, function, **promises):
    """Register a method of the CRF layer."""
    defaults = {
        "name": f"dp.CRF.{method}",
        "summary": summary,
        "function": function,
        "arguments": (CRF_UNARY, LENGTHS),
        "inputs": crf_inputs,
        "differentiability": "any order",
        "cost": COST,
        "half": "float32",
        "backends": BOTH,
        "reference": LAFFERTY,
    }
    register(Operation(**(defaults | promises)))


crf_operation(
    "forward",
    "Layer: negative log-likelihood with learned transitions",
    lambda unary, lengths, labels: CRF_LAYER(unary, labels, lengths, reduction="none"),
    arguments=(CRF_UNARY, LENGTHS, labels_argument("LinearChain.score(labels)")),
    inputs=crf_labels_inputs,
    oracle=lambda unary, lengths, labels: -log_prob_of(unary, *crf_factors(unary), lengths, labels),
    ways=("analytic",),
    gaps={"half": PARAMETERS_ROUNDED},
)
crf_operation(
    "decode",
    "Layer: the best label sequence",
    CRF_LAYER.decode,
    oracle=lambda *args: best_labels(crf_enumeration(*args)),
    differentiability="none",
)
crf_operation(
    "topk",
    "Layer: the k best sequences and their scores",
    lambda unary, lengths: CRF_LAYER.topk(unary, 3, lengths),
    oracle=lambda unary, lengths: topk(unary, *crf_factors(unary), lengths),
    differentiability="piecewise linear",
    ways=("pool",),
    backends=("torch",),
    cost="O(T S² k)",
    gaps={"half": PARAMETERS_ROUNDED},
)
crf_operation(
    "marginals",
    "Layer: probabilities of labels and of label pairs",
    CRF_LAYER.marginals,
    oracle=lambda *args: (crf_enumeration(*args).unary_marginals(), crf_enumeration(*args).pairwise_marginals()),
    ways=("analytic",),
    gaps={"half": PARAMETERS_ROUNDED},
)


# ---- objects ---------------------------------------------------------------------------------------------------


def example_chain() -> LinearChain:
    """Return a chain with a forbidden transition."""
    unary, transition, start, end, lengths = chain_inputs(torch.Generator().manual_seed(0), torch.float64, (2,))
    transition[0, 1] = -math.inf
    return LinearChain(unary, transition, start, end, lengths)


register_object(
    PublicObject(
        name="dp.LinearChain",
        make=example_chain,
        use=lambda chain: (chain.log_partition(), chain.argmax(), *chain.marginals(), chain.lengths),
        shows=("batch=(2,)", f"num_steps={STEPS}", f"num_states={STATES}"),
    )
)
register_object(
    PublicObject(
        name="dp.CRF",
        make=example_crf,
        use=lambda crf: crf.marginals(torch.ones(2, STEPS, STATES)),
        shows=(f"num_states={STATES}",),
    )
)
exempt("dp.CRF.chain", "every other method of the layer calls it")
exempt("dp.CRF.reset_parameters", "initialisation, tested in tests/dp")
exempt("dp.CRF.extra_repr", "seen in the repr of the layer")
exempt("dp.LinearChain.num_states", "a size of the inputs, seen in the repr")
exempt("dp.LinearChain.num_steps", "a size of the inputs, seen in the repr")
exempt("dp.LinearChain.unary", "the scores that it was given")
exempt("dp.LinearChain.lengths", "part of what the pickled chain is compared by")
