"""Numerics at the edges: -inf, empty reductions, dead branches, in the value and in two derivatives."""

import math

import pytest
import torch

from algonets._core.numerics import log_softmax, logsumexp, masked_mean, masked_sum, product_or_zero

INF, NAN = math.inf, math.nan


def leaf(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def derivatives(f, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the finite entries of f(x): the gradient, and the gradient of its squares."""
    y = f(x)
    (first,) = torch.autograd.grad(torch.where(y.isfinite(), y, 0.0).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    return first.detach(), second


# ---- logsumexp -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_logsumexp_equals_torch(dim, keepdim):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 300
    x[0, 0] = -INF
    assert torch.equal(logsumexp(x, dim, keepdim), torch.logsumexp(x, dim, keepdim))


def test_logsumexp_of_nothing_allowed():
    x = leaf([[-INF, -INF], [0.0, -INF], [0.0, math.log(3)]])
    torch.testing.assert_close(logsumexp(x, 1), torch.tensor([-INF, 0.0, math.log(4)]).double())
    first, second = derivatives(lambda x: logsumexp(x, 1), x)
    torch.testing.assert_close(first, torch.tensor([[0, 0], [1, 0], [0.25, 0.75]]).double())
    # d/dx_i sum_k p_k^2 = 2 p_i (p_i - sum_k p_k^2)
    torch.testing.assert_close(second, torch.tensor([[0, 0], [0, 0], [-0.1875, 0.1875]]).double())


def test_logsumexp_passes_no_gradient_where_it_is_minus_inf():
    x = leaf([-INF, -INF])
    assert torch.autograd.grad(logsumexp(x, 0), x)[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp_of_an_empty_dimension(keepdim):
    x = torch.zeros(2, 0, 3, requires_grad=True)
    y = logsumexp(x, 1, keepdim)
    assert y.shape == ((2, 1, 3) if keepdim else (2, 3)) and (y == -INF).all()
    assert logsumexp(torch.zeros(0, 3), 1).shape == (0,)


def test_logsumexp_keeps_nan_and_inf():
    assert logsumexp(torch.tensor([NAN, 0.0]), 0).isnan() and logsumexp(torch.tensor([INF, 0.0]), 0) == INF


def test_logsumexp_gradcheck():
    x, forbidden = leaf([[0.1, 0.7, -0.4], [0.0, 2.0, 1.0]]), torch.tensor([[0, -INF, 0], [0, 0, 0]])
    assert torch.autograd.gradcheck(lambda x: logsumexp(x + forbidden, 1), x)
    assert torch.autograd.gradgradcheck(lambda x: logsumexp(x + forbidden, 1), x)


def test_log_softmax():
    x = leaf([[-INF, -INF, -INF], [1.0, -INF, 1.0], [0.0, 1.0, 2.0]])
    y = log_softmax(x, 1)
    assert (y[0] == -INF).all() and y[1].tolist() == pytest.approx([-math.log(2), -INF, -math.log(2)])
    torch.testing.assert_close(y[2], torch.log_softmax(x[2], 0))
    first, second = derivatives(lambda x: log_softmax(x, 1).exp() * torch.tensor([1.0, 2.0, 3.0]), x)
    assert first.isfinite().all() and second.isfinite().all() and (first[0] == 0).all() and (second[0] == 0).all()


# ---- product_or_zero -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "value", "wanted"),
    [(2.0, -3.0, -6.0), (0.0, -INF, 0.0), (0.0, INF, 0.0), (0.0, NAN, 0.0), (0.5, -INF, -INF), (0.5, NAN, NAN)],
)
def test_product_or_zero(weight, value, wanted):
    w, v = leaf([weight]), leaf([value])
    y = product_or_zero(w, v)
    assert y.item() == wanted or (math.isnan(wanted) and y.isnan())
    if math.isfinite(wanted):
        by_weight, by_value = torch.autograd.grad(y, (w, v))
        assert by_weight.item() == (value if weight else 0) and by_value.item() == weight


def test_product_or_zero_gradcheck():
    w, v = leaf([0.2, 1.0, 3.0]), leaf([-1.0, 0.0, 4.0])
    assert torch.autograd.gradcheck(product_or_zero, (w, v)) and torch.autograd.gradgradcheck(product_or_zero, (w, v))


def test_product_or_zero_of_a_negative_weight():
    assert product_or_zero(torch.tensor(-2.0), torch.tensor(-INF)) == INF


# ---- masked reductions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [NAN, INF, -INF])
def test_masked_reductions_ignore_what_is_masked(hidden):
    x = leaf([[1.0, hidden, 2.0], [hidden] * 3])
    mask = torch.tensor([[True, False, True], [False] * 3])
    assert masked_sum(x, mask, 1).tolist() == [3.0, 0.0] and masked_mean(x, mask, 1).tolist() == [1.5, 0.0]
    for reduce, share in ((masked_sum, 1.0), (masked_mean, 0.5)):
        first, second = derivatives(lambda x, reduce=reduce: reduce(x, mask, 1) ** 2, x)
        total = 2 * share * reduce(x, mask, 1).detach()[0]
        torch.testing.assert_close(first, torch.tensor([[total, 0, total], [0, 0, 0]]).double())
        assert second.isfinite().all() and (second[~mask] == 0).all() and (second[mask] > 0).all()


def test_masked_reductions_over_several_dims_and_broadcast_masks():
    x = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[True], [False], [True]])
    assert masked_sum(x, mask, (1, 2)).tolist() == [0 + 1 + 4 + 5, 6 + 7 + 10 + 11]
    assert masked_mean(x, mask, (1, 2)).tolist() == [2.5, 8.5]
    assert masked_mean(torch.zeros(0, 3), torch.ones(3).bool(), 1).shape == (0,)
