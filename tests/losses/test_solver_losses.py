"""Losses around solvers: by enumeration, on costs and scores; and every layer and loss must learn."""

import functools
import warnings

import pytest
import torch

import algonets as an
from algonets.distributions import Gaussian, GumbelMax
from algonets.gradients import (
    FrankWolfe,
    Identity,
    ImplicitMLE,
    Interpolated,
    Perturbed,
    Pushforward,
    Solver,
    StraightThrough,
)
from algonets.losses import (
    FenchelYoung,
    Imitation,
    LearningToRank,
    MAPContrastive,
    NoiseContrastive,
    Perceptron,
    PerturbationGradient,
    SolutionPool,
    SPOPlus,
    StructuredHinge,
    normalised_regret,
    optimality_ratio,
    regret,
)
from tests.gradients.solvers import Cheapest, argmax, cheapest, matching, permutations, ranking, topk

MATCHINGS = permutations(3)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def slope(loss, theta, *labels, **options):
    given = theta.clone().requires_grad_()
    return torch.autograd.grad(loss(given, *labels, **options), given)[0]


def test_gumbel_fenchel_young_is_cross_entropy():
    theta, label = torch.randn(5, 4, generator=rng()).double(), torch.tensor([0, 3, 1, 1, 2])
    y = torch.eye(4)[label].double()
    loss = FenchelYoung(Perturbed(argmax, GumbelMax(), 20000))
    given = theta.clone().requires_grad_()
    torch.nn.functional.cross_entropy(given, label).backward()
    assert (slope(loss, theta, y, generator=rng()) - given.grad).abs().max() < 0.005
    euler = 0.5772156649
    assert abs(loss(theta, y, generator=rng()) - torch.nn.functional.cross_entropy(theta, label) - euler) < 0.02


def test_fenchel_young_gradients():
    theta = torch.randn(3, 3, 3, generator=rng(), dtype=torch.float64)
    y = MATCHINGS[[0, 3, 5]]
    for layer in (
        FrankWolfe(matching, 0.7),
        Perturbed(matching, Gaussian(0.5), 5),
        Perturbed(matching, Gaussian(0.5), 4, multiplicative=True),
        ImplicitMLE(matching, 4),
    ):
        loss = FenchelYoung(layer, reduction="none")
        given = theta.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda t, loss=loss: loss(t, y, generator=rng()), given)
        value, found = loss(theta, y, generator=rng(), return_solution=True)
        assert value.shape == (3,)
        steep = slope(lambda t, loss=loss: loss(t, y, generator=rng()).sum(), theta)
        assert torch.allclose(steep, found - y)
    loss = FenchelYoung(FrankWolfe(matching, 0.7), reduction="none")
    assert (loss(theta, y) > 0).all()
    assert loss(20 * (y - 0.5), y).abs().max() < 1e-12  # the label wins by far


def test_costs_are_negative_scores():
    theta = torch.randn(4, 5, generator=rng(), dtype=torch.float64)
    true = torch.randn(4, 5, generator=rng(1), dtype=torch.float64)
    y = argmax(true)
    pools = [SolutionPool(solver, torch.eye(5), grow=0.0) for solver in (argmax, cheapest)]
    pairs = [
        (Perceptron, y, y),
        (StructuredHinge, y, y),
        (SPOPlus, true, -true),
        (PerturbationGradient, true, -true),
        (lambda s: FenchelYoung(FrankWolfe(s)), y, y),
        (lambda s: FenchelYoung(Perturbed(s, Gaussian(), 6)), y, y),
        (lambda s: NoiseContrastive(pools[s is cheapest]), y, y),
        (lambda s: MAPContrastive(pools[s is cheapest]), y, y),
        (lambda s: LearningToRank(pools[s is cheapest]), true, -true),
        (lambda s: Imitation(Interpolated(s, 3.0)), y, y),
    ]
    for make, up, down in pairs:
        more = {"generator": rng()} if "generator" in make(argmax).forward.__code__.co_varnames else {}
        high = make(argmax)(theta, up, **more)
        more = {"generator": rng()} if more else {}
        assert torch.allclose(high, make(cheapest)(-theta, down, **more)), make(argmax)


def test_hinge_by_enumeration_with_a_cost_of_ones_own():
    theta = torch.randn(3, 3, generator=rng(), dtype=torch.float64)
    y = MATCHINGS[2]

    def far(y):
        weights = torch.zeros_like(y)
        weights[:, 0] = 2 * (1 - y[:, 0])  # only the first row counts
        return weights, y.new_zeros(len(y))

    loss = StructuredHinge(matching, far, margin=1.5)(theta, y)
    truth = max((theta * v).sum() + 1.5 * 2 * (v[0] * (1 - y[0])).sum() for v in MATCHINGS) - (theta * y).sum()
    assert torch.allclose(loss, truth)


def test_spo_plus_bounds_the_regret():
    theta = torch.randn(50, 5, generator=rng(), dtype=torch.float64)
    cost = torch.rand(50, 5, generator=rng(1), dtype=torch.float64)
    bound = SPOPlus(cheapest, reduction="none")(theta, cost)
    assert (bound >= regret(cheapest, theta, cost) - 1e-12).all()
    assert SPOPlus(cheapest)(cost, cost).abs() < 1e-12
    assert torch.allclose(SPOPlus(cheapest)(theta, cost), SPOPlus(cheapest)(theta, cost, cheapest(cost)))


def test_perturbation_gradient_tends_to_the_true_cost():
    theta = torch.randn(20, 5, generator=rng(), dtype=torch.float64)
    cost = torch.rand(20, 5, generator=rng(1), dtype=torch.float64)
    decision = (cost * cheapest(theta)).sum(-1)
    for symmetric in (True, False):
        loss = PerturbationGradient(cheapest, 1e-6, symmetric=symmetric, reduction="none")
        assert torch.allclose(loss(theta, cost), decision, atol=1e-8)


def test_a_whole_pool_makes_a_perceptron():
    theta = torch.randn(6, 3, 3, generator=rng(), dtype=torch.float64)
    y = MATCHINGS[torch.arange(6)]
    pool = SolutionPool(matching, MATCHINGS, grow=0.0)
    assert torch.allclose(MAPContrastive(pool)(theta, y), Perceptron(matching)(theta, y))
    assert torch.allclose(slope(MAPContrastive(pool), theta, y), slope(Perceptron(matching), theta, y))


def test_a_pool_grows_by_what_is_new():
    theta = torch.eye(4)
    pool = SolutionPool(argmax, theta[:1], grow=1.0)
    loss = NoiseContrastive(pool)
    loss(theta[1:3], theta[:2])
    assert len(pool.solutions) == 3
    loss(theta[1:3], theta[:2])
    assert len(pool.solutions) == 3
    other = SolutionPool(argmax, theta[3:], grow=1.0)
    other.load_state_dict(pool.state_dict())
    assert torch.equal(other.solutions, pool.solutions)
    seldom = SolutionPool(argmax, theta[:1], grow=0.3)
    sizes = []
    for seed in range(20):
        fresh = SolutionPool(argmax, theta[:1], grow=seldom.grow)
        MAPContrastive(fresh)(theta[1:2], theta[:1], generator=rng(seed))
        sizes.append(len(fresh.solutions))
    assert 1 < sum(size == 2 for size in sizes) < 13


@pytest.mark.parametrize("kind", ["listwise", "pairwise", "pointwise"])
def test_ranking_is_least_where_the_order_is_right(kind):
    cost = torch.randn(5, 4, generator=rng(), dtype=torch.float64)
    pool = SolutionPool(cheapest, torch.eye(4), grow=0.0)
    loss = LearningToRank(pool, kind)
    assert loss(cost, cost) < loss(-cost, cost)
    assert slope(loss, cost, cost).abs().max() < 1e-9


def test_metrics():
    cost = torch.tensor([[1.0, 2.0, 3.0], [5.0, 4.0, 4.0]])
    theta = torch.tensor([[2.0, 1.0, 3.0], [9.0, 9.0, 0.0]])
    assert torch.equal(regret(cheapest, theta, cost), torch.tensor([1.0, 0.0]))
    assert normalised_regret(cheapest, theta, cost) == pytest.approx(1 / 5)
    assert optimality_ratio(cheapest, theta, cost) == 0.5  # a tie is optimal
    assert torch.equal(regret(argmax, -theta, -cost), torch.tensor([1.0, 0.0]))
    assert torch.equal(regret(cheapest, theta, cost, cheapest(cost)), torch.tensor([1.0, 0.0]))
    assert normalised_regret(cheapest, theta[:0], cost[:0]) == 0
    failing = Solver(lambda t: torch.where(t[:, :1] == 9, torch.nan, 1.0) * cheapest(t), "min")
    with pytest.warns(an.gradients.SolverWarning):
        lost = regret(failing, theta, cost)
    assert lost[0] == 1 and lost[1].isnan()
    with pytest.warns(an.gradients.SolverWarning):
        assert normalised_regret(failing, theta, cost) == 1.0 and optimality_ratio(failing, theta, cost) == 0.0


def test_errors():
    with pytest.raises(
        TypeError, match=r"FenchelYoung\(layer\) must be a layer with a regularised maximum.*Perceptron"
    ):
        FenchelYoung(Interpolated(argmax))
    with pytest.raises(TypeError, match=r"Imitation\(layer\) must be a layer"):
        Imitation(argmax)
    with pytest.raises(TypeError, match=r"NoiseContrastive\(pool\) must be a SolutionPool"):
        NoiseContrastive(argmax)
    with pytest.raises(ValueError, match=r"Perceptron\(y\) must have the shape \(2, 3\) of theta"):
        Perceptron(argmax)(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"SolutionPool\(grow\) must be a probability, got 2"):
        SolutionPool(argmax, torch.eye(3), 2)
    with pytest.raises(ValueError, match=r"must have the shape of the pool, \(3,\)"):
        MAPContrastive(SolutionPool(argmax, torch.eye(3)))(torch.zeros(4), torch.zeros(4))


# ---- pipelines: a hidden linear encoder must be learnt, by every layer, loss and solver (as InferOpt.jl tests)

FEATURES, COUNT, STEPS = 5, 32, 30


class Case:
    """A solver with random linear problems whose true scores are hidden; ``link`` makes them what it takes."""

    def __init__(self, solver, shape, link=lambda scores: scores):
        self.solver, self.shape, self.link = solver, shape, link
        generator = rng(7)
        size = int(torch.tensor(shape).prod())
        self.x = torch.randn(COUNT, FEATURES, generator=generator)
        hidden = torch.randn(FEATURES, size, generator=generator)
        self.true = link((self.x @ hidden).reshape(COUNT, *shape))
        self.y = solver(self.true)
        self.start = 0.5 * torch.randn(FEATURES, size, generator=generator)


CASES = {
    "argmax": Case(argmax, (5,)),
    "cheapest": Case(Cheapest(), (5,)),
    "top-2": Case(functools.partial(topk, k=2), (5,)),
    "ranking": Case(ranking, (4,)),
    "matching": Case(matching, (3, 3)),
    "path over edges": Case(an.graph.ShortestPath.grid(3, 3), (12,)),
    "path over cells": Case(an.graph.GridPath(8, negative="clamp"), (4, 4), torch.nn.functional.softplus),
    "assignment": Case(an.graph.Assignment(), (4, 4)),
    "tree": Case(an.graph.SpanningTree(torch.combinations(torch.arange(4))), (6,)),
    "tour": Case(an.graph.TravellingSalesman(5), (10,)),
    "knapsack": Case(an.graph.Knapsack(torch.tensor([3, 4, 5, 6, 7]), 12), (5,)),
    "cut": Case(
        an.graph.MinCut([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)], negative="clamp"), (5,), torch.nn.functional.softplus
    ),
}
LAYERS = {
    "perturbed": lambda s: Perturbed(s, Gaussian(), 5),
    "perturbed score": lambda s: Perturbed(s, Gaussian(), 20, "score"),
    "perturbed multiplicative": lambda s: Perturbed(s, Gaussian(0.7), 10, multiplicative=True),
    "perturbed gumbel quasi": lambda s: Perturbed(s, GumbelMax(), 5, quasi=True),
    "interpolated": lambda s: Interpolated(s, 1.0, relative=True),
    "interpolated symmetric": lambda s: Interpolated(s, 5.0, symmetric=True),
    "i-mle": lambda s: ImplicitMLE(s, 5, 5.0),
    "i-mle adaptive": lambda s: ImplicitMLE(s, 5, adaptive=True, symmetric=True),
    "identity": Identity,
    "frank-wolfe": lambda s: FrankWolfe(s, 1.0, tolerance=1e-6),
    "straight-through": lambda s: StraightThrough(s, FrankWolfe(s, 1.0, tolerance=1e-6)),
}


def gap_after(case, loss, generator=True, steps=STEPS, rate=0.1):
    """Train the encoder; return its regret before and after."""
    weight = case.start.clone().requires_grad_()
    optimizer = torch.optim.Adam([weight], rate)

    def predicted():
        return case.link((case.x @ weight).reshape(COUNT, *case.shape))

    def gap():
        return normalised_regret(case.solver, predicted().detach(), case.true, case.y).item()

    before, noise = gap(), rng(3)
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(predicted(), generator=noise) if generator else loss(predicted())
        value.backward()
        optimizer.step()
    return before, gap()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layer", LAYERS)
def test_imitation_learns_by_every_layer(name, layer):
    case = CASES[name]
    loss = Imitation(LAYERS[layer](case.solver))
    # A step of fixed length is slow where scores grow.
    steps = 2 * STEPS if layer == "interpolated symmetric" else STEPS
    before, after = gap_after(case, lambda theta, generator: loss(theta, case.y, generator=generator), steps=steps)
    assert after < 0.5 * before, (before, after)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layer", ["perturbed", "perturbed multiplicative", "i-mle", "frank-wolfe"])
def test_fenchel_young_learns_by_every_layer(name, layer):
    case = CASES[name]
    loss = FenchelYoung(LAYERS[layer](case.solver))
    before, after = gap_after(case, lambda theta, generator: loss(theta, case.y, generator=generator))
    assert after < 0.3 * before, (before, after)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layer", ["perturbed score", "frank-wolfe"])
def test_expected_costs_are_learnt(name, layer):
    case = CASES[name]
    sense = -1 if getattr(case.solver, "sense", "max") == "max" else 1
    dims = tuple(range(-len(case.shape), 0))
    push = Pushforward(LAYERS[layer](case.solver), lambda y: sense * (y * case.true).sum(dims))
    before, after = gap_after(case, lambda theta, generator: push(theta, generator=generator).mean())
    assert after < 0.5 * before, (before, after)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "loss", ["perceptron", "hinge", "spo+", "pg", "nce", "map", "listwise", "pairwise", "pointwise"]
)
def test_losses_on_solvers_learn(name, loss):
    case = CASES[name]
    solver = case.solver
    pool = SolutionPool(solver, case.y[:8], grow=0.5)
    losses = {
        "perceptron": lambda theta: Perceptron(solver)(theta, case.y),
        "hinge": lambda theta: StructuredHinge(solver)(theta, case.y),
        "spo+": lambda theta: SPOPlus(solver)(theta, case.true, case.y),
        "pg": lambda theta: PerturbationGradient(solver, 0.5)(theta, case.true),
        "nce": lambda theta: NoiseContrastive(pool)(theta, case.y, generator=noise),
        "map": lambda theta: MAPContrastive(pool)(theta, case.y, generator=noise),
    }
    noise = rng(5)
    for kind in ("listwise", "pairwise", "pointwise"):
        losses[kind] = lambda theta, kind=kind: LearningToRank(pool, kind)(theta, case.true, generator=noise)
    before, after = gap_after(case, losses[loss], generator=False)
    assert after < 0.5 * before, (before, after)


def test_every_layer_of_the_library_takes_a_solver_of_the_library():
    costs = torch.rand(3, 4, 4, generator=rng()) + 0.1
    with an.backend("torch"), warnings.catch_warnings():
        warnings.simplefilter("error")
        path = an.graph.GridPath()
        y = path(costs)
        for layer in (
            Perturbed(path, Gaussian(0.2), 4, multiplicative=True),
            Perturbed(path, Gaussian(0.2), 4, keep_sign=True),
            Interpolated(path, 2.0, keep_sign=True),
            ImplicitMLE(path, 2, 1.0, keep_sign=True),
            Identity(path, "norm"),
        ):
            given = (costs + 0.3 * torch.rand(3, 4, 4, generator=rng(2))).requires_grad_()
            Imitation(layer)(given, y, generator=rng()).backward()
            assert given.grad.isfinite().all()
