"""What theta forbids, by a cost of +inf or a score of -inf: the solver meets it, and no gradient comes from it."""

import math

import pytest
import torch

import algonets as an
from algonets.distributions import Gaussian
from algonets.gradients import (
    FrankWolfe,
    Identity,
    ImplicitMLE,
    Interpolated,
    Perturbed,
    Pushforward,
    SolverWarning,
    StraightThrough,
)
from algonets.losses import (
    FenchelYoung,
    Imitation,
    LearningToRank,
    NoiseContrastive,
    Perceptron,
    PerturbationGradient,
    SolutionPool,
    SPOPlus,
    StructuredHinge,
    normalised_regret,
    regret,
)
from tests.gradients.solvers import argmax

PATH = an.graph.GridPath(8, negative="clamp")
WALLS = torch.zeros(2, 4, 4, dtype=torch.bool)
WALLS[0, 1, :3] = WALLS[1, 2, 1:] = True


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(seed=0):
    return (0.1 + torch.rand(2, 4, 4, generator=rng(seed), dtype=torch.float64)).masked_fill(WALLS, math.inf)


LAYERS = {
    "difference": Perturbed(PATH, Gaussian(0.3), 6),
    "score": Perturbed(PATH, Gaussian(0.3), 6, "score"),
    "quasi": Perturbed(PATH, Gaussian(0.3), 6, "score", quasi=True),
    "multiplicative": Perturbed(PATH, Gaussian(0.3), 6, multiplicative=True),
    "blackbox": Interpolated(PATH, 5.0),
    "relative": Interpolated(PATH, 0.5, relative=True, symmetric=True),
    "imle": ImplicitMLE(PATH, 3, 5.0),
    "adaptive": ImplicitMLE(PATH, 3, adaptive=True, symmetric=True),
    "identity": Identity(PATH),
    "frank-wolfe": FrankWolfe(PATH),
    "straight-through": StraightThrough(PATH, lambda c: torch.softmax(-c.flatten(1), -1).reshape(c.shape)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_pass_walls_on_and_give_them_no_gradient(name):
    costs = maps().requires_grad_()
    y = LAYERS[name](costs, generator=rng())
    assert y.isfinite().all() and (y[WALLS] == 0).all()
    assert (y[:, 0, 0] > 0.99).all() and (y[:, 3, 3] > 0.99).all()
    pull = torch.randn(2, 4, 4, generator=rng(1), dtype=torch.float64)
    (slope,) = torch.autograd.grad(y, costs, pull)
    assert slope.isfinite().all() and (slope[WALLS] == 0).all()
    assert (slope[~WALLS] != 0).any()


@pytest.mark.parametrize("name", ["difference", "score", "blackbox", "imle", "frank-wolfe"])
def test_walls_are_the_limit_of_high_costs(name):
    far = maps().masked_fill(WALLS, 1e4)
    found = []
    for costs in (maps(), far):
        given = costs.requires_grad_()
        y = LAYERS[name](given, generator=rng())
        found.append((y.detach(), torch.autograd.grad(y.square().sum(), given)[0].masked_fill(WALLS, 0.0)))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))


def test_losses_with_walls():
    true, theta = maps(3), maps(4)
    y = PATH(true)
    by_solution = [Perceptron(PATH), StructuredHinge(PATH, margin=0.2)]
    by_solution += [FenchelYoung(LAYERS["difference"]), FenchelYoung(FrankWolfe(PATH)), Imitation(LAYERS["imle"])]
    calls = [(loss, (y,)) for loss in by_solution]
    calls += [(SPOPlus(PATH), (true, y)), (SPOPlus(PATH), (true,)), (PerturbationGradient(PATH), (true,))]
    for loss, labels in calls:
        given = theta.clone().requires_grad_()
        value = loss(given, *labels)
        value.backward()
        assert value.isfinite() and given.grad.isfinite().all() and (given.grad[WALLS] == 0).all(), loss
    assert (regret(PATH, theta, true) >= 0).all() and normalised_regret(PATH, theta, true).isfinite()
    assert torch.equal(regret(PATH, theta, true), regret(PATH, theta, true.masked_fill(WALLS, 7.0)))


def test_labels_and_pools_must_not_use_what_is_forbidden():
    theta = maps()
    free = PATH(torch.ones(2, 4, 4, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"Perceptron\(theta\) must not forbid what y uses"):
        Perceptron(PATH)(theta, free)
    pool = SolutionPool(PATH, free)
    for loss, label in ((NoiseContrastive(pool), PATH(theta)), (LearningToRank(pool), theta)):
        with pytest.raises(ValueError, match=r"\(theta\) must not forbid what a solution of the pool uses"):
            loss(theta, label)
    with pytest.raises(ValueError, match=r"SPOPlus\(cost\) must be finite.*theta must forbid"):
        SPOPlus(PATH)(maps().nan_to_num(posinf=1.0), maps())


def test_a_closed_map_is_masked_and_other_infinities_are_refused():
    costs = maps()
    costs[1, 2] = math.inf
    for layer in (LAYERS["difference"], LAYERS["blackbox"], LAYERS["identity"], LAYERS["frank-wolfe"]):
        given = costs.clone().requires_grad_()
        with pytest.warns(SolverWarning):
            y = layer(given, generator=rng())
            y.square().sum().backward()
        assert (y[1] == 0).all() and (given.grad[1] == 0).all() and (y[0].sum() > 3)
    for number in (-math.inf, math.nan):
        costs[0, 0, 1] = number
        with pytest.raises(ValueError, match=r"Perturbed\(theta\) must be finite, or \+inf for what is forbidden"):
            Perturbed(PATH)(costs)
    with pytest.raises(ValueError, match=r"must be finite, or -inf"):
        Interpolated(argmax)(torch.tensor([math.inf, 0.0]))


def test_forbidden_scores_of_an_argmax():
    theta = torch.tensor([[0.5, -math.inf, 0.2], [-math.inf, 0.1, 0.3]], requires_grad=True)
    y = Perturbed(argmax, Gaussian(1.0), 50)(theta, generator=rng())
    assert y[0, 1] == 0 and y[1, 0] == 0
    expected = Pushforward(Perturbed(argmax, Gaussian(1.0), 50, "score"), lambda y: y[..., 0])(theta, generator=rng())
    expected.sum().backward()
    assert expected[1] == 0 and theta.grad.isfinite().all() and theta.grad[0, 1] == 0
    centred = Identity(argmax, "mean")
    (slope,) = torch.autograd.grad(centred(theta)[0, 0], theta)
    assert torch.allclose(slope[0], torch.tensor([0.5, 0.0, -0.5]))


def test_the_default_projection_keeps_costs_positive():
    assert Identity(PATH).projection == "norm" and Identity(argmax).projection == "standardise"
    seen = []

    class Watched:
        sense, event_dims = "min", 2

        def __call__(self, costs):
            seen.append(costs)
            return PATH(costs)

    costs = maps()
    assert torch.equal(Identity(Watched())(costs), PATH(costs)) and (seen[0] > 0).all()
