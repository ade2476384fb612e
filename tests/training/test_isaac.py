"""ISAAC: both forms equal the primal formula, gradients of the rest are the ordinary ones, layers are swapped."""

import copy
import pickle

import pytest
import torch
from torch import nn

from algonets.training import IsaacNewton


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(layer, a, weights):
    a = a.clone().requires_grad_()
    return torch.autograd.grad((layer(a) * weights).sum(), [a, *layer.parameters()])


@pytest.mark.parametrize("b", [1, 3, 6, 40])
@pytest.mark.parametrize("damping", [1e-2, 1.0, 1e3])
def test_primal_formula(b, damping):
    """Fewer and more rows than inputs; the other form of the formula, by an explicit inverse, to 1e-12."""
    torch.manual_seed(0)
    layer = IsaacNewton(6, 4, damping).double()
    a, g = random(b, 6), random(b, 4, seed=1)
    by_input, by_weight, by_bias = gradients(layer, a, g)
    dual = g.mT @ torch.linalg.inv(torch.eye(b, dtype=a.dtype) + a @ a.mT / (b * damping)) @ a
    primal = g.mT @ a @ torch.linalg.inv(torch.eye(6, dtype=a.dtype) + a.mT @ a / (b * damping))
    for formula in (dual, primal):
        assert (by_weight - formula).abs().max() <= 1e-12 * (1 + formula.abs().max())
    torch.testing.assert_close(by_input, g @ layer.weight)
    torch.testing.assert_close(by_bias, g.sum(0))


def test_large_damping_is_the_ordinary_gradient():
    torch.manual_seed(0)
    layer = IsaacNewton(5, 3, 1e12).double()
    plain = nn.Linear(5, 3).double()
    plain.load_state_dict(layer.state_dict())
    a, g = random(2, 4, 5), random(2, 4, 3, seed=1)
    for ours, theirs in zip(gradients(layer, a, g), gradients(plain, a, g), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(a), plain(a))


def test_damping_to_zero_is_least_squares():
    """With the squared error one step of rate 1 / b and no damping lands on the least-squares solution."""
    a, y = random(30, 4), random(30, 2, seed=1)
    layer = IsaacNewton(4, 2, 1e-10, bias=False).double()
    loss = 0.5 * (layer(a) - y).square().sum()
    (step,) = torch.autograd.grad(loss, layer.weight)
    best = torch.linalg.lstsq(a, y).solution.mT
    torch.testing.assert_close(layer.weight - step / (30 * 1e-10), best, rtol=1e-5, atol=1e-5)


def test_replace_shares_parameters():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2, bias=False)))
    model.append(model[0])  # the same layer twice
    parameters = {name: id(p) for name, p in model.named_parameters()}
    assert IsaacNewton.replace(model, 0.5) is model
    assert {name: id(p) for name, p in model.named_parameters()} == parameters
    assert all(type(model[i]) is IsaacNewton for i in (0, 3)) and model[0] is model[3]
    assert model[2][0].damping == 0.5 and model[2][0].bias is None
    bare = nn.Linear(2, 2).eval()
    twin = IsaacNewton.replace(bare)
    assert twin.weight is bare.weight and not twin.training


def test_empty_batch_half_and_frozen():
    layer = IsaacNewton(3, 2)
    layer(torch.zeros(0, 3)).sum().backward()
    assert (layer.weight.grad == 0).all()
    half = IsaacNewton(3, 2, dtype=torch.bfloat16)
    half(torch.ones(4, 3, dtype=torch.bfloat16)).sum().backward()
    assert half.weight.grad.dtype == torch.bfloat16 and half.weight.grad.isfinite().all()
    layer.weight.requires_grad_(False)
    x = torch.ones(1, 3, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0, keepdim=True))


def test_second_derivatives_are_refused():
    layer = IsaacNewton(3, 2)
    (g,) = torch.autograd.grad(layer(torch.ones(1, 3)).square().sum(), layer.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_copies():
    layer = IsaacNewton(3, 2, 0.25)
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert repr(twin) == repr(layer) and "damping=0.25" in repr(twin)
        torch.testing.assert_close(twin.weight, layer.weight)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: IsaacNewton(2, 2, 0.0), ValueError),
        (lambda: IsaacNewton.replace(nn.ReLU()), ValueError),
        (lambda: IsaacNewton.replace("model"), TypeError),
    ],
)
def test_wrong_arguments(make, error):
    with pytest.raises(error):
        make()
