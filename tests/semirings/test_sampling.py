"""The sampling semiring: its gradient is one exact sample, and cannot be differentiated again."""

import math

import pytest
import scipy.special
import torch

from algonets.dp import LinearChain
from algonets.semirings import Sampling


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("count", [400, 40_000])
def test_sampling_frequencies(count):
    """Within 4.5 standard errors of the softmax, at two counts."""
    scores = torch.tensor([0.0, 1.0, -math.inf, 2.0, -1.0], dtype=torch.float64)
    x = scores.repeat(count, 1).requires_grad_()
    (drawn,) = torch.autograd.grad(Sampling(torch.Generator().manual_seed(0)).plus(x, 1).sum(), x)
    assert torch.equal(drawn.sum(1), torch.ones(count).double()) and set(drawn.unique().tolist()) == {0.0, 1.0}
    p = torch.from_numpy(scipy.special.softmax(scores.numpy()))
    assert ((drawn.mean(0) - p).abs() <= 4.5 * (p * (1 - p) / count).sqrt()).all()


def test_sampling_value_seed_and_weight():
    x = leaf(0.3, -0.4, 1.0)
    draws = []
    for seed in (5, 5, 6, 7, 8, 9):
        y = Sampling(torch.Generator().manual_seed(seed)).plus(x, 0)
        torch.testing.assert_close(y, torch.logsumexp(x, 0))
        draws.append(torch.autograd.grad(-2.5 * y, x)[0])
    assert torch.equal(draws[0], draws[1]) and any(not torch.equal(draws[0], d) for d in draws)
    assert all(d.sum() == -2.5 and (d != 0).sum() == 1 for d in draws)


def test_sampling_draws_a_whole_structure():
    """One gradient through a chain is one label sequence, never a forbidden one."""
    unary = torch.zeros(50, 4, 3, dtype=torch.float64, requires_grad=True)
    transition = torch.zeros(3, 3, dtype=torch.float64)
    transition[0, 1] = transition[2, 2] = -math.inf
    value = LinearChain(unary, transition).reduce(Sampling(torch.Generator().manual_seed(0)))
    (drawn,) = torch.autograd.grad(value.sum(), unary)
    assert (drawn.sum(2) == 1).all() and (drawn.max(2).values == 1).all()
    labels = drawn.argmax(2)
    assert (transition[labels[:, :-1], labels[:, 1:]] == 0).all()


def test_sampling_refuses_a_second_derivative():
    """At once, when the graph of the gradient is asked for: later autograd might leave its branch out unnoticed."""
    x = leaf(0.0, 1.0)
    value = Sampling(torch.Generator().manual_seed(0)).plus(x, 0) ** 2
    with pytest.raises(RuntimeError, match="twice"):
        torch.autograd.grad(value, x, create_graph=True)
