"""Sampling, divergences, messages, mean field and other methods of LinearChain, on both backends."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.dp import LinearChain, viterbi
from algonets.semirings import KMax, Log, MaxPlus, MinPlus, Sampling, SoftMin, SparseMax
from tests.dp.chains import enumerate_all, make

# ---- sampling ------------------------------------------------------------------------------------------------


def test_samples_follow_the_distribution(any_backend):
    """The error of the empirical distribution falls as one over the root of the number of samples."""
    factors = make(2, 3, 2, seed=11)
    oracles = enumerate_all(*factors)
    chain = LinearChain(*factors)
    for n, tolerance in ((1_000, 0.06), (64_000, 0.0075)):
        labels = chain.sample(n, torch.Generator().manual_seed(3))
        for b, oracle in enumerate(oracles):
            code = sum(labels[:, b, t] * 2**t for t in range(oracle.length))
            frequency = torch.bincount(code, minlength=2**oracle.length) / n
            order = [sum(s * 2**t for t, s in enumerate(y)) for y in oracle.sequences]
            assert (frequency[order] - oracle.probabilities()).abs().max() < tolerance
        assert (labels[:, factors[4] < 3][..., 2] == -1).all()


def test_sampling_is_reproducible(any_backend):
    chain = LinearChain(*make())
    draw = lambda: chain.sample(5, torch.Generator().manual_seed(0))  # noqa: E731
    assert torch.equal(draw(), draw()) and draw().shape == (5, 3, 4)


# ---- other methods -------------------------------------------------------------------------------------------


def test_cross_entropy_and_kl(any_backend):
    p, q = make(3, 4, 2, "sequence", seed=1), make(3, 4, 2, "step", seed=2)
    q[4] = p[4]
    a, b = LinearChain(*p), LinearChain(*q)
    for k, (x, y) in enumerate(zip(enumerate_all(*p), enumerate_all(*q))):
        px, qx = x.probabilities(), y.probabilities()
        torch.testing.assert_close(a.cross_entropy(b)[k], -(px * qx.log()).sum(), rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(a.kl(b)[k], (px * (px / qx).log()).sum(), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(a.kl(a), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)
    narrow = LinearChain(q[0].masked_fill(torch.tensor([True, False]), -math.inf), *q[1:])
    assert (a.cross_entropy(narrow) == math.inf).all()


def test_log_prob_sums_to_one(any_backend):
    factors = make(2, 3, 3, seed=4)
    factors[4] = torch.tensor([3, 3])
    chain = LinearChain(*factors)
    total = sum(chain.log_prob(torch.tensor([y, y])).exp() for y in itertools.product(range(3), repeat=3))
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64))


def test_messages_converge_to_the_marginals(any_backend):
    factors = make(3, 6, 4, "step", seed=6)
    chain = LinearChain(*factors)
    exact = chain.marginals()[0]
    torch.testing.assert_close(chain.messages(), exact, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(chain.messages(5), exact, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(chain.messages(50), exact, rtol=1e-10, atol=1e-12)
    error = [(chain.messages(k) - exact).abs().max() for k in range(6)]
    assert error[0] > 0.05 and error[5] < 1e-12
    # k iterations see k neighbours: a far change is not felt
    moved = factors[0].clone()
    moved[0, 5] += 3
    far = LinearChain(moved, *factors[1:]).messages(2)
    assert torch.equal(far[0, :3], chain.messages(2)[0, :3]) and not torch.equal(far[0, 3], chain.messages(2)[0, 3])


def evidence_lower_bound(q, unary, transition):
    energy = (q * unary).sum() + sum(q[t] @ transition @ q[t + 1] for t in range(len(q) - 1))
    return energy - (q * q.clamp_min(1e-300).log()).sum()


def test_mean_field_ascends_below_the_log_partition(any_backend):
    unary, transition = make(1, 6, 4, boundaries=False, seed=3)[:2]
    chain = LinearChain(unary[0], transition)
    bounds = [evidence_lower_bound(chain.mean_field(k), unary[0], transition) for k in range(8)]
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(bounds)) and bounds[7] > bounds[0]
    assert bounds[-1] <= chain.log_partition()
    independent = LinearChain(unary[0], torch.zeros_like(transition))
    torch.testing.assert_close(independent.mean_field(3), independent.marginals()[0])
    with pytest.raises(ValueError, match="finite transitions"):
        LinearChain(unary[0], torch.full((4, 4), -math.inf, dtype=torch.float64)).mean_field()


@pytest.mark.parametrize("method", ["messages", "mean_field"])
def test_unrolled_gradients(method):
    factors = make(2, 3, 2, seed=8)
    inputs = tuple(f.requires_grad_() for f in factors[:4])
    f = lambda *x: getattr(LinearChain(*x, factors[4]), method)(2)  # noqa: E731
    assert torch.autograd.gradcheck(f, inputs) and torch.autograd.gradgradcheck(f, inputs)


def test_semirings_on_the_chain():
    factors = make(3, 4, 3, "step", seed=7)
    chain, oracles = LinearChain(*factors), enumerate_all(*factors)
    torch.testing.assert_close(chain.reduce(Log()), chain.log_partition())
    torch.testing.assert_close(chain.reduce(MaxPlus()), chain.max())
    torch.testing.assert_close(chain.reduce(MinPlus()), torch.stack([o.scores.min() for o in oracles]))
    torch.testing.assert_close(chain.reduce(KMax(5)), torch.stack([o.kbest(5) for o in oracles]))
    soft = torch.stack([-0.5 * torch.logsumexp(-o.scores / 0.5, 0) for o in oracles])
    torch.testing.assert_close(chain.reduce(SoftMin(0.5)), soft)
    unary = factors[0].requires_grad_()
    (sparse,) = torch.autograd.grad(LinearChain(*factors).reduce(SparseMax()).sum(), unary)
    inside = torch.arange(4) < factors[4][:, None]
    torch.testing.assert_close(sparse.sum(-1), inside.double())
    assert (sparse >= 0).all() and (sparse == 0).sum() > (~inside).sum() * 3


def test_sampling_semiring_draws_sequences():
    factors = make(1, 3, 2, boundaries=False, seed=2)
    oracle = enumerate_all(*factors)[0]
    mean = torch.zeros(3, 2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):
        unary = factors[0].clone().requires_grad_()
        (draw,) = torch.autograd.grad(LinearChain(unary, *factors[1:]).reduce(Sampling(generator)).sum(), unary)
        assert set(draw.flatten().tolist()) <= {0.0, 1.0} and (draw.sum(-1) == 1).all()
        mean += draw[0] / 2000
    torch.testing.assert_close(mean, oracle.unary_marginals(), rtol=0, atol=0.04)


def test_solver_returns_one_hot(any_backend):
    factors = make(3, 4, 3, seed=3)
    y = viterbi(*factors)
    chain = LinearChain(*factors)
    assert y.shape == factors[0].shape and y.dtype == factors[0].dtype
    assert torch.equal(torch.where(y.sum(-1) > 0, y.argmax(-1), -1), chain.argmax())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000), st.floats(-5, 5))
def test_invariants(steps, states, seed, shift):
    """Shifting one position's scores shifts log Z by as much and leaves the marginals alone."""
    g = torch.Generator().manual_seed(seed)
    unary = torch.randn(steps, states, generator=g, dtype=torch.float64)
    transition = torch.randn(states, states, generator=g, dtype=torch.float64)
    chain = LinearChain(unary, transition)
    moved = unary.clone()
    moved[0] += shift
    other = LinearChain(moved, transition)
    torch.testing.assert_close(other.log_partition(), chain.log_partition() + shift)
    torch.testing.assert_close(other.marginals()[0], chain.marginals()[0])
    assert chain.max() <= chain.log_partition() + 1e-12
    assert chain.entropy() <= steps * math.log(states) + 1e-9
    reverse = LinearChain(unary.flip(0), transition.T)
    torch.testing.assert_close(reverse.log_partition(), chain.log_partition())
    torch.testing.assert_close(reverse.marginals()[0].flip(0), chain.marginals()[0])


def test_padding_may_hold_anything(any_backend):
    factors = make(3, 5, 3, seed=12)
    factors[4] = torch.tensor([5, 2, 1])
    clean = LinearChain(*factors).log_partition()
    dirty = factors[0].clone()
    dirty[1, 2:], dirty[2, 1:] = math.nan, math.inf
    dirty.requires_grad_()
    z = LinearChain(dirty, *factors[1:]).log_partition()
    assert torch.equal(z, clean)
    (g,) = torch.autograd.grad(z.sum(), dirty)
    assert g.isfinite().all() and (g[1, 2:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_computed_in_float32(any_backend, dtype):
    unary, transition = make(2, 4, 3, boundaries=False)[:2]
    unary, transition = unary.to(dtype).requires_grad_(), transition.to(dtype)
    z = LinearChain(unary, transition).log_partition()
    assert z.dtype == torch.float32
    z.sum().backward()
    assert unary.grad.dtype == dtype
    torch.testing.assert_close(z, LinearChain(unary.float(), transition.float()).log_partition())
