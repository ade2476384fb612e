"""The methods around the networks: one's own comparators, error-free swaps, ART, the suggested scale."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from algonets.distributions import Cauchy, Levy, Logistic, Optimal
from algonets.sort import (
    Batcher,
    Bitonic,
    Comparators,
    ErrorFree,
    Hard,
    LogisticART,
    NeuralSort,
    OddEven,
    Sort,
    soft_argsort,
    soft_rank,
    soft_sort,
    sort_with,
    suggest_scale,
)
from algonets.sort.networks import batcher, bitonic

pytestmark = pytest.mark.usefixtures("any_backend")

FIVE = [(0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3)]
"""The best network for 5 items: 9 comparators."""


def items(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---- one's own comparators


def test_own_comparators_sort_five_and_fewer_items():
    method = Comparators(FIVE, Cauchy(1e-12))
    for n in range(1, 6):
        torch.testing.assert_close(soft_sort(items(4, n), method), items(4, n).sort(-1).values)
    x, mask = items(3, 5), torch.tensor([[True, True, False, True, False]]).expand(3, 5)
    torch.testing.assert_close(soft_sort(x, method, mask=mask)[:, :3], x[:, [0, 1, 3]].sort(-1).values)


def test_own_comparators_of_a_family_are_that_family():
    x = items(3, 8)
    torch.testing.assert_close(soft_argsort(x, Comparators(bitonic(8).pairs())), soft_argsort(x, Bitonic()))
    torch.testing.assert_close(soft_argsort(x, Comparators(batcher(8).pairs())), soft_argsort(x, Batcher()))


def test_a_network_that_does_not_sort_is_refused_at_construction():
    with pytest.raises(ValueError, match=r"must be a network that sorts every input.*check=False"):
        Comparators(FIVE[:-1])
    partial = Comparators([(0, 2), (1, 2)], Cauchy(1e-12), check=False)
    found = soft_sort(torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64), partial)
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0, 3.0], dtype=torch.float64))


def test_the_number_of_items_must_fit():
    with pytest.raises(ValueError, match="a wire for each of the 6 items"):
        soft_sort(items(6), Comparators(FIVE))
    with pytest.raises(ValueError, match="every minimum on the lower wire"):
        soft_sort(items(6), Comparators(bitonic(8).pairs()))


@pytest.mark.parametrize("method", [OddEven, Bitonic, Batcher, lambda law: Comparators(FIVE, law)])
def test_what_is_no_law_is_refused(method):
    with pytest.raises(TypeError, match="must be a distribution"):
        method(0.1)
    with pytest.raises(TypeError, match="must be a distribution"):
        method(Cauchy)
    with pytest.raises(ValueError, match="must have one element"):
        method(Cauchy(torch.tensor([0.1, 0.2])))
    with pytest.raises(ValueError, match="must have one element"):
        method(Cauchy(torch.ones(1, 1)))


def test_methods_say_what_they_are():
    assert repr(OddEven()) == "OddEven(distribution=Cauchy(scale=0.1))"
    assert repr(ErrorFree(Bitonic(LogisticART(0.5)))) == (
        "ErrorFree(method=Bitonic(distribution=LogisticART(scale=0.5, power=0.25)))"
    )
    assert repr(Comparators([(0, 1)])) == "Comparators(pairs=[(0, 1)], distribution=Cauchy(scale=0.1))"


@pytest.mark.parametrize("wrap", [lambda m: m, ErrorFree])
def test_a_learnt_scale_is_a_parameter_of_the_module(wrap):
    scale = torch.nn.Parameter(torch.tensor(0.3))
    module = Sort(wrap(OddEven(LogisticART(scale))))
    assert dict(module.named_parameters()) == {"scale": scale}
    module(torch.tensor([3.0, 1.0, 2.5])).square().sum().backward()
    assert scale.grad is not None and float(scale.grad) != 0


# ---- error-free swaps


class Swap(torch.autograd.Function):
    """A comparator as the paper defines it: exact forward, the derivative of the soft one backward."""

    @staticmethod
    def forward(ctx, a, b, scale):
        ctx.save_for_backward(a, b)
        ctx.scale = scale
        return torch.minimum(a, b), torch.maximum(a, b)

    @staticmethod
    def backward(ctx, *gradients):
        a, b = (v.detach().requires_grad_() for v in ctx.saved_tensors)
        with torch.enable_grad():
            alpha = Cauchy(ctx.scale).cdf(b - a)
            soft = alpha * a + (1 - alpha) * b, alpha * b + (1 - alpha) * a
        return *torch.autograd.grad(soft, (a, b), gradients), None


@pytest.mark.parametrize("family", [OddEven, Bitonic, Batcher])
@pytest.mark.parametrize("n", [2, 5, 8])
def test_error_free_swaps_against_the_definition(family, n):
    x = items(4, n).requires_grad_()
    weight = items(4, n, seed=1)
    method = family(Cauchy(0.4))
    y = soft_sort(x, ErrorFree(method))
    assert torch.equal(y, x.sort(-1).values)
    wires = list(x.unbind(-1))
    for low, high in method.network(n).pairs():
        wires[low], wires[high] = Swap.apply(wires[low], wires[high], 0.4)
    expected = torch.autograd.grad((torch.stack(wires, -1) * weight).sum(), x)[0]
    torch.testing.assert_close(torch.autograd.grad((y * weight).sum(), x)[0], expected)
    soft = torch.autograd.grad((soft_sort(x, method) * weight).sum(), x)[0]
    assert n == 2 or not torch.allclose(soft, expected)


def test_error_free_results_are_exact_at_any_scale():
    x = items(5, 9)
    method = ErrorFree(Batcher(Cauchy(100.0)))
    assert torch.equal(soft_sort(x, method), x.sort(-1).values)
    assert torch.equal(soft_argsort(x, method), soft_argsort(x, Hard()))
    assert torch.equal(soft_rank(x, method), soft_rank(x, Hard()))
    payload = items(5, 9, 3, seed=2)
    assert torch.equal(sort_with(x, payload, method)[1], sort_with(x, payload, Hard())[1])


def test_error_free_matrix_has_the_gradient_of_soft_swaps():
    """Two items, one comparator: the matrix depends on alpha alone."""
    x = torch.tensor([[1.0, 0.3]], dtype=torch.float64, requires_grad=True)
    law, weight = Cauchy(0.4), items(1, 2, 2, seed=3)
    exact, soft = (soft_argsort(x, method) for method in (ErrorFree(OddEven(law)), OddEven(law)))
    torch.testing.assert_close(
        torch.autograd.grad((exact * weight).sum(), x)[0], torch.autograd.grad((soft * weight).sum(), x)[0]
    )


def test_error_free_wraps_networks_only():
    with pytest.raises(TypeError, match="must be a sorting network"):
        ErrorFree(NeuralSort())  # pyright: ignore[reportArgumentType]
    properties = ErrorFree(OddEven(Logistic(0.1))).properties
    assert not properties.monotone and ErrorFree(OddEven()).properties.monotone
    assert "straight-through" in ErrorFree.properties.differentiability


def test_error_free_values_in_float32_overflow_nowhere():
    most = torch.finfo(torch.float32).max
    x = torch.tensor([[most, -most, 1.0]], requires_grad=True)
    y = soft_sort(x, ErrorFree(OddEven()))
    assert torch.equal(y, x.sort(-1).values)
    assert not torch.autograd.grad(y.sum(), x)[0].isnan().any()


# ---- ART


def test_art_is_its_formula():
    x = items(50)
    expected = 1 / (1 + torch.exp(-x / x.abs().pow(0.25) / 0.3))
    torch.testing.assert_close(LogisticART(0.3).cdf(x), expected)
    torch.testing.assert_close(LogisticART(0.3, power=0).cdf(x), Logistic(0.3).cdf(x))
    assert LogisticART().cdf(x.half()).dtype == torch.float16
    limits = LogisticART().cdf(torch.tensor([-math.inf, math.inf, math.nan]))
    torch.testing.assert_close(limits, torch.tensor([0.0, 1.0, math.nan]), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_art_is_steep_but_finite_at_ties(dtype):
    x = torch.zeros(3, dtype=dtype, requires_grad=True)
    slope = torch.autograd.grad(LogisticART(2.0).cdf(x).sum(), x, create_graph=True)[0]
    torch.testing.assert_close(slope, torch.full_like(slope, 10**2.5 / 8))
    assert torch.autograd.grad(slope.sum(), x)[0].isfinite().all()
    y = torch.tensor([[1.0, 1.0, 0.0, 1.0]], dtype=dtype, requires_grad=True)
    matrix = soft_argsort(y, OddEven(LogisticART(0.1)))
    gradient = torch.autograd.grad((matrix * items(1, 4, 4).to(dtype)).sum(), y)[0]
    assert gradient.isfinite().all() and float(gradient.abs().max()) > 10


def test_art_gradients_away_from_ties():
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    x = items(2, 5).requires_grad_()
    assert gradcheck(lambda x, s: soft_argsort(x, Bitonic(LogisticART(s))), (x, scale))
    assert not Bitonic(LogisticART(0.5)).properties.monotone


@pytest.mark.parametrize("power", [1.0, -0.1, math.nan])
def test_art_power_must_be_in_range(power):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        LogisticART(power=power)


def test_art_arguments_must_be_numbers():
    with pytest.raises(TypeError, match="must be a number"):
        LogisticART(power="0.25")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="floating-point tensor"):
        LogisticART().cdf(torch.tensor([1]))


# ---- the suggested scale


@pytest.mark.parametrize("family", [OddEven, Bitonic, Batcher])
@pytest.mark.parametrize("law", [Cauchy, Logistic, Optimal])
@pytest.mark.parametrize("spread", [0.01, 30.0])
def test_the_suggested_scale_bounds_the_error(family, law, spread):
    for n in (2, 5, 16, 33, 64):
        x = spread * items(100, n, seed=n)
        scale = suggest_scale(n, spread, family(law()))
        error = (soft_sort(x, family(law(scale))) - x.sort(-1).values).abs().max()
        assert float(error) <= spread / (2 * math.pi) * (1 + 1e-6)
        assert float(error) >= 0.005 * spread  # and not by being hard


def test_the_bound_follows_the_error_that_is_asked_for():
    x = items(200, 16)
    scale = suggest_scale(16, 1.0, OddEven, error=0.01)
    error = float((soft_sort(x, OddEven(Cauchy(scale))) - x.sort(-1).values).abs().max())
    assert 0.005 < error <= 0.01


def test_known_suggestions():
    """The steepness of the authors' experiments: 10 for odd-even with 5 items, 20 for bitonic with 16."""
    assert math.isclose(suggest_scale(5, 1.0, OddEven), 0.1, rel_tol=1e-4)
    assert math.isclose(suggest_scale(16, 1.0, Bitonic), 0.05, rel_tol=1e-4)
    assert math.isclose(suggest_scale(16, 1.0, Bitonic(Cauchy(7.0))), 0.05, rel_tol=1e-4)
    assert math.isclose(suggest_scale(16, 1.0, OddEven(Optimal())), 16 / 16 / (2 * math.pi), rel_tol=1e-4)
    assert suggest_scale(1) > 0 and suggest_scale(9, 1.0, Comparators(batcher(9).pairs())) > 0


def test_the_spread_may_be_measured():
    x = 3.0 * items(500, 20) + 100 * items(500, 1, seed=9)
    assert math.isclose(suggest_scale(20, x), 3 * suggest_scale(20, 1.0), rel_tol=0.05)
    assert math.isclose(suggest_scale(20, torch.tensor(3.0)), 3 * suggest_scale(20, 1.0), rel_tol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: suggest_scale(0), ValueError, "at least 1"),
        (lambda: suggest_scale(5, 0.0), ValueError, "positive"),
        (lambda: suggest_scale(5, torch.ones(4)), ValueError, "positive"),
        (lambda: suggest_scale(5, torch.ones(1)), ValueError, "two items"),
        (lambda: suggest_scale(5, 1.0, error=-1.0), ValueError, "positive"),
        (lambda: suggest_scale(5, 1.0, Hard()), TypeError, "sorting network"),  # pyright: ignore[reportArgumentType]
        (lambda: suggest_scale(5, 1.0, Comparators), TypeError, "sorting network"),
        (lambda: suggest_scale(5, 1.0, OddEven(LogisticART())), TypeError, "distribution as its law"),
        (lambda: suggest_scale(5, 1.0, OddEven(Levy())), ValueError, "at least like 1 / x"),
    ],
)
def test_bad_requests_for_a_scale(call, error, words):
    with pytest.raises(error, match=words):
        call()
