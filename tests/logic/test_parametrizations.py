"""Weights to truth tables."""

import itertools
import math

import pytest
import torch

from algonets.logic import COEFFICIENTS, TABLES, Fixed, Light4, LogicLayer, LookupLayer, Softmax16, Walsh4

ALL = [Softmax16(), Light4(), Walsh4(), Fixed()]


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_the_residual_gate_passes_its_first_input(law):
    weights = law.initial((3,), 2, "residual", None)
    assert weights.shape == (3, law.size(2))
    assert torch.equal(law.hard_tables(weights), torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 3))
    soft = law.tables(weights)
    assert ((soft - law.hard_tables(weights)).abs() < 0.1).all()


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_hard_limit(law):
    """Strong weights make the soft table the hard one."""
    weights = torch.randn(50, law.size(2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = (weights > 0.5).double() if isinstance(law, Fixed) else 1e4 * weights
    torch.testing.assert_close(law.tables(weights), law.hard_tables(weights))


def test_walsh_by_products():
    weights = torch.tensor([0.3, -0.7, 1.1, 0.2, 0.5, -0.4, 0.9, -1.2], dtype=torch.float64)
    for number, bits in enumerate(itertools.product((0, 1), repeat=3)):
        signs = [2 * bit - 1 for bit in bits]
        total = 0.0
        for subset, chosen in enumerate(itertools.product((0, 1), repeat=3)):
            total += float(weights[subset]) * math.prod(s for s, c in zip(signs, chosen, strict=True) if c)
        assert Walsh4().tables(weights)[number].item() == pytest.approx(1 / (1 + math.exp(-total)))


def test_softmax_ties_take_the_first_gate():
    assert torch.equal(Softmax16().hard_tables(torch.zeros(1, 16)), TABLES[:1].float())


@pytest.mark.parametrize("law", [Softmax16(), Light4(), Walsh4()], ids=repr)
@pytest.mark.parametrize("count", [4_000, 40_000])
def test_noise_draws_gates_with_their_probabilities(law, count):
    """The gate that is largest under the noise is a draw: tables average to the soft one."""
    weights = torch.randn(law.size(2), generator=torch.Generator().manual_seed(3), dtype=torch.float64).expand(
        count, -1
    )
    if isinstance(law, Walsh4):
        weights = weights / 2
    noisy = weights + law.noise(weights, torch.Generator().manual_seed(0))
    found = law.hard_tables(noisy).mean(0)
    assert (found - law.tables(weights[0])).abs().max() < 2.5 / math.sqrt(count)


def test_straight_through_is_hard_forward_and_soft_backward():
    layer = LogicLayer(4, 6, Light4(), "normal", sampling="gumbel", generator=torch.Generator().manual_seed(0))
    x = torch.rand(2, 4).round()
    y = layer(x, torch.Generator().manual_seed(1))
    assert ((y - y.round()).abs() < 1e-6).all()
    y.sum().backward()
    assert layer.weights.grad is not None and (layer.weights.grad != 0).any()
    other = layer(x, torch.Generator().manual_seed(2))
    assert not torch.equal(y, other)
    assert torch.equal(layer.eval()(x), layer(x))


def test_sixteen_are_for_two_inputs():
    with pytest.raises(ValueError, match="2 inputs"):
        LookupLayer(8, 2, 3, Softmax16())
    with pytest.raises(ValueError, match="strength"):
        Light4(0.0)
    with pytest.raises(TypeError, match="parametrization"):
        LogicLayer(4, 2, "light")


def test_coefficients_are_the_tables():
    ab = torch.tensor([[1, 0, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.float64)
    assert torch.equal(COEFFICIENTS @ ab.T, TABLES)
