"""LinearChain against torch-struct and pytorch-crf: golden vectors, on both backends."""

import pytest
import torch

from algonets.dp import LinearChain
from algonets.semirings import Entropy, KMax, Log, MaxPlus
from tests.golden import Case, assert_close, select

CASES = select("chain_crf", "linear_chain_crf")
FACTORS = ("unary", "transition", "start", "end")


def build(case: Case) -> tuple[LinearChain, dict[str, torch.Tensor]]:
    inputs = {name: case.inputs[name].clone().requires_grad_() for name in FACTORS}
    return LinearChain(*inputs.values(), lengths=case.inputs["lengths"].long()), inputs


def differentiable(chain: LinearChain) -> dict[str, torch.Tensor]:
    """The outputs whose gradients are golden, too."""
    nodes, pairs = chain.marginals()
    return {
        "log_partition": chain.log_partition(),
        "entropy": chain.entropy(),
        "unary_marginals": nodes,
        "pairwise_marginals": pairs,
    }


@pytest.mark.parametrize("case", CASES)
def test_values(any_backend, case):
    chain, _ = build(case)
    ours = differentiable(chain) | {
        "max_score": chain.max(),
        "kbest_scores": chain.topk(case.meta["k"])[0],
    }
    if "tags" in case.inputs:
        ours["log_likelihood_of_tags"] = chain.log_prob(case.inputs["tags"].long())
    case.check_outputs(ours)
    paths = case.outputs["viterbi_path"].long()
    assert torch.equal(chain.argmax(), paths)
    assert torch.equal(chain.topk(case.meta["k"])[1][:, 0], paths)


@pytest.mark.parametrize("case", CASES)
def test_gradients(any_backend, case):
    """Of all outputs at once; through marginals and entropy they are second derivatives of the log-partition."""
    chain, inputs = build(case)
    ours = differentiable(chain)
    assert ours.keys() == case.weights.keys() and case.grads.keys() == inputs.keys()
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("case", CASES)
def test_gradients_through_the_gradient(any_backend, case):
    """The marginals as a first derivative give the golden ones, and can be differentiated again."""
    chain, inputs = build(case)
    (nodes,) = torch.autograd.grad(chain.log_partition().sum(), inputs["unary"], create_graph=True)
    assert_close(nodes, case.outputs["unary_marginals"], case.tol)
    weight = case.weights["unary_marginals"]
    ours, direct = (
        torch.autograd.grad((value * weight).sum(), list(inputs.values()), retain_graph=True)
        for value in (nodes, chain.marginals()[0])
    )
    for a, b in zip(ours, direct, strict=True):
        assert_close(a, b, case.tol_grad, relative_to_largest=True)


@pytest.mark.parametrize("case", CASES)
def test_semirings(case):
    chain, _ = build(case)
    case.check_outputs(
        {
            "log_partition": chain.reduce(Log()),
            "entropy": chain.reduce(Entropy()),
            "max_score": chain.reduce(MaxPlus()),
            "kbest_scores": chain.reduce(KMax(case.meta["k"])),
        }
    )
