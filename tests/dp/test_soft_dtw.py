"""Soft-DTW: bands, unequal lengths, the hard limit, precision in float32, the divergence, memory."""

import math

import pytest
import torch

from algonets.dp import SoftDTW, soft_dtw_barycenter, soft_dtw_divergence
from tests.oracles.structures import Structures, warping_paths


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_hard_limit_and_alignment(any_backend):
    distances = normal(5, 6, 4).abs()
    hard = SoftDTW(distances, 0.0)
    truth = [Structures([-d], warping_paths(6, 4)) for d in distances]
    torch.testing.assert_close(hard.value(), -torch.stack([t.max() for t in truth]))
    torch.testing.assert_close(hard.alignment(), torch.stack([t.argmax()[0] for t in truth]))
    cold = SoftDTW(distances, 1e-4)
    torch.testing.assert_close(cold.value(), hard.value(), atol=1e-3, rtol=0)
    torch.testing.assert_close(cold.alignment(), hard.alignment(), atol=1e-3, rtol=0)


def test_unequal_lengths_equal_the_cut_examples(any_backend):
    distances, rows, columns = normal(3, 5, 6), torch.tensor([5, 2, 1]), torch.tensor([3, 6, 1])
    program = SoftDTW(distances, 0.7, rows, columns)
    for b, (n, m) in enumerate(zip(rows, columns, strict=True)):
        alone = SoftDTW(distances[b, :n, :m], 0.7)
        torch.testing.assert_close(program.value()[b], alone.value())
        torch.testing.assert_close(program.alignment()[b, :n, :m], alone.alignment())
    outside = program.alignment().clone()
    for b, (n, m) in enumerate(zip(rows, columns, strict=True)):
        outside[b, :n, :m] = 0
    assert (outside == 0).all()


@pytest.mark.parametrize(("n", "m"), [(5, 5), (7, 3), (3, 7), (1, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize("band", [0, 1, 2, 20])
def test_a_band_leaves_paths_near_the_diagonal(any_backend, n, m, band):
    distances = normal(n, m).requires_grad_()
    program = SoftDTW(distances, 0.5, band=band)
    value, path = program.value(), program.alignment()
    assert value.isfinite() and path.sum() >= max(n, m) - 1e-9
    for i, j in (path > 0).nonzero().tolist():
        line = abs(i * (m - 1) - j * (n - 1)) / max(n - 1, m - 1, 1)
        assert line <= band + 0.5
    if band == 20:
        torch.testing.assert_close(value, SoftDTW(distances, 0.5).value())
    (gradient,) = torch.autograd.grad(value, distances)
    torch.testing.assert_close(gradient, path.detach())


def test_a_band_with_unequal_lengths_is_finite(any_backend):
    rows, columns = torch.tensor([8, 3, 5]), torch.tensor([5, 9, 1])
    distances = normal(3, 8, 9).requires_grad_()
    program = SoftDTW(distances, 0.1, rows, columns, band=1)
    assert program.value().isfinite().all()
    assert torch.autograd.grad(program.value().sum(), distances)[0].isfinite().all()


def test_second_derivative_is_right(any_backend):
    distances = normal(2, 4, 3).requires_grad_()
    sizes = torch.tensor([4, 2]), torch.tensor([3, 3])
    assert torch.autograd.gradcheck(lambda d: SoftDTW(d, 0.3, *sizes).value(), distances)
    assert torch.autograd.gradgradcheck(lambda d: SoftDTW(d, 0.3, *sizes).value(), distances)
    assert torch.autograd.gradcheck(lambda d: SoftDTW(d, 0.3, *sizes).alignment(), distances)


def test_gradient_in_float32_at_a_low_temperature(any_backend):
    x, y = normal(2, 60, 2), normal(2, 60, 2, seed=1)
    distances = (((x.unsqueeze(2) - y.unsqueeze(1)) ** 2).sum(3)).float()
    single, double = distances.clone().requires_grad_(), distances.double().requires_grad_()
    value = SoftDTW(single, 0.01).value()
    gradients = [torch.autograd.grad(SoftDTW(d, 0.01).value().sum(), d)[0] for d in (single, double)]
    torch.testing.assert_close(value.double(), SoftDTW(double, 0.01).value(), rtol=1e-5, atol=1e-5)
    from algonets import active_backend, native_status

    if native_status()[0] and active_backend() != "torch":  # the recursion in float32 is as good as any in float32
        assert (gradients[0] - gradients[1]).abs().max() < 1e-6


def test_forbidden_cells(any_backend):
    distances = normal(3, 3).requires_grad_()
    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[1, 1] = True
    masked = distances.masked_fill(mask, math.inf)
    program = SoftDTW(masked, 0.5)
    keep = [path for path in warping_paths(3, 3) if (1, 1) not in path[0]]
    truth = Structures([-distances], keep)
    torch.testing.assert_close(program.value(), -truth.log_partition(0.5))
    (gradient,) = torch.autograd.grad(program.value(), distances)
    assert gradient.isfinite().all() and gradient[1, 1] == 0
    impossible = SoftDTW(torch.full((2, 2), math.inf), 0.5)
    assert impossible.value() == math.inf and (impossible.alignment() == 0).all()


def test_divergence(any_backend):
    x, y = normal(2, 5, 3), normal(2, 4, 3, seed=1)
    assert (soft_dtw_divergence(x, y, 0.5) > 0).all()
    torch.testing.assert_close(soft_dtw_divergence(x, x, 0.5), torch.zeros(2, dtype=torch.float64))
    z = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(soft_dtw_divergence(z, x, 0.5).sum(), z)
    assert gradient.abs().max() < 1e-9  # its minimum
    assert torch.autograd.gradgradcheck(lambda z: soft_dtw_divergence(z, y, 0.5), z, fast_mode=True)


def test_barycenter_aligns_what_the_mean_blurs():
    t = torch.arange(30, dtype=torch.float64)
    series = torch.stack([torch.exp(-((t - c) ** 2) / 4) for c in (9.0, 14.0, 19.0)]).unsqueeze(2)
    lengths = torch.tensor([30, 28, 26])
    series[2, 26:] = math.nan
    mean = soft_dtw_barycenter(series, 0.01, lengths=lengths)
    assert mean.shape == (30, 1) and mean.max() > 0.85 > series[:, :26].mean(0).max()
    assert ((mean > 0.5).flatten().diff().int() != 0).sum() <= 2 or (mean > 0.5).sum() < 8  # one peak
    single = soft_dtw_barycenter(series[:1], 1e-3)
    assert (single - series[0]).abs().max() < 0.1
    with pytest.raises(ValueError, match="weights"):
        soft_dtw_barycenter(series[:2], weights=torch.tensor([-1.0, 2.0]))


def test_errors():
    with pytest.raises(ValueError, match="band"):
        SoftDTW(torch.zeros(3, 3), band=-1)
    with pytest.raises(ValueError, match="temperature"):
        SoftDTW(torch.zeros(3, 3), -1.0)
    with pytest.raises(ValueError, match="one row"):
        SoftDTW(torch.zeros(0, 3))
    with pytest.raises(ValueError, match=r"y.*must have points of 2"):
        soft_dtw_divergence(torch.zeros(3, 2), torch.zeros(3, 1))


@pytest.mark.parametrize("temperature", [0.0, 0.3, 2.0])
def test_inherited_methods_speak_of_the_same_distribution(any_backend, temperature):
    distances = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lengths = {"lengths": torch.tensor([4, 2, 1]), "target_lengths": torch.tensor([5, 3, 1])}
    program = SoftDTW(distances, temperature, **lengths)
    torch.testing.assert_close(program.marginals(), program.alignment())
    torch.testing.assert_close(program.log_partition() * (temperature or 1.0), -program.value())
    path = program.argmax()
    torch.testing.assert_close(program.max() * (temperature or 1.0), -(path * distances).sum((1, 2)))
    drawn = program.sample(600, torch.Generator().manual_seed(0))
    assert drawn.shape == (600, 3, 4, 5)
    assert (drawn.mean(0) - program.alignment()).abs().max() < (0.08 if temperature else 1e-12)
    assert (program.entropy() > -1e-12).all() and program.entropy()[2] == 0
    if not temperature:
        assert program.entropy().abs().max() < 1e-12
        return
    given = -torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    changed = program.augmented(given)
    wanted = SoftDTW(distances - temperature * given, temperature, **lengths)
    torch.testing.assert_close(changed.value(), wanted.value())
    torch.testing.assert_close(changed.log_prob(path), wanted.log_prob(path))
