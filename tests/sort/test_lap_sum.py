"""LapSum against golden vectors, a root finder and its own dense matrix."""

import time

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.sort import LapSum, soft_argsort, soft_rank, soft_sort, soft_topk
from algonets.sort._laplace import asinh_exp, kernel_sums, recurrence
from tests.golden import select


def cdf(z):
    return np.where(z > 0, 1 - 0.5 * np.exp(-np.abs(z)), 0.5 * np.exp(-np.abs(z)))


def level_set(x: np.ndarray, alpha: float, level: float) -> float:
    """Root of ``sum_j F((t - x_j) / alpha) = level`` by bisection."""
    low, high = x.min() - 60 * alpha, x.max() + 60 * alpha
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if cdf((middle - x) / alpha).sum() < level else (low, middle)
    return low


def items(n: int, batch: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("case", [*select("topk", "lapsum_soft_topk"), *select("topk", "lapsum_log_soft_topk")])
def test_masks_equal_the_golden_vectors(case):
    inputs = {name: value.clone().requires_grad_() for name, value in case.inputs.items()}
    method = LapSum(inputs["alpha"])
    p = soft_topk(inputs["r"], inputs["k"], method, output="mask", largest=case.meta["largest"])
    ours = {"p": p.log() if "log" in case.meta["fn"] else p}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_the_matrix_is_made_of_level_sets(n, alpha):
    x = items(n, 1)
    bounds = [level_set(x[0].numpy(), alpha, i) for i in range(1, n)]
    edges = np.array([-np.inf, *bounds, np.inf])[:, None]
    expected = np.diff(cdf((edges - x[0].numpy()) / alpha), axis=0)
    torch.testing.assert_close(soft_argsort(x, LapSum(alpha))[0], torch.from_numpy(expected), rtol=0, atol=1e-10)


@pytest.mark.parametrize("k", [0.0, 0.25, 1.0, 3.7, 6.9999, 7.0])
def test_masks_sum_to_k(k):
    mask = soft_topk(items(7), k, LapSum(0.4), output="mask")
    torch.testing.assert_close(mask.sum(-1), torch.full((3,), k, dtype=torch.float64))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("alpha", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
def test_sums_along_the_items_equal_the_matrix(n, alpha, tied):
    """Values, payloads and ranks never build the matrix; they must equal it, and so must their gradients."""
    x = items(n)
    x = (x.round() if tied else x).requires_grad_()
    method = LapSum(alpha)
    payload = torch.randn(3, n, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    matrix = method._matrix(x)
    for found, expected in (
        (method._apply(x, payload)[1], matrix @ payload),
        (method._sort(x), (matrix @ x.unsqueeze(-1)).squeeze(-1)),
        (method._collect(x, payload), matrix.mT @ payload),
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        if not tied:
            weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
            ours, theirs = (torch.autograd.grad((v * weight).sum(), x, retain_graph=True)[0] for v in (found, expected))
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_gradients_in_k_and_alpha():
    x = items(5, 2).requires_grad_()
    k = torch.tensor([1.3, 2.0], dtype=torch.float64, requires_grad=True)
    alpha = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)

    def mask(x, k, alpha):
        return soft_topk(x, k, LapSum(alpha), output="mask")

    assert gradcheck(mask, (x, k, alpha)) and gradgradcheck(mask, (x, k, alpha))


@pytest.mark.parametrize("k", [0.0, 1.0, 2.0, 4.0])
def test_hard_masks_have_finite_gradients_in_k(k):
    x = torch.tensor([[0.0, 1.0, 1.0, 5.0]], dtype=torch.float64, requires_grad=True)
    count = torch.tensor([k], dtype=torch.float64, requires_grad=True)
    for alpha in (1e-2, 1e-4):
        mask = soft_topk(x, count, LapSum(alpha), output="mask")
        assert all(g.isfinite().all() for g in torch.autograd.grad(mask.square().sum(), (x, count)))
    expected = {0.0: [0, 0, 0, 0], 1.0: [0, 0, 0, 1], 2.0: [0, 0.5, 0.5, 1], 4.0: [1, 1, 1, 1]}[k]
    torch.testing.assert_close(mask[0], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0])
def test_a_hundred_thousand_items_in_float32(alpha):
    n = 100_000
    x = torch.randn(1, n, generator=torch.Generator().manual_seed(0)).requires_grad_()
    method = LapSum(alpha)
    start = time.perf_counter()
    values, ranks, mask = soft_sort(x, method), soft_rank(x, method), soft_topk(x, 777.5, method, output="mask")
    gradient = torch.autograd.grad((values.sin() + ranks / n + mask).sum(), x)[0]
    assert time.perf_counter() - start < 30  # the matrix would take 80 GB
    assert all(bool(v.isfinite().all()) for v in (values, ranks, mask, gradient))
    assert bool((values.diff() >= -1e-6).all())
    assert values.double().sum().item() == pytest.approx(x.double().sum().item(), abs=1e-2)
    assert ranks.double().mean().item() == pytest.approx((n + 1) / 2, abs=1e-2)
    assert mask.double().sum().item() == pytest.approx(777.5, abs=1e-2)
    wide = soft_sort(x.double(), method)
    torch.testing.assert_close(values.double(), wide, rtol=1e-6, atol=1e-6)


def test_the_recurrence_and_its_adjoint():
    generator = torch.Generator().manual_seed(0)
    rates = torch.rand(2, 6, generator=generator, dtype=torch.float64).requires_grad_()
    w = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64).requires_grad_()
    expected, before = [], torch.zeros(2, 3, dtype=torch.float64)
    for j in range(6):
        before = w[:, j] + (rates[:, j : j + 1] * before if j else 0)
        expected.append(before)
    torch.testing.assert_close(recurrence(rates, w), torch.stack(expected, 1))
    assert gradcheck(recurrence, (rates, w)) and gradgradcheck(recurrence, (rates, w))


def test_kernel_sums_equal_all_pairs():
    points = items(5, 2).sort(-1).values
    places = torch.cat([items(4, 2, seed=1), points[:, 2:3]], 1)
    w = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for equal_before in (False, True):
        away = places.unsqueeze(-1) - points.unsqueeze(-2)
        side = away >= 0 if equal_before else away > 0
        kernel = torch.exp(-away.abs())
        before, beyond = kernel_sums(points, w, places, equal_before)
        torch.testing.assert_close(before, (kernel * side) @ w)
        torch.testing.assert_close(beyond, (kernel * ~side) @ w)


def test_asinh_of_what_overflows():
    c = torch.tensor([0.0, 1e-10, -3.0, 5.0, -2.0, 0.0, 4.0], dtype=torch.float64)
    m = torch.tensor([5.0, 20.0, 1.0, 299.0, 310.0, 800.0, 1e6], dtype=torch.float64)
    expected = [0.0, np.arcsinh(1e-10 * np.exp(20)), np.arcsinh(-3 * np.e), np.log(10) + 299, -np.log(4) - 310, 0.0]
    expected.append(np.log(8) + 1e6)
    torch.testing.assert_close(asinh_exp(c, m), torch.tensor(expected, dtype=torch.float64))
    inputs = (c.requires_grad_(), m.requires_grad_())
    slopes = torch.autograd.grad(asinh_exp(c, m).sum(), inputs)
    assert all(bool(g.isfinite().all()) for g in slopes)
    near = (torch.tensor([0.3, -2.0], dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64))
    assert gradcheck(asinh_exp, tuple(v.requires_grad_() for v in near))


@pytest.mark.parametrize("alpha", [1e-8, 1e-30])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_ties_are_not_lost_at_the_smallest_scales(alpha, offset):
    x = torch.tensor([[2.0, 1.0, 2.0, 1.0, 3.0]]) + offset
    torch.testing.assert_close(soft_sort(x, LapSum(alpha)), x.sort().values, rtol=0, atol=0)
    torch.testing.assert_close(soft_rank(x, LapSum(alpha)), torch.tensor([[3.5, 1.5, 3.5, 1.5, 5.0]]))
