"""Gates: probabilities by sampling, exact zeros, penalties, and a layer that drops useless inputs."""

import pytest
import torch
from torch import nn

from algonets.training import BayesianLinear, HardConcrete, L0Linear


def test_probability_of_being_on():
    for probability in (0.2, 0.7):
        gates = HardConcrete((200_000,), probability)
        drawn = gates(torch.Generator().manual_seed(0))
        assert ((drawn >= 0) & (drawn <= 1)).all()
        assert (drawn > 0).float().mean().item() == pytest.approx(probability, abs=0.005)
        assert gates.active().mean().item() == pytest.approx(probability, abs=1e-6)
        assert (drawn == 1).any() and (drawn == 0).any()


def test_draws_have_gradients_and_evaluation_is_fixed():
    gates = HardConcrete((50,), 0.5)
    gates(torch.Generator().manual_seed(0)).sum().backward()
    assert gates.log_alpha.grad.count_nonzero() > 10
    gates.eval()
    assert torch.equal(gates(), gates())
    torch.manual_seed(0)
    before = torch.get_rng_state()
    gates()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("kind", "gates"), [("edges", (3, 4)), ("neurons", (1, 4))])
def test_layer(kind, gates):
    layer = L0Linear(4, 3, kind, probability=0.5)
    assert layer.gates.log_alpha.shape == gates and layer.penalty().item() == pytest.approx(6.0)
    with torch.no_grad():
        layer.gates.log_alpha.fill_(50.0)
        layer.gates.log_alpha[0, 1] = -50.0
    x = torch.randn(2, 5, 4)
    weight = layer.weight.detach().clone()
    weight[slice(None) if kind == "neurons" else 0, 1] = 0
    torch.testing.assert_close(layer(x), nn.functional.linear(x, weight, layer.bias))
    torch.testing.assert_close(layer.effective_weight(), weight)
    assert layer.training and layer.gates.training and layer(torch.zeros(0, 4)).shape == (0, 3)


@pytest.mark.parametrize("kind", ["edges", "neurons"])
def test_useless_inputs_are_dropped(kind):
    torch.manual_seed(0)
    x = torch.randn(300, 6)
    y = x[:, :2] @ torch.tensor([[1.0, -2.0], [2.0, 1.0]])
    layer = L0Linear(6, 2, kind, probability=0.8)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        ((layer(x) - y).square().mean() + 0.01 * layer.penalty()).backward()
        optimizer.step()
    kept = layer.effective_weight() != 0
    assert kept[:, :2].all() and not kept[:, 2:].any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: HardConcrete((2,), 1.0),
        lambda: HardConcrete((2,), low=0.1),
        lambda: HardConcrete((2,), temperature=0.0),
        lambda: L0Linear(0, 2),
        lambda: L0Linear(2, 2, "layers"),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "module",
    [
        HardConcrete((3, 2), 0.25, 0.5, -0.2, 1.3),
        L0Linear(4, 3, "neurons", 0.25, bias=False),
        L0Linear(4, 3, "edges", 0.75),
        BayesianLinear(4, 3, 0.5, 0.01),
    ],
    ids=lambda module: type(module).__name__,
)
def test_extra_repr_rebuilds(module):
    twin = eval(f"{type(module).__name__}({module.extra_repr()})")
    assert twin.extra_repr() == module.extra_repr()
    shapes = [{k: v.shape for k, v in one.state_dict().items()} for one in (twin, module)]
    assert shapes[0] == shapes[1]
