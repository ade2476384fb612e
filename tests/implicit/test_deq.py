"""The equilibrium module: training, state, transforms."""

import copy
import pickle

import pytest
import torch
from torch import nn

from algonets.implicit import DEQ, Implicit, Newton, Picard, Unroll


class Step(nn.Module):
    def __init__(self, inputs=3, state=3):
        super().__init__()
        self.inner, self.outer = nn.Linear(state, state), nn.Linear(inputs, state)

    def forward(self, z, x):
        return torch.tanh(0.4 * self.inner(z) + self.outer(x))


def test_trains():
    torch.manual_seed(0)
    layer = nn.Sequential(DEQ(Step(2, 8), (8,)), nn.Linear(8, 1))
    x = torch.randn(128, 2)
    y = (x[:, :1] * x[:, 1:]).sign()
    optimizer = torch.optim.Adam(layer.parameters(), 0.02)
    losses = []
    for _ in range(150):
        loss = nn.functional.soft_margin_loss(layer(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_gradients_equal_unrolled():
    torch.manual_seed(0)
    step, x = Step().double(), torch.randn(4, 3, dtype=torch.float64)
    found = []
    for backward in (Implicit(), Unroll()):
        value = DEQ(step, solver=Picard(), backward=backward, tolerance=1e-13)(x)
        found.append(torch.autograd.grad(value.square().sum(), list(step.parameters())))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_state_and_copies():
    layer = DEQ(Step(2, 5), (5,), solver=Newton())
    x = torch.randn(2, 3, 2)
    assert layer(x).shape == (2, 3, 5) and layer(x[:0]).shape == (0, 3, 5)
    assert layer.solve(x).iterations.shape == (2, 3)
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(twin(x), layer(x)) and repr(twin) == repr(layer)
    assert "Newton" in repr(layer) and set(layer.state_dict()) == {f"step.{k}" for k in layer.step.state_dict()}
    start = layer(x).detach()
    assert (layer.solve(x, z0=start).iterations <= 1).all()


def test_functional_call():
    layer, x = DEQ(Step().double(), tolerance=1e-12), torch.randn(4, 3, dtype=torch.float64)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(layer, parameters, (x,)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    truth = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    for name, gradient in zip(parameters, truth, strict=True):
        torch.testing.assert_close(each[name].sum(0), gradient, rtol=1e-8, atol=1e-8)


def test_wrong_input():
    with pytest.raises(TypeError, match="callable"):
        DEQ(3)
    with pytest.raises(TypeError, match="begin with a tensor"):
        DEQ(Step())("x")
