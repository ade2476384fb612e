"""Hamming's network: nearest neighbour on every input, ties, the race itself."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.memory import Hamming, as_signs


def signs(*shape: int, seed: int = 0) -> torch.Tensor:
    return as_signs(torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5)


@given(st.integers(1, 40), st.integers(1, 60), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_equals_the_nearest_neighbour(n, count, inhibition, seed):
    patterns, queries = signs(count, n, seed=seed), signs(12, n, seed=seed + 1)
    nearest = (queries[:, None] != patterns).sum(-1).argmin(-1)  # the first of equally near ones
    for packed in (False, True):
        memory = Hamming(n, inhibition=inhibition, packed=packed).store(patterns)
        assert torch.equal(memory.winner(queries), nearest)
        assert torch.equal(memory.winner(queries, race=False), nearest)
        assert torch.equal(memory(queries), patterns[nearest])
        assert torch.equal(memory(queries, race=True), patterns[nearest])


def test_many_patterns():
    patterns = signs(3000, 784)
    queries = patterns[:50].clone()
    queries[:, :200] *= -1
    memory = Hamming(784).store(patterns)
    assert torch.equal(memory.winner(queries), torch.arange(50))


def test_the_race_is_maxnet_itself():
    """Against the plain iteration of all units, unit by unit, with their lateral weights."""
    patterns, queries = signs(7, 12), signs(5, 12, seed=3)
    memory = Hamming(12, inhibition=0.7).store(patterns)
    for query, winner in zip(queries, memory.winner(queries).tolist(), strict=True):
        y = [float((query == pattern).sum()) for pattern in patterns]
        for _ in range(5000):
            y = [max(a - 0.1 * (sum(y) - a), 0.0) for a in y]
            top = max(y)
            y = [a / top for a in y]
        assert next(k for k, a in enumerate(y) if a > 1e-9) == winner


@pytest.mark.parametrize("packed", [False, True])
def test_parts_of_a_batch_race_by_themselves(packed, monkeypatch):
    patterns, queries = signs(9, 30), signs(8, 30, seed=1)
    memory = Hamming(30, packed=packed).store(patterns)
    whole = memory.winner(queries)
    monkeypatch.setattr(sys.modules[Hamming.__module__], "_RACES", 20)
    assert torch.equal(memory.winner(queries), whole)
    assert memory.winner(queries[:0]).shape == (0,)


def test_the_unrolled_race_lets_one_unit_win_and_differentiates():
    patterns = signs(5, 9).double()
    memory = Hamming(9).store(patterns)
    soft = (0.8 * patterns[2:4]).clone()
    torch.testing.assert_close(memory.unroll(soft, 400), patterns[2:4])
    assert torch.autograd.gradcheck(lambda q: memory.unroll(q, 3), (soft.requires_grad_(),))


def test_the_competition_at_equilibrium():
    patterns = signs(4, 16).double()
    memory = Hamming(16).store(patterns)
    query = (0.9 * patterns[:2]).clone().requires_grad_()
    strength = memory.compete(query)
    drive = (16 + query @ patterns.mT) / 32
    expected = torch.relu(drive - 0.9 / 4 * (strength.sum(-1, keepdim=True) - strength))
    torch.testing.assert_close(strength, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(strength.argmax(-1), torch.tensor([0, 1]))
    assert torch.autograd.grad(strength[:, 0].sum(), query)[0].abs().sum() > 0


def test_the_number_of_units_may_come_with_the_patterns():
    memory = Hamming().store(signs(3, 6))
    assert memory.n == 6 and torch.equal(memory(signs(3, 6)), signs(3, 6))
    other = Hamming()
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other(signs(3, 6)), signs(3, 6))
    with pytest.raises(ValueError, match="must have 6 units"):
        memory.store(signs(2, 5))
    for call in (lambda: Hamming()(signs(2, 6)), lambda: Hamming().unroll(signs(2, 6), 1)):
        with pytest.raises(ValueError, match="Call store"):
            call()
    with pytest.raises(ValueError, match="packed=True"):
        Hamming(packed=True)


def test_saving_appending_and_errors():
    for packed in (True, False):
        memory = Hamming(6, packed=packed).store(signs(2, 6)).store(signs(3, 6, seed=1), append=True)
        other = Hamming(6, packed=packed)
        other.load_state_dict(memory.state_dict())
        assert torch.equal(other.patterns, memory.patterns) and len(other.patterns) == 5
    assert memory(signs(0, 6)).shape == (0, 6) and memory(signs(2, 2, 6)).shape == (2, 2, 6)
    for call, message in (
        (lambda: Hamming(6, inhibition=1.0), "may die"),
        (lambda: Hamming(6)(signs(2, 6)), "Call store"),
        (lambda: memory(torch.zeros(6)), "only"),
        (lambda: memory.unroll(torch.zeros(5), 2), "must have 6 units"),
        (lambda: Hamming(6, packed=True).store(signs(2, 6)).unroll(torch.zeros(6), 2), "not packed"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
