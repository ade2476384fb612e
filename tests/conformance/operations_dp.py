"""The operations of ``algonets.dp``: linear chains, the Viterbi solver, the CRF layer."""

import dataclasses
import importlib
import math

import torch

from algonets.dp import CRF, LinearChain, viterbi
from algonets.semirings import KMax
from tests.conformance.chains import (
    CHAIN,
    COST,
    COSTS_ARGUMENT,
    END,
    LAFFERTY,
    LENGTHS,
    OWN_CHAIN,
    RABINER,
    START,
    STATES,
    STEPS,
    TRANSITION,
    UNARY,
    best_labels,
    chain_inputs,
    cross_entropy_of,
    labels_argument,
    labels_inputs,
    log_prob_of,
    mean_field_loop,
    more_unary_inputs,
    one_hot,
    own_inputs,
    own_labels_inputs,
    score_of,
    temperature_argument,
    tempered,
    tempered_inputs,
    topk,
    window_marginals,
)
from tests.conformance.registry import Operation, PublicObject, exempt, register, register_object
from tests.oracles.chain_enumeration import Enumeration

FACTORISED = "documented: no factorised distribution respects a forbidden transition; it raises a ValueError"


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
    arguments=OWN_CHAIN,
    inputs=own_inputs,
    oracle=lambda *factors: best_labels(Enumeration(*factors)),
    backends=BOTH,
    reference="Viterbi 1967",
)
chain_operation(
    "topk",
    "The k best sequences and their scores",
    lambda chain: chain.topk(3),
    differentiability="piecewise linear",
    arguments=OWN_CHAIN,
    inputs=own_inputs,
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
)
chain_operation(
    "entropy",
    "Shannon entropy of the sequences",
    arguments=OWN_CHAIN,
    inputs=own_inputs,
    oracle=of_enumeration("entropy"),
    ways=("analytic",),
    backends=BOTH,
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
    arguments=(*OWN_CHAIN, labels_argument("LinearChain.score(labels)")),
    inputs=own_labels_inputs,
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
    ways=("pool", "unroll", "analytic"),
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


def crf_operation(method, summary, function, **promises):
    """Register a method of the CRF layer."""
    defaults = {
        "name": f"dp.CRF.{method}",
        "summary": summary,
        "function": function,
        "arguments": (UNARY, LENGTHS),
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
    arguments=(UNARY, LENGTHS, labels_argument("LinearChain.score(labels)")),
    inputs=crf_labels_inputs,
    oracle=lambda unary, lengths, labels: -log_prob_of(unary, *crf_factors(unary), lengths, labels),
    ways=("analytic",),
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
)
crf_operation(
    "marginals",
    "Layer: probabilities of labels and of label pairs",
    CRF_LAYER.marginals,
    oracle=lambda *args: (crf_enumeration(*args).unary_marginals(), crf_enumeration(*args).pairwise_marginals()),
    ways=("analytic",),
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
exempt("dp.CRF.reset_parameters", "initialisation in place; it computes nothing from tensors")
exempt("dp.CRF.extra_repr", "seen in the repr of the layer")
exempt("dp.LinearChain.num_states", "a size of the inputs, seen in the repr")
exempt("dp.LinearChain.num_steps", "a size of the inputs, seen in the repr")
exempt("dp.LinearChain.unary", "the scores that it was given")
exempt("dp.LinearChain.lengths", "part of what the pickled chain is compared by")

importlib.import_module("tests.conformance.programs")  # registers the other programs
exempt("dp.LinearChain.hamming", "augmented() by a margin: tests/losses/test_structured.py has the loss that needs it")
