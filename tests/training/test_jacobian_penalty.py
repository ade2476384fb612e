"""The Jacobian penalty by its definition; training with noise is training with the penalty, Hessian term included."""

import pytest
import torch

from algonets.training import jacobian_penalty, noise_penalty
from tests.training.networks import perceptron, random


def test_equals_the_jacobian():
    model, x = perceptron(4, 5, 3), random(6, 4)
    wanted = torch.stack([torch.func.jacrev(model)(row).square().sum() for row in x])
    torch.testing.assert_close(jacobian_penalty(model, x), wanted)


def test_random_directions_converge():
    model, x = perceptron(4, 5, 3), random(6, 4)
    exact, errors = jacobian_penalty(model, x), []
    for samples in (20, 2000):
        found = jacobian_penalty(model, x, samples, torch.Generator().manual_seed(0))
        errors.append(((found - exact).norm() / exact.norm()).item())
    assert errors[1] < 0.05 and errors[1] < errors[0]


def test_gradients_reach_parameters_and_inputs():
    model, x = perceptron(3, 4, 2), random(2, 3).requires_grad_()
    grads = torch.autograd.grad(jacobian_penalty(model, x).sum(), [x, *model.parameters()], allow_unused=True)
    assert all(g is None or g.isfinite().all() for g in grads) and grads[0].norm() > 0 and grads[1].norm() > 0
    assert torch.autograd.gradcheck(lambda x: jacobian_penalty(model, x), x)


def square(z, y):
    return (z - y).square().sum(-1)


def test_noise_is_a_penalty():
    """E[noisy loss] - clean loss is sigma^2 / 2 times both terms, to 2 %; without the Hessian term it is not."""
    model, x, y = perceptron(3, 6, 2), random(4, 3), 2 * random(4, 2, seed=1)
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.mul_(2)
    sigma = 0.03
    noise = random(200_000, 3, seed=2)
    with torch.no_grad():
        clean = square(model(x), y)
        excess = []
        for row, target, base in zip(x, y, clean, strict=True):
            both = [square(model(row + sign * sigma * noise), target) for sign in (1, -1)]  # odd orders cancel
            excess.append((0.5 * (both[0] + both[1]) - base).mean())
    excess = torch.stack(excess)
    full = noise_penalty(model, square, x, y, sigma=sigma)
    gauss_newton = noise_penalty(model, square, x, y, sigma=sigma, hessian=False)
    torch.testing.assert_close(gauss_newton, sigma**2 * jacobian_penalty(model, x))
    assert ((full.sum() - excess.sum()) / excess.sum()).abs() < 0.02
    assert ((full - excess) / excess).abs().max() < 0.02
    assert ((gauss_newton - excess) / excess).abs().max() > 0.1


def test_empty_and_wrong():
    model = perceptron(3, 2)
    assert jacobian_penalty(model, random(0, 3)).shape == (0,)
    assert noise_penalty(model, square, random(0, 3), random(0, 2), sigma=1.0).shape == (0,)
    assert (jacobian_penalty(lambda x: torch.ones(len(x), 2), random(2, 3)) == 0).all()
    with pytest.raises(ValueError, match="must return"):
        jacobian_penalty(lambda x: x.sum(0), random(2, 3))
    with pytest.raises(ValueError, match="at least 1"):
        jacobian_penalty(model, random(2, 3), samples=0)
    with pytest.raises(ValueError, match="positive"):
        noise_penalty(model, square, random(2, 3), random(2, 2), sigma=0.0)
    with pytest.raises(TypeError):
        jacobian_penalty(model, [1.0])
