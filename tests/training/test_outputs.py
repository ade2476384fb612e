"""Laws of outputs: Fisher information is the Hessian of the loss, in all its three forms."""

import copy

import pytest
import torch
from torch.nn import functional

from algonets.training import BernoulliOutput, CategoricalOutput, GaussianOutput
from tests.training.networks import random

LAWS = {
    "categorical": (CategoricalOutput(), lambda z: functional.cross_entropy(z, torch.tensor(1))),
    "bernoulli": (
        BernoulliOutput(),
        lambda z: functional.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="sum"),
    ),
    "gaussian": (GaussianOutput(0.3), lambda z: (z - 1).square().sum() / 0.6),
}


@pytest.mark.parametrize("name", LAWS)
def test_fisher_is_the_hessian_of_the_loss(name):
    law, loss = LAWS[name]
    z = random(4)
    hessian = torch.autograd.functional.hessian(loss, z)
    found = torch.stack([law.fisher(z, unit) for unit in torch.eye(4, dtype=z.dtype)])
    torch.testing.assert_close(found, hessian)
    factors = torch.stack(list(law.factors(z)))
    torch.testing.assert_close(factors.mT @ factors, hessian)


@pytest.mark.parametrize("name", LAWS)
def test_samples_have_that_covariance(name):
    law = LAWS[name][0]
    z = random(3)
    wanted = torch.stack([law.fisher(z, unit) for unit in torch.eye(3, dtype=z.dtype)])
    errors = []
    for count in (1_000, 100_000):
        drawn = law.sample(z.expand(count, 3), torch.Generator().manual_seed(0))
        errors.append((drawn.mT @ drawn / count - wanted).abs().max().item() / wanted.abs().max().item())
    assert errors[1] < 0.02 and errors[1] < errors[0]


@pytest.mark.parametrize("name", LAWS)
def test_wrong_arguments(name):
    law = LAWS[name][0]
    with pytest.raises(ValueError, match="must have the shape"):
        law.fisher(random(3), random(4))
    with pytest.raises(TypeError):
        law.fisher(torch.tensor([1, 2]), torch.tensor([1, 2]))
    with pytest.raises(ValueError):
        law.sample(torch.tensor(1.0))
    assert copy.deepcopy(law) == law
    with pytest.raises(ValueError, match="positive"):
        GaussianOutput(0.0)
