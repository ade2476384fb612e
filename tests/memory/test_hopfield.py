"""The classical network: enumeration, energies that never rise, rules and their capacity."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.memory import (
    Hopfield,
    as_signs,
    flip,
    hamming_distance,
    hebb,
    occlude,
    overlap,
    perceptron_rule,
    pseudo_inverse,
    storkey,
)
from tests import golden

RULES = ("hebb", "storkey", "pseudo_inverse", "perceptron")


def random_signs(*shape: int, seed: int = 0) -> torch.Tensor:
    return as_signs(torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5).double()


@pytest.mark.parametrize("case", golden.select("losses_train", "hebbian_hopfield"))
def test_golden(case):
    patterns, threshold = case.inputs["patterns"].double(), case.inputs["threshold"]
    memory = Hopfield(patterns.shape[1]).double().store(patterns)
    memory.threshold = threshold
    states = case.outputs["states"].double()
    case.check_outputs({"weights": memory.weights, "energy": memory.energy(states)})
    assert torch.equal(memory(case.inputs["starts"].double()), case.outputs["final_states"].double())
    fields = states @ memory.weights - threshold
    assert torch.equal((states * fields >= 0).all(-1), case.outputs["local_minimum"].bool())


@pytest.mark.parametrize("rule", RULES)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_asynchronous_updates_end_in_a_minimum_and_never_raise_the_energy(rule, n, count, seed):
    memory = Hopfield(n, rule).double().store(random_signs(count, n, seed=seed))
    states = random_signs(8, n, seed=seed + 1)
    energy = memory.energy(states)
    for sweeps in range(1, 6):
        after = memory(states, max_sweeps=sweeps)
        lower = memory.energy(after)
        assert bool((lower <= energy + 1e-9).all())
        energy = lower
    final = memory(states)
    assert bool((final * (final @ memory.weights) >= -1e-9).all())
    assert torch.equal(memory(final), final)


def test_sequential_sweeps_equal_a_plain_loop():
    memory = Hopfield(15).double().store(random_signs(5, 15))
    for start in random_signs(20, 15, seed=3):
        state = start.clone()
        for _ in range(100):
            before = state.clone()
            for k in range(15):
                field = float(memory.weights[k] @ state)
                if abs(field) > 1e-9:
                    state[k] = 1.0 if field > 0 else -1.0
            if torch.equal(before, state):
                break
        assert torch.equal(memory(start), state)


def test_storkey_equals_its_formula():
    patterns, n = random_signs(4, 7), 7
    weights = torch.zeros(n, n, dtype=torch.float64)
    for x in patterns:
        h = torch.zeros(n, n, dtype=torch.float64)
        for i, j in itertools.product(range(n), repeat=2):
            h[i, j] = sum(weights[i, k] * x[k] for k in range(n) if k not in (i, j))
        step = torch.zeros(n, n, dtype=torch.float64)
        for i, j in itertools.permutations(range(n), 2):
            step[i, j] = (x[i] * x[j] - x[i] * h[j, i] - h[i, j] * x[j]) / n
        weights = weights + step
    torch.testing.assert_close(storkey(patterns), weights)


def test_pseudo_inverse_equals_numpy_and_takes_dependent_patterns():
    patterns = random_signs(5, 9)
    projector = torch.linalg.pinv(patterns) @ patterns
    torch.testing.assert_close(pseudo_inverse(patterns), projector - torch.diag(projector.diagonal()))
    torch.testing.assert_close(pseudo_inverse(torch.cat([patterns, -patterns[:2]])), pseudo_inverse(patterns))


def test_the_perceptron_rule_makes_patterns_stable_where_hebb_does_not():
    shared = random_signs(1, 60)
    patterns = flip(shared.expand(25, 60), 0.15, torch.Generator().manual_seed(0))  # correlated
    assert Hopfield(60).double().store(patterns).stability().amin() < 0
    learnt = Hopfield(60, "perceptron").double().store(patterns)
    assert learnt.stability().amin() >= 1 - 1e-9
    assert torch.equal(perceptron_rule(patterns), learnt.weights)


@pytest.mark.parametrize(("rule", "exact"), [("storkey", True), ("pseudo_inverse", True), ("hebb", False)])
def test_random_patterns_at_fifteen_percent(rule, exact):
    """All of 0.15 n random patterns are fixed points at n = 400, but for Hebb's rule."""
    patterns = random_signs(60, 400)
    memory = Hopfield(400, rule).double().store(patterns)
    assert torch.equal(memory(patterns), patterns) is exact


def test_biased_patterns_need_centring():
    chance = torch.rand(20, 300, generator=torch.Generator().manual_seed(0))
    patterns = as_signs(chance < 0.15).double()
    plain = Hopfield(300).double().store(patterns)
    centred = Hopfield(300, centred=True).double().store(patterns)
    assert overlap(plain(patterns), patterns).mean() < 0.95
    assert overlap(centred(patterns), patterns).mean() > 0.98


def test_synchronous_updates_may_cycle_and_stop():
    memory = Hopfield(2).double()
    memory.weights = -torch.ones(2, 2).double() + torch.eye(2).double()
    start = torch.tensor([1.0, 1.0], dtype=torch.float64)
    assert torch.equal(memory(start, update="synchronous", max_sweeps=3), -start)
    assert torch.equal(memory(start, update="synchronous", max_sweeps=4), start)
    settled = memory(start)
    assert settled.sum() == 0


def test_a_zero_field_keeps_the_state():
    memory = Hopfield(3)
    query = torch.tensor([1.0, -1.0, 1.0])
    assert torch.equal(memory(query), query) and torch.equal(memory(query, update="synchronous"), query)


def test_the_unrolled_network_approaches_the_hard_one_and_differentiates():
    memory = Hopfield(10).double().store(random_signs(2, 10))
    queries = flip(memory.patterns, 0.1, torch.Generator().manual_seed(1))
    hard = memory(queries, update="synchronous")
    torch.testing.assert_close(memory.unroll(queries, 10, beta=200.0), hard)
    memory.weights.requires_grad_()
    memory.unroll(queries, 3).sum().backward()
    assert memory.weights.grad is not None and memory.weights.grad.abs().sum() > 0
    soft = queries.clone().requires_grad_()
    memory.weights = memory.weights.detach()
    assert torch.autograd.gradcheck(lambda q: memory.unroll(q, 2, beta=1.0), (soft,))
    assert torch.autograd.gradgradcheck(lambda q: memory.unroll(q, 2, beta=1.0), (soft,))


def test_storing_in_two_steps_and_saving():
    patterns = random_signs(4, 12).float()
    whole = Hopfield(12, "storkey").store(patterns)
    parts = Hopfield(12, "storkey").store(patterns[:2]).store(patterns[2:], append=True)
    assert torch.equal(whole.weights, parts.weights)
    other = Hopfield(12, "storkey")
    other.load_state_dict(whole.state_dict())
    assert torch.equal(other.weights, whole.weights) and torch.equal(other.patterns, patterns)
    assert "stored=4" in repr(other)
    assert torch.equal(whole.store(patterns[:0]).weights, torch.zeros(12, 12))


def test_noise_and_measures():
    patterns = random_signs(3, 20)
    noisy = flip(patterns, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal((noisy != patterns).sum(-1), torch.tensor([5, 5, 5]))
    assert torch.equal(hamming_distance(noisy, patterns).diagonal(), torch.full((3,), 5.0).double())
    torch.testing.assert_close(overlap(noisy, patterns), torch.full((3,), 0.5).double())
    assert bool((occlude(patterns, 0.5)[:, 10:] == -1).all())
    memory = Hopfield(20).double().store(patterns)
    torch.testing.assert_close(memory.overlaps(patterns).diagonal(), torch.ones(3).double())
    assert memory.capacity() == pytest.approx(20 / (2 * torch.log(torch.tensor(20.0)).item()))


def test_shapes_and_empty_batches():
    memory = Hopfield(6).store(random_signs(2, 6).float())
    assert memory(random_signs(0, 6).float()).shape == (0, 6)
    assert memory(random_signs(2, 3, 6).float()).shape == (2, 3, 6)
    assert memory(random_signs(6)).dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Hopfield(0), ValueError, "at least 1"),
        (lambda: Hopfield(4, "delta"), ValueError, "must be one of hebb"),
        (lambda: Hopfield(4, "storkey", centred=True), ValueError, "rule='hebb' only"),
        (lambda: Hopfield(4).store(torch.zeros(2, 4)), ValueError, "only \\+1 and -1"),
        (lambda: Hopfield(4).store(torch.ones(2, 5)), ValueError, "must have 4 units"),
        (lambda: Hopfield(4).store(torch.ones(4)), ValueError, "must be \\(P, n\\)"),
        (lambda: Hopfield(4)(torch.ones(2, 4).bool()), TypeError, "floating"),
        (lambda: Hopfield(4)(torch.ones(4), update="both"), ValueError, "asynchronous or synchronous"),
        (lambda: hebb(torch.ones(2, 3), activity=1.0), ValueError, r"in \(-1, 1\)"),
        (lambda: as_signs(torch.ones(2)), TypeError, "boolean"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_queries_stay_as_they_are(dtype):
    memory = Hopfield(30).to(dtype).store(random_signs(20, 30).to(dtype))
    queries = random_signs(8, 30, seed=1).to(dtype)
    before = queries.clone()
    assert not torch.equal(memory(queries), queries)
    assert torch.equal(queries, before)


def test_graded_units_at_equilibrium():
    """A fixed point, near the hard state at a high steepness, with the gradient of many damped steps."""
    memory = Hopfield(12).double().store(random_signs(2, 12))
    queries = flip(memory.patterns, 0.1, torch.Generator().manual_seed(1))
    rest = memory.settle(queries, beta=3.0)
    expected = torch.tanh(3.0 * (rest @ memory.weights - memory.threshold))
    torch.testing.assert_close(rest, expected, rtol=1e-8, atol=1e-8)
    assert torch.equal(memory.settle(queries, beta=50.0).sign(), memory(queries))
    weights = memory.weights.clone().requires_grad_()
    memory.weights = weights
    gradient = torch.autograd.grad(memory.settle(queries, beta=3.0).square().sum(), weights)[0]
    state = queries
    for _ in range(300):
        state = 0.5 * (state + torch.tanh(3.0 * (state @ weights - memory.threshold)))
    torch.testing.assert_close(gradient, torch.autograd.grad(state.square().sum(), weights)[0], rtol=1e-6, atol=1e-8)


def test_overlaps_need_no_memory_of_every_unit_of_every_pair():
    memory = Hopfield(40).store(random_signs(3, 40).float())
    states = random_signs(2, 5, 40, seed=1).float()
    torch.testing.assert_close(memory.overlaps(states), overlap(states.unsqueeze(-2), memory.patterns))
