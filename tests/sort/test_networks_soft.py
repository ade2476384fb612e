"""Soft networks: golden vectors, a plain loop as the oracle, laws, invariants, memory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from algonets import distributions
from algonets.distributions import ALL, Cauchy, Gamma, Gaussian, Levy, Logistic, Optimal, Reciprocal
from algonets.sort import (
    Batcher,
    Bitonic,
    Comparators,
    LogisticART,
    OddEven,
    by_item,
    soft_argsort,
    soft_rank,
    soft_sort,
    soft_topk,
)
from algonets.sort import _network_reference as reference
from algonets.sort.networks import batcher, bitonic, from_pairs, odd_even
from tests.golden import select

pytestmark = pytest.mark.usefixtures("any_backend")

METHODS = (OddEven, Bitonic, Batcher)
FAMILIES = (odd_even, bitonic, batcher)
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


def items(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_the_book(x, network, law):
    """Wire by wire, comparator by comparator: values, alphas and matrix."""
    wires, alphas = list(x.unbind(1)), []
    rows = list(torch.eye(network.n, dtype=x.dtype).expand(len(x), -1, -1).unbind(1))
    for low, high in network.pairs():
        a, b = wires[low], wires[high]
        alpha = law.cdf(b - a)
        alphas.append(alpha)
        wires[low], wires[high] = alpha * a + (1 - alpha) * b, alpha * b + (1 - alpha) * a
        p, q, weight = rows[low], rows[high], alpha[:, None]
        rows[low], rows[high] = weight * p + (1 - weight) * q, weight * q + (1 - weight) * p
    return torch.stack(wires, 1), torch.stack(alphas, 1) if alphas else x[:, :0], torch.stack(rows, 1)


def law_of(meta):
    """The peer's law: ``scale = 1 / steepness``, but for the reciprocal's factor 2."""
    scale = 1 / meta["steepness"]
    return {
        "logistic": lambda: Logistic(scale),
        "logistic_phi": lambda: LogisticART(scale, meta["art_lambda"]),
        "gaussian": lambda: Gaussian(scale),
        "reciprocal": lambda: Reciprocal(2 * scale),
        "cauchy": lambda: Cauchy(scale),
        "optimal": lambda: Optimal(scale),
    }[meta["distribution"]]()


@pytest.mark.parametrize("case", select("sorting_networks", "diffsort"))
def test_golden(case):
    method = {"odd_even": OddEven, "bitonic": Bitonic}[case.meta["network"]](law_of(case.meta))
    x = case.inputs["x"].clone().requires_grad_()
    ours = {"sorted": soft_sort(x, method), "P": by_item(soft_argsort(x, method))}
    case.check_outputs(ours)
    case.check_grads(ours, {"x": x})


@each_family
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 16, 21])
@pytest.mark.parametrize("law", [Cauchy(0.3), Logistic(0.3), Gamma(0.3)], ids=repr)
def test_the_reference_is_the_plain_loop(family, n, law):
    x, payload = items(3, n), items(3, n, 2, seed=1)
    network = family(n)
    values, alphas, matrix = by_the_book(x, network, law)
    found, weights = reference.values_and_alphas(x, network, law)
    torch.testing.assert_close(found, values)
    torch.testing.assert_close(reference.values(x, network, law), values)
    torch.testing.assert_close(weights, alphas)
    torch.testing.assert_close(reference.matrix(weights, network), matrix)
    torch.testing.assert_close(reference.apply(weights, payload, network, False), matrix @ payload)
    torch.testing.assert_close(reference.apply(weights, payload, network, True), matrix.mT @ payload)


def test_reversed_comparators_of_ones_own():
    network = from_pairs(5, [(3, 1), (0, 2), (4, 0), (1, 2), (3, 4), (2, 1)])
    x, law = items(4, 5), Logistic(0.5)
    values, alphas, matrix = by_the_book(x, network, law)
    found, weights = reference.values_and_alphas(x, network, law)
    torch.testing.assert_close(found, values)
    torch.testing.assert_close(reference.apply(weights, items(4, 5, 3), network, True), matrix.mT @ items(4, 5, 3))
    method = Comparators(network.pairs(), law, check=False)
    torch.testing.assert_close(soft_argsort(x, method), matrix)
    assert alphas.shape == weights.shape


@each_method
@pytest.mark.parametrize("family", ALL, ids=lambda family: family.__name__)
def test_every_law_sorts_doubly_stochastically(method, family):
    x = items(20, 9)
    matrix = soft_argsort(x, method(family(0.4)))
    ones = torch.ones(20, 9, dtype=torch.float64)
    assert bool((matrix >= 0).all())
    torch.testing.assert_close(matrix.sum(-1), ones)
    torch.testing.assert_close(matrix.sum(-2), ones)
    torch.testing.assert_close(soft_sort(x, method(family(0.4))).sum(-1), x.sum(-1))
    # Levy's tail falls like 1 / sqrt(x): at a scale of s it leaves an error of the order of sqrt(s).
    sharp = method(family(1e-20))
    torch.testing.assert_close(soft_sort(x, sharp), x.sort(-1).values, rtol=0, atol=1e-8)
    places = x.argsort(-1).argsort(-1).double() + 1
    torch.testing.assert_close(soft_rank(x, sharp), places, rtol=0, atol=1e-8)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.__name__)
def test_monotone_is_promised_where_a_comparator_is_so(family):
    """``d min / da`` and ``d min / db`` by autograd, over 12 decades of differences."""
    law = family(0.1)
    half = torch.logspace(-8, 4, 3001, dtype=torch.float64)
    b = torch.cat((-half, half))
    a = torch.zeros_like(b).requires_grad_()
    b.requires_grad_()
    alpha = law.cdf(b - a)
    low = alpha * a + (1 - alpha) * b
    slopes = torch.stack(torch.autograd.grad(low.sum(), (a, b)))
    assert bool((slopes >= -1e-12).all()) == OddEven(law).properties.monotone


def test_a_shifted_levy_law_is_not_monotone():
    assert Bitonic(Levy(1.0)).properties.monotone and not Bitonic(Levy(1.0, shift=-3.0)).properties.monotone


@each_method
@pytest.mark.parametrize("law", [Cauchy, Reciprocal, Optimal, Levy], ids=lambda law: law.__name__)
@pytest.mark.parametrize("n", [6, 8])
def test_no_value_falls_when_an_item_grows(method, law, n):
    x = items(300, n, seed=3).requires_grad_()
    y = soft_sort(x, method(law(0.5)))
    for k in range(n):
        assert bool((torch.autograd.grad(y[:, k].sum(), x, retain_graph=True)[0] >= -1e-9).all())


@each_method
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.floats(-100, 100), min_size=1, max_size=33), scale=st.floats(1e-3, 10))
def test_values_are_averages_with_the_same_sum(method, rows, scale):
    x = torch.tensor(rows, dtype=torch.float64)
    y = soft_sort(x, method(Cauchy(scale)))
    assert bool((y >= x.min() - 1e-9).all()) and bool((y <= x.max() + 1e-9).all())
    torch.testing.assert_close(y.sum(), x.sum(), rtol=1e-9, atol=1e-9)


@each_method
def test_equal_items_stay_and_share_their_gradient(method):
    x = torch.full((2, 7), 3.0, dtype=torch.float64, requires_grad=True)
    y = soft_sort(x, method(Cauchy(0.1)))
    assert torch.equal(y, x)
    gradient = torch.autograd.grad(y.sum(), x)[0]
    torch.testing.assert_close(gradient, torch.ones_like(gradient))


@each_method
@pytest.mark.parametrize("law", [Cauchy, Logistic], ids=lambda law: law.__name__)
@pytest.mark.parametrize("n", [1, 4, 5])
def test_gradients_of_both_orders(method, law, n):
    x = items(2, n, seed=5).requires_grad_()
    scale = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)

    def both(x, scale):
        return soft_sort(x, method(law(scale))), soft_argsort(x, method(law(scale)))

    assert gradcheck(both, (x, scale)) and gradgradcheck(both, (x, scale))


def test_gradients_of_both_orders_at_ties():
    """Cauchy's comparator is smooth there, and no shortcut by minimum and maximum may show."""
    x = torch.tensor([[1.0, 1.0, 1.0, 0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    for method in METHODS:
        assert gradcheck(lambda x, m=method: soft_sort(x, m(Cauchy(0.6))), x)
        assert gradgradcheck(lambda x, m=method: soft_sort(x, m(Cauchy(0.6))), x)


@each_method
@pytest.mark.parametrize("law", [*ALL, LogisticART], ids=lambda law: law.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_apart_items_give_no_nan(method, law, dtype):
    most = torch.finfo(dtype).max
    x = torch.tensor([[most, -most, 0.0, 1.0, -1.0], [most / 2, 1e-30, -most, most, -most / 2]], dtype=dtype)
    x.requires_grad_()
    y = soft_sort(x, method(law(1e-3)))
    assert y.isfinite().all()
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0], dtype=dtype)
    assert not torch.autograd.grad((y * weight).sum(), x)[0].isnan().any()
    assert soft_argsort(x, method(law(1e-3))).isfinite().all()


@each_method
def test_a_saturated_law_sorts_exactly(method):
    x = torch.tensor([[1e20, 1.0, -1e20, 1e-20, 3.0, -7.0]])
    assert torch.equal(soft_sort(x, method(Logistic(1e-30))), x.sort(-1).values)


def test_small_entries_of_the_matrix_keep_their_digits():
    """A loss takes the log of them: products of weights, no differences."""
    x = torch.tensor([[0.0, 10.0, 20.0, 30.0, 40.0, 50.0]])
    method = OddEven(Cauchy(0.1))
    found, exact = soft_argsort(x, method), soft_argsort(x.double(), method)
    assert float(exact.min()) < 1e-10
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("method", [Bitonic(), Batcher()], ids=repr)
def test_values_of_many_items_need_no_quadratic_memory(method):
    n = 65536
    x = torch.rand(1, n, generator=torch.Generator().manual_seed(0))
    soft_sort(x, method)  # the wiring is made once and kept: 8 bytes a comparator, 8 a wire of each layer
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        y = soft_sort(x, method)
    largest = max(event.self_cpu_memory_usage for event in profile.events() or [])
    assert largest < 200 * n  # bytes; a matrix has 4 n^2
    assert y.shape == x.shape
    torch.testing.assert_close(y.sum(), x.sum(), rtol=1e-4, atol=0)


def test_ranks_masks_and_rows_never_build_the_matrix(monkeypatch):
    def forbidden(*_):
        raise AssertionError("the matrix was built")

    monkeypatch.setattr(reference, "matrix", forbidden)
    x = items(2, 64)
    for method in METHODS:
        soft_sort(x, method())
        soft_rank(x, method())
        soft_topk(x, 3, method(), output="mask")
        assert soft_topk(x, 3, method(), output="indices").shape == (2, 3, 64)


@pytest.mark.parametrize("method", [OddEven(), Batcher(), Comparators(batcher(6).pairs())], ids=repr)
def test_compiles_as_one_graph(method):
    torch.compiler.reset()
    x = items(3, 6).requires_grad_()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def compiled(x):
        return soft_sort(x, method), soft_rank(x, method)

    found, expected = compiled(x), (soft_sort(x, method), soft_rank(x, method))
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad((y * r).sum(), x)[0] for y, r in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_jacobians_by_forward_mode_and_vmap():
    x = items(5)
    method = Batcher(Cauchy(0.3))
    forward = torch.func.jacfwd(lambda v: soft_sort(v, method))(x)
    torch.testing.assert_close(forward, torch.func.jacrev(lambda v: soft_sort(v, method))(x))


def test_laws_have_their_bounded_supports_marked():
    sparse = {law.__name__ for law in ALL if OddEven(law()).properties.sparse}
    assert sparse == {"Uniform", "CubicHermite", "WignerSemicircle", "Triangular"}
    assert OddEven.properties == OddEven().properties and math.isinf(distributions.Cauchy().support[1])
