"""Gaussian weights: local reparametrisation has the right moments, the bound is exact for linear regression."""

import pytest
import torch

from algonets.training import BayesianLinear, gaussian_kl
from tests.training.networks import random


def test_drawn_outputs_have_the_moments_of_drawn_weights():
    torch.manual_seed(0)
    layer = BayesianLinear(4, 2, initial_scale=0.3).double()
    x = random(4)
    drawn = layer(x.expand(100_000, 4), torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), layer.eval()(x), atol=0.01, rtol=0)
    variance = (layer.scale.square() * x.square()).sum(-1)
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.02, atol=0)


def test_the_bound_finds_the_posterior():
    """Linear regression with known noise: mean and scale of the posterior, orthogonal inputs."""
    torch.manual_seed(0)
    x = torch.linalg.qr(torch.randn(40, 2, dtype=torch.float64)).Q * 6
    noise = 0.5
    y = x @ torch.tensor([[1.0], [-0.5]], dtype=torch.float64) + noise * torch.randn(40, 1, dtype=torch.float64)
    layer = BayesianLinear(2, 1).double()
    layer.bias.data.zero_()
    layer.bias.requires_grad_(False)
    optimizer = torch.optim.Adam([layer.mean, layer.rho], 0.02)
    for _ in range(1200):
        optimizer.zero_grad()
        expected = (layer.eval()(x) - y).square().sum() + (x.square() @ layer.scale.square().mT).sum()
        (0.5 * expected / noise**2 + layer.kl()).backward()
        optimizer.step()
    precision = 36 / noise**2 + 1
    torch.testing.assert_close(layer.scale, torch.full_like(layer.scale, precision**-0.5), rtol=1e-3, atol=0)
    torch.testing.assert_close(layer.mean, (x.mT @ y).mT / noise**2 / precision, rtol=1e-3, atol=1e-3)


def test_pruning_by_signal_to_noise():
    layer = BayesianLinear(2, 2, initial_scale=0.1)
    with torch.no_grad():
        layer.mean.copy_(torch.tensor([[0.01, 0.5], [0.3, 0.001]]))
    assert layer.prune(1.0) == 0.5
    assert torch.equal(layer.mask, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert layer.prune(4.0) == 0.75 and layer.prune(0.0) == 0.75  # gone stays gone
    torch.testing.assert_close(layer.eval()(torch.tensor([1.0, 1.0])), layer.bias + torch.tensor([0.5, 0.0]))
    kept = gaussian_kl(layer.mean[0, 1], layer.scale[0, 1])
    torch.testing.assert_close(layer.kl(), kept)
    assert "mask" in layer.state_dict()


@pytest.mark.parametrize(
    "make",
    [
        lambda: BayesianLinear(0, 2),
        lambda: BayesianLinear(2, 2, prior_scale=0.0),
        lambda: BayesianLinear(2, 2, initial_scale=-1.0),
        lambda: BayesianLinear(2, 2).prune(-1.0),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError):
        make()
