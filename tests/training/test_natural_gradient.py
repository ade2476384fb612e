"""Natural gradients: exact Fisher products, the step of a dense solver, invariance, damping, line search."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from algonets.training import Backtracking, BernoulliOutput, CategoricalOutput, GaussianOutput, NaturalGradient
from algonets.training._conjugate_gradients import conjugate_gradients
from algonets.training._fisher import Curvature, adapted, pack
from tests.training.networks import dense_fisher, perceptron, random

X, Y = random(12, 4), torch.arange(12) % 3


def classify(model, x=X, y=Y):
    def closure():
        outputs = model(x)
        return functional.cross_entropy(outputs, y), outputs

    return closure


@pytest.mark.parametrize("law", [CategoricalOutput(), BernoulliOutput(), GaussianOutput(0.7)])
def test_products_equal_the_dense_fisher_information(law):
    model = perceptron(4, 3, 3)
    loss, outputs = classify(model)()
    local = Curvature(list(model.parameters()), loss, outputs, law)
    dense = dense_fisher(model, X, law)
    products = torch.stack([local.product(unit) for unit in torch.eye(len(dense), dtype=dense.dtype)])
    torch.testing.assert_close(products, dense)


def test_a_step_equals_that_of_a_dense_solver():
    model = perceptron(4, 3, 3)
    parameters = list(model.parameters())
    before = pack(parameters).detach()
    gradient = pack(torch.autograd.grad(classify(model)()[0], parameters))
    dense = dense_fisher(model, X, CategoricalOutput()) + 0.01 * torch.eye(len(before), dtype=before.dtype)
    optimizer = NaturalGradient(parameters, CategoricalOutput(), 0.5, 0.01, max_iterations=200, tolerance=1e-13)
    value = optimizer.step(classify(model))
    assert value == pytest.approx(classify(perceptron(4, 3, 3))()[0].item())
    torch.testing.assert_close(pack(parameters).detach(), before - 0.5 * torch.linalg.solve(dense, gradient))


class Reparametrised(nn.Module):
    """``x W^T + b`` with ``W = A V``: the same functions, other parameters."""

    def __init__(self, weight, bias, mix):
        super().__init__()
        self.v = nn.Parameter(torch.linalg.solve(mix, weight.detach()))
        self.bias = nn.Parameter(bias.detach() / 7)
        self.mix = mix

    def forward(self, x):
        return functional.linear(x, self.mix @ self.v, 7 * self.bias)


def change_of_outputs(model, optimizer, x, y):
    def closure():
        outputs = model(x)
        return 0.5 * (outputs - y).square().sum(-1).mean(), outputs

    before = model(x).detach()
    if isinstance(optimizer, NaturalGradient):
        optimizer.step(closure)
    else:
        closure()[0].backward()
        optimizer.step()
    return model(x).detach() - before


def test_outputs_move_the_same_way_under_a_reparametrisation():
    """Relative difference of the change of outputs: below 1e-5 for natural gradient, of order 1 for plain."""
    x, y = random(60, 3), random(60, 2, seed=1)
    found = {}
    for name in ("natural", "plain"):
        changes = []
        for twin in (False, True):
            model = perceptron(3, 3, 2)
            if twin:
                mix = torch.eye(3, dtype=x.dtype) + 2 * random(3, 3, seed=2)
                model[0] = Reparametrised(model[0].weight, model[0].bias, mix)
            optimizer = (
                NaturalGradient(model.parameters(), GaussianOutput(), 1e-4, 1e-11, 500, 1e-14)
                if name == "natural"
                else torch.optim.SGD(model.parameters(), 1e-4)
            )
            changes.append(change_of_outputs(model, optimizer, x, y))
        found[name] = ((changes[1] - changes[0]).norm() / changes[0].norm()).item()
    assert found["natural"] < 1e-5
    assert found["plain"] > 0.3


def test_linear_regression_takes_one_step():
    x, y = random(20, 3), random(20, 2, seed=1)
    model = perceptron(3, 2)
    change_of_outputs(model, NaturalGradient(model.parameters(), GaussianOutput(), 1.0, 1e-12, 100, 1e-14), x, y)
    design = torch.cat([x, x.new_ones(20, 1)], 1)
    torch.testing.assert_close(model(x).detach(), design @ torch.linalg.lstsq(design, y).solution)


def test_it_trains_and_its_damping_is_saved():
    model = perceptron(4, 8, 3)
    optimizer = NaturalGradient(
        model.parameters(), CategoricalOutput(), damping=1.0, adaptive=True, line_search=Backtracking()
    )
    losses = [optimizer.step(classify(model)).item() for _ in range(30)]
    assert all(b <= a for a, b in itertools.pairwise(losses)) and losses[-1] < 0.01
    assert optimizer.damping < 1.0
    other = NaturalGradient(perceptron(4, 8, 3).parameters(), CategoricalOutput())
    other.load_state_dict(optimizer.state_dict())
    assert other.damping == optimizer.damping


def test_line_search_restores_what_it_refuses():
    model = perceptron(4, 3, 3)
    before = pack(list(model.parameters())).detach().clone()
    stuck = Backtracking(max_trials=1, sufficient=0.999999)
    NaturalGradient(model.parameters(), CategoricalOutput(), 1e6, 1e-3, line_search=stuck).step(classify(model))
    assert torch.equal(pack(list(model.parameters())).detach(), before)


def test_groups_have_their_own_rates_and_idle_parameters_stay():
    model = perceptron(4, 3, 3)
    idle = nn.Parameter(torch.ones(2, dtype=torch.float64))
    first = model[0].weight.detach().clone()
    groups = [{"params": list(model[0].parameters()), "lr": 1e-300}, {"params": [*model[2].parameters(), idle]}]
    NaturalGradient(groups, CategoricalOutput(), 1.0, 1e-2).step(classify(model))
    torch.testing.assert_close(model[0].weight.detach(), first)
    assert (idle == 1).all()


def test_conjugate_gradients():
    a = random(5, 5)
    matrix = a @ a.mT + torch.eye(5, dtype=a.dtype)
    b = random(3, 5, seed=1)
    b[1] = 0
    found = conjugate_gradients(lambda v: v @ matrix, b, 50, 1e-14)
    torch.testing.assert_close(found.x, torch.linalg.solve(matrix, b.mT).mT)
    assert found.iterations[1] == 0 and (found.residual < 1e-10).all()
    warm = conjugate_gradients(lambda v: v @ matrix, b, 50, 1e-12, start=found.x)
    assert warm.iterations.max() <= 1


def test_backtracking():
    search = Backtracking()
    assert search(lambda t: (1 - t) ** 2, 1.0, -2.0) == 1.0
    assert search(lambda t: math.nan if t > 0.3 else 1 - t, 1.0, -1.0) == 0.25
    assert search(lambda t: 1.0 + t, 1.0, -1.0) == 0.0
    with pytest.raises(ValueError, match="must be negative"):
        search(lambda t: t, 0.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Backtracking(shrink=1.0)


def test_damping_follows_the_model():
    assert adapted(1.0, -0.9, -1.0) < 1 < adapted(1.0, -0.1, -1.0)
    assert adapted(1.0, math.nan, -1.0) > 1 and adapted(1.0, -0.5, -1.0) == 1


@pytest.mark.parametrize(
    ("change", "error", "rule"),
    [
        ({"law": "softmax"}, TypeError, "must be an OutputDistribution"),
        ({"lr": 0.0}, ValueError, "positive"),
        ({"damping": -1.0}, ValueError, "positive"),
        ({"max_iterations": 0}, ValueError, "at least 1"),
    ],
)
def test_wrong_arguments(change, error, rule):
    with pytest.raises(error, match=rule):
        NaturalGradient(perceptron(2, 2).parameters(), **({"law": CategoricalOutput()} | change))


def test_wrong_closures():
    model = perceptron(4, 3)
    optimizer = NaturalGradient(model.parameters(), CategoricalOutput())
    for closure in (None, lambda: classify(model)()[0], lambda: (1.0, 2.0)):
        with pytest.raises(TypeError, match=r"\(loss, outputs\)"):
            optimizer.step(closure)
    with pytest.raises(ValueError, match="differentiable scalar"):
        optimizer.step(lambda: (torch.tensor(1.0), model(X)))
    with pytest.raises(ValueError, match="finite"):
        optimizer.step(lambda: (model(X).sum() * math.inf, model(X)))
