"""Reversed gradients, and an adversary that makes two domains alike."""

import math

import pytest
import torch

from algonets.training import DomainAdversary, GradientReversal, gradient_reversal
from tests.training.networks import random


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_reversal(strength):
    x, w = random(2, 3).requires_grad_(), random(2, 3, seed=1)
    for reverse in (lambda x: gradient_reversal(x, strength), GradientReversal(strength)):
        assert torch.equal(reverse(x), x)
        torch.testing.assert_close(torch.autograd.grad((reverse(x) * w).sum(), x)[0], -strength * w)
    mapped = torch.func.vmap(torch.func.grad(lambda x: gradient_reversal(x, strength).sum()))(x)
    torch.testing.assert_close(mapped, torch.full_like(x, -strength))
    assert repr(GradientReversal(strength)) == f"GradientReversal(strength={strength})"


def test_loss_is_the_mean_over_domains():
    torch.manual_seed(0)
    adversary = DomainAdversary(3, 4, domains=3).double()
    parts = [random(n, 3, seed=n) for n in (2, 5, 0)]
    logs = [adversary.classifier(part).log_softmax(-1)[:, k] for k, part in enumerate(parts)]
    torch.testing.assert_close(adversary(*parts), -(logs[0].mean() + logs[1].mean()) / 2)
    features = random(2, 3).requires_grad_()
    (reversed_gradient,) = torch.autograd.grad(adversary(features, parts[1], parts[2]), features)
    plain = -adversary.classifier(features).log_softmax(-1)[:, 0].mean() / 2
    torch.testing.assert_close(reversed_gradient, -torch.autograd.grad(plain, features)[0])


def test_one_step_makes_features_alike():
    """A classifier that tells two shifted clouds apart: the reversed gradient moves them towards each other."""
    torch.manual_seed(0)
    source, target = torch.randn(100, 2), torch.randn(100, 2) + torch.tensor([3.0, 0.0])
    adversary = DomainAdversary(2, 8)
    optimizer = torch.optim.Adam(adversary.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        adversary(source, target).backward()
        optimizer.step()
    assert adversary(source, target) < 0.4
    pair = [source.clone().requires_grad_(), target.clone().requires_grad_()]
    moves = [-g.mean(0) for g in torch.autograd.grad(adversary(*pair), pair)]
    assert moves[0][0] > 0 > moves[1][0]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: gradient_reversal(torch.ones(2), -1.0), ValueError),
        (lambda: gradient_reversal(torch.tensor([1])), TypeError),
        (lambda: GradientReversal(-1.0), ValueError),
        (lambda: DomainAdversary(3, domains=1), ValueError),
        (lambda: DomainAdversary(3)(torch.ones(2, 3)), ValueError),
        (lambda: DomainAdversary(3)(torch.ones(2, 3), torch.ones(2, 4)), ValueError),
    ],
)
def test_wrong_arguments(make, error):
    with pytest.raises(error):
        make()


@pytest.mark.parametrize("strength", ["a", -1.0, math.nan, math.inf])
def test_bad_strength_of_reversal(strength):
    with pytest.raises(ValueError, match="finite number"):
        GradientReversal(strength)
