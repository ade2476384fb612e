"""Edges of the chain where kernels go wrong: empty batches, long products, NaN, forward mode, overflowing counts."""

import math

import pytest
import torch
from torch.autograd import forward_ad

from algonets.dp import CRF, LinearChain

INF = math.inf


@pytest.mark.parametrize("transition", [(3, 3), (0, 3, 3), (0, 3, 3, 3), (1, 3, 3, 3)])
def test_empty_batch(any_backend, transition):
    unary = torch.zeros(0, 4, 3, requires_grad=True)
    chain = LinearChain(unary, torch.zeros(transition), lengths=torch.zeros(0, dtype=torch.int64))
    assert chain.log_partition().shape == (0,) and chain.argmax().shape == (0, 4)
    assert chain.sample(2).shape == (2, 0, 4) and chain.marginals()[1].shape == (0, 3, 3, 3)
    chain.log_partition().sum().backward()
    assert unary.grad.shape == (0, 4, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_beyond_the_exponent_range(any_backend, dtype):
    """One path is left, and its factors multiply to exp(-935): less than the smallest float64."""
    unary = torch.tensor([[-INF, 0, -INF], [-INF, 0, -INF], [-INF, -INF, 0]], dtype=dtype)
    transition = torch.zeros(3, 3, dtype=dtype)
    transition[1, 1], transition[1, 2] = -340, -595
    chain = LinearChain(unary, transition)
    assert chain.log_partition() == -935 and chain.max() == -935
    assert chain.marginals()[0].tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert chain.sample(1).tolist() == [[1, 1, 2]]


def test_two_steps_keep_their_sequences_apart(any_backend):
    unary = torch.randn(9, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    transition = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pairs = LinearChain(unary, transition).marginals()[1]
    joint = (unary[:, 0, :, None] + transition + unary[:, 1, None, :]).flatten(1).softmax(1).reshape(9, 1, 3, 3)
    torch.testing.assert_close(pairs, joint, rtol=1e-12, atol=1e-14)


def test_nan_behind_a_transform_stays_nan(any_backend):
    """Where values cannot be checked, NaN comes out, in its own example only."""
    unary = torch.zeros(2, 3, 2)
    unary[1, 1, 0] = math.nan
    z = torch.func.vmap(lambda u: LinearChain(u, torch.zeros(2, 2)).log_partition())(unary)
    assert z[0] == pytest.approx(3 * math.log(2)) and z[1].isnan()


def test_lengths_behind_a_transform_are_checked_by_the_kernel():
    pytest.importorskip("algonets._native", exc_type=ImportError)
    f = torch.func.vmap(lambda u, n: LinearChain(u, torch.zeros(2, 2), lengths=n).log_partition())
    with pytest.raises(ValueError, match=r"1 \.\. T"):
        f(torch.zeros(2, 3, 4, 2), torch.tensor([[4, 4, 4], [4, 7, 4]]))


def test_nan_padding_behind_a_transform():
    unary = torch.zeros(2, 4, 2, dtype=torch.float64)
    unary[:, 2:] = math.nan
    lengths = torch.tensor([2, 1])
    f = lambda u, n: LinearChain(u, torch.zeros(2, 2, dtype=torch.float64), lengths=n).log_partition()  # noqa: E731
    gradient = torch.func.vmap(torch.func.grad(f))(unary, lengths)
    assert gradient.isfinite().all() and (gradient[:, 2:] == 0).all()


def test_forward_mode_and_functional_transforms(any_backend):
    g = torch.Generator().manual_seed(0)
    x, v = (torch.randn(3, 4, dtype=torch.float64, generator=g) for _ in range(2))
    transition = torch.randn(4, 4, dtype=torch.float64, generator=g)
    f = lambda x: LinearChain(x, transition).log_partition()  # noqa: E731
    gradient = LinearChain(x, transition).marginals()[0]
    expected = (gradient * v).sum()
    torch.testing.assert_close(torch.func.jvp(f, (x,), (v,))[1], expected)
    with forward_ad.dual_level():
        torch.testing.assert_close(forward_ad.unpack_dual(f(forward_ad.make_dual(x, v))).tangent, expected)
    torch.testing.assert_close(torch.func.grad(f)(x), gradient)
    hessian = torch.func.hessian(f)(x)
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(f, x))


def test_entropy_and_kl_of_large_scores(any_backend):
    unary = 1e4 * torch.randn(5, 100, 4, generator=torch.Generator().manual_seed(0))
    chain = LinearChain(unary, torch.zeros(4, 4))
    assert (chain.entropy() >= 0).all() and (chain.entropy() < 1e-3).all() and chain.entropy().dtype == torch.float32
    assert (chain.kl(chain) == 0).all()


def test_counts_overflow_to_infinity_not_nan():
    transition = torch.zeros(26, 26)
    transition[0, 0] = -INF
    assert LinearChain(torch.zeros(300, 26), transition).count() == INF


@pytest.mark.parametrize("temperature", [1e-37, torch.tensor(1e-38)])
def test_a_temperature_that_overflows_is_refused(any_backend, temperature):
    with pytest.raises(ValueError, match=r"temperature.*finite"):
        LinearChain(torch.full((2, 2), 100.0), torch.zeros(2, 2)).log_partition(temperature)


def test_crf_of_nothing_and_behind_vmap():
    crf = CRF(3)
    empty = torch.zeros(0, 5).long()
    assert crf(torch.randn(0, 5, 3), empty, reduction="token_mean") == 0
    unary, mask = torch.randn(4, 2, 5, 3), torch.ones(4, 2, 5, dtype=torch.bool)
    expected = torch.stack([crf.decode(u) for u in unary])
    assert torch.equal(torch.func.vmap(lambda u, m: crf.decode(u, mask=m))(unary, mask), expected)


def test_second_derivative_of_an_empty_batch(any_backend):
    unary, transition = torch.randn(0, 3, 4, requires_grad=True), torch.randn(0, 4, 4, requires_grad=True)
    z = LinearChain(unary, transition).log_partition().sum()
    first = torch.autograd.grad(z, (unary, transition), create_graph=True)
    second = torch.autograd.grad(sum(g.sum() for g in first), (unary, transition))
    assert [g.shape for g in second] == [(0, 3, 4), (0, 4, 4)]


@pytest.mark.parametrize("method", ["log_partition", "max", "entropy"])
@pytest.mark.parametrize("form", [(4, 4), (2, 4, 4)])
def test_one_step_gives_the_transitions_a_zero_gradient(any_backend, method, form):
    transition = torch.randn(form, requires_grad=True)
    getattr(LinearChain(torch.randn(2, 1, 4), transition), method)().sum().backward()
    assert torch.equal(transition.grad, torch.zeros(form))


@pytest.mark.parametrize("temperature", [1e39, 1e300, 1e-310, torch.tensor(1e-60, dtype=torch.float64)])
def test_temperatures_out_of_range_are_refused(any_backend, temperature):
    with pytest.raises(ValueError, match=r"temperature"):
        LinearChain(torch.zeros(3, 2), torch.eye(2)).log_partition(temperature)


@pytest.mark.parametrize("method", ["messages", "mean_field", "log_partition"])
def test_autocast_changes_nothing(any_backend, method):
    g = torch.Generator().manual_seed(0)
    chain = LinearChain(torch.randn(4, 6, 5, generator=g), torch.randn(5, 5, generator=g))
    arguments = (3,) if method == "messages" else ()
    exact = getattr(chain, method)(*arguments)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(getattr(chain, method)(*arguments), exact)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: LinearChain(torch.ones(3, 2).to_sparse(), torch.eye(2)),
        lambda: LinearChain(torch.ones(3, 2).to(torch.float8_e5m2), torch.eye(2).to(torch.float8_e5m2)),
        lambda: LinearChain(torch.ones(1, 3, 2), torch.eye(2), lengths=torch.ones(1, dtype=torch.complex64)),
        lambda: LinearChain(torch.ones(3, 2), torch.eye(2)).sample(1, 42),
    ],
)
def test_odd_types_are_refused_in_our_words(bad):
    with pytest.raises(TypeError, match=r"LinearChain.*must be"):
        bad()
