"""Modern and dense memories: golden, energy, attention, the three ways, and their hard limits."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.memory import DenseMemory, ModernHopfield, as_signs, flip
from tests import golden

GENERATOR = 0


def signs(*shape: int, seed: int = 0) -> torch.Tensor:
    return as_signs(torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5).double()


@pytest.mark.parametrize("case", golden.select("losses_train", "modern_hopfield"))
def test_golden(case):
    stored, state = (case.inputs[name].clone().requires_grad_() for name in ("stored", "state"))
    beta, updates = case.meta["beta"], case.meta["updates"]
    found = []
    for patterns, queries in zip(stored, state, strict=True):
        memory = ModernHopfield(stored.shape[-1], beta, updates=updates).store(patterns)
        found.append(memory(queries))
    ours = {"retrieved": torch.stack(found)}
    case.check_outputs(ours)
    case.check_grads(ours, {"stored": stored, "state": state})
    for k in range(updates + 1):
        for b, patterns in enumerate(stored.detach()):
            memory = ModernHopfield(stored.shape[-1], beta, updates=max(k, 1)).store(patterns)
            after = memory(state[b].detach()) if k else state[b].detach()
            golden.assert_close(memory.energy(after), case.outputs["energy_after_k_updates"][k, b], case.tol)


def test_one_step_is_attention():
    stored, queries = torch.randn(7, 5).double(), torch.randn(4, 5).double()
    memory = ModernHopfield(5, 5**-0.5).store(stored)
    attention = torch.nn.functional.scaled_dot_product_attention(queries[None], stored[None], stored[None])[0]
    torch.testing.assert_close(memory(queries), attention)


@pytest.mark.parametrize("memory", [ModernHopfield(40, 2.0), DenseMemory(40, 8.0)])
def test_every_way_recalls_noisy_patterns(memory):
    patterns = signs(20, 40)
    queries = flip(patterns, 0.15, torch.Generator().manual_seed(2))
    memory.store(patterns)
    for way in ("pool", "unroll", "analytic"):
        memory.way, memory.updates = way, 4
        assert torch.equal(memory(queries).sign(), patterns), way
    memory.way = "pool"
    assert torch.equal(memory(queries), patterns)


@pytest.mark.parametrize(
    "make", [lambda way: ModernHopfield(4, 0.8, way=way, updates=2), lambda way: DenseMemory(4, 5.0, way=way)]
)
def test_gradients(make):
    patterns = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).double().abs()
    queries = torch.randn(2, 4, generator=torch.Generator().manual_seed(2)).double().abs()
    inputs = (queries.requires_grad_(), patterns.requires_grad_())
    memory = make("unroll")
    assert gradcheck(memory.read, inputs)
    assert gradgradcheck(memory.read, inputs)


def test_the_analytic_gradient_is_that_of_many_steps():
    patterns = torch.randn(5, 6, generator=torch.Generator().manual_seed(1)).double()
    queries = torch.randn(3, 6, generator=torch.Generator().manual_seed(2)).double()
    gradients = {}
    for way, updates in (("unroll", 400), ("analytic", 20)):
        stored = patterns.clone().requires_grad_()
        memory = ModernHopfield(6, 0.3, way=way, updates=updates).store(stored)
        value = memory(queries)
        gradients[way] = (value.detach(), torch.autograd.grad(value.square().sum(), stored)[0])
    torch.testing.assert_close(gradients["analytic"], gradients["unroll"], rtol=1e-5, atol=1e-6)


def test_steps_never_raise_the_energy():
    memory = ModernHopfield(6, 1.5).store(torch.randn(9, 6, generator=torch.Generator().manual_seed(1)).double())
    state = torch.randn(50, 6, generator=torch.Generator().manual_seed(2)).double()
    for _ in range(10):
        after = memory(state)
        assert bool((memory.energy(after) <= memory.energy(state) + 1e-12).all())
        state = after


def test_power_two_weighs_by_the_overlap():
    patterns = signs(3, 8)
    memory = DenseMemory(8, 2.0).store(patterns)
    products = (patterns @ patterns[0]).clamp_min(0)
    torch.testing.assert_close(memory.lookup(patterns[0]), products / products.sum())
    torch.testing.assert_close(memory.energy(patterns[0]), -((products / 8) ** 2).sum())


def test_a_query_unlike_all_patterns_is_finite():
    memory = DenseMemory(3).store(torch.ones(2, 3))
    query = -torch.ones(3, requires_grad=True)
    torch.testing.assert_close(memory(query), torch.ones(3))
    assert torch.autograd.grad(memory(query).sum(), query)[0].isfinite().all()


def test_learnable_steepness_and_saving():
    memory = ModernHopfield(4, torch.nn.Parameter(torch.tensor(0.5))).store(torch.randn(3, 4))
    assert [name for name, _ in memory.named_parameters()] == ["beta"]
    memory(torch.randn(2, 4)).sum().backward()
    other = ModernHopfield(4, torch.nn.Parameter(torch.tensor(1.0)))
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other.patterns, memory.patterns) and other.beta == memory.beta


def test_shapes_and_errors():
    memory = ModernHopfield(4)
    with pytest.raises(ValueError, match="Call store"):
        memory(torch.ones(4))
    memory.store(torch.randn(3, 4))
    assert memory(torch.randn(0, 4)).shape == (0, 4) and memory(torch.randn(2, 3, 4)).shape == (2, 3, 4)
    assert len(memory.store(torch.randn(2, 4), append=True).patterns) == 5
    for call, message in (
        (lambda: memory(torch.ones(5)), "must be"),
        (lambda: memory.store(torch.ones(0, 4)), "at least one pattern"),
        (lambda: ModernHopfield(4, -1.0), "positive"),
        (lambda: ModernHopfield(4, way="hard"), "pool, unroll, analytic"),
        (lambda: DenseMemory(4, 1.0), "at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
