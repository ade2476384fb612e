"""The other layers: interpolation, implicit MLE, identity, Frank-Wolfe, straight-through, smoothing, pushforward."""

import math

import pytest
import torch

from algonets.distributions import Cauchy, Gaussian, GumbelMax, Laplace, Logistic, Uniform
from algonets.gradients import (
    FrankWolfe,
    Identity,
    ImplicitMLE,
    Interpolated,
    Perturbed,
    Pushforward,
    Smoothed,
    SolverWarning,
    StraightThrough,
    SumOfGamma,
)
from algonets.gradients._problem import count_calls
from tests.gradients.solvers import argmax, best_vertex, cheapest, matching, permutations, topk

THETA = torch.tensor([[0.3, -0.2, 0.8, 0.1], [1.0, 0.9, -1.0, 0.0]], dtype=torch.float64)
PULL = torch.tensor([[1.0, -0.5, 0.3, 2.0], [0.2, 1.1, -0.7, 0.0]], dtype=torch.float64)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def slope(layer, theta=THETA, pull=PULL, seed=0):
    given = theta.clone().requires_grad_()
    y = layer(given, generator=rng(seed))
    return torch.autograd.grad((y * pull).sum(), given)[0]


# ---- interpolation


def test_interpolation_by_hand():
    for lam in (0.3, 5.0):
        low = argmax(THETA - lam * PULL)
        assert torch.allclose(slope(Interpolated(argmax, lam)), (argmax(THETA) - low) / lam)
        both = (argmax(THETA + lam * PULL) - low) / (2 * lam)
        assert torch.allclose(slope(Interpolated(argmax, lam, symmetric=True)), both)
        assert torch.equal(slope(Interpolated(cheapest, lam), theta=-THETA), -slope(Interpolated(argmax, lam)))


def test_a_relative_step_does_not_depend_on_scales():
    layer = Interpolated(argmax, 2.0, relative=True)
    assert torch.allclose(slope(layer, pull=1000 * PULL), 1000 * slope(layer))
    assert torch.allclose(slope(layer, theta=1000 * THETA), slope(layer) / 1000)
    assert slope(layer, theta=0 * THETA).isfinite().all() and (slope(layer, pull=0 * PULL) == 0).all()


def test_signs_are_kept():
    seen = []

    def watched(theta):
        seen.append(theta)
        return argmax(-theta)

    watched.sense = "min"
    slope(Interpolated(watched, 10.0, keep_sign=True), theta=THETA.abs())
    assert all((theta >= 0).all() for theta in seen)
    slope(Interpolated(watched, 10.0), theta=THETA.abs())
    assert (seen[-1] < 0).any()


# ---- implicit MLE


def test_sum_of_gamma_sums_to_gumbel():
    k = 4
    z = SumOfGamma(k, terms=60).sample((20000, k), generator=rng(), dtype=torch.float64).sum(-1)
    assert abs(z.mean() - 0.5772) < 0.03 and abs(z.var() - math.pi**2 / 6) < 0.06
    half = SumOfGamma(k, 0.5).sample((7, 2), generator=rng())
    assert torch.allclose(2 * half, SumOfGamma(k).sample((7, 2), generator=rng()))
    with pytest.raises(ValueError, match=r"SumOfGamma\(k\) must be positive"):
        SumOfGamma(0)


@pytest.mark.parametrize("symmetric", [False, True])
def test_implicit_mle_tends_to_the_softmax(symmetric):
    """With Gumbel noise and a short step the gradient is that of a softmax: two sample counts."""
    given = THETA.clone().requires_grad_()
    (given.softmax(-1) * PULL).sum().backward()
    errors = []
    for samples in (500, 50000):
        layer = ImplicitMLE(argmax, samples, 0.1, GumbelMax(), symmetric=symmetric)
        errors.append((slope(layer) - given.grad).norm().item())
    assert errors[1] < 0.3 * errors[0] or errors[1] < 0.02
    assert errors[1] < 0.05


def test_adaptive_steps_find_the_wanted_sparsity():
    layer = ImplicitMLE(argmax, 1, 1e-3, adaptive=True, target=1.0, rate=0.05)
    theta = torch.randn(64, 6, generator=rng())
    pull = torch.randn(64, 6, generator=rng(1))
    counts = [(slope(layer, theta, pull, seed) != 0).sum(-1).double().mean().item() for seed in range(80)]
    assert sum(counts[:3]) / 3 < 0.3 and abs(sum(counts[-20:]) / 20 - 1.0) < 0.35
    assert layer.alpha > 1e-3 and "adaptive=True" in repr(layer)
    fixed = ImplicitMLE(argmax, 1, 5.0)
    assert not list(fixed.state_dict())


# ---- identity


def test_identity_and_its_projections():
    assert torch.equal(slope(Identity(argmax, "none")), PULL)
    assert torch.equal(slope(Identity(cheapest, "none")), -PULL)
    assert torch.allclose(slope(Identity(argmax, "mean")), PULL - PULL.mean(-1, keepdim=True))
    for projection in ("norm", "standardise"):
        found = slope(Identity(argmax, projection))
        centred = THETA - THETA.mean(-1, keepdim=True) if projection == "standardise" else THETA
        assert (found * centred).sum(-1).abs().max() < 1e-12  # a longer theta makes no difference
    assert slope(Identity(argmax), theta=torch.ones_like(THETA)).isfinite().all()


# ---- Frank-Wolfe


def test_frank_wolfe_projects_onto_the_hull():
    """The point minus the projection is normal to it: no vertex lies beyond; and the gradient is right."""
    vertices = permutations(4)
    theta = torch.randn(2, 4, 4, generator=rng(), dtype=torch.float64)
    for temperature in (0.1, 1.0, 10.0):
        layer = FrankWolfe(matching, temperature)
        mu = layer(theta)
        assert torch.allclose(mu.sum(-1), torch.ones(2, 4, dtype=torch.float64)) and (mu > -1e-12).all()
        normal = (theta / temperature - mu).flatten(1)
        assert (normal @ (vertices.flatten(1).mT) - (normal * mu.flatten(1)).sum(-1, keepdim=True)).max() < 1e-9
        assert torch.autograd.gradcheck(layer, theta.clone().requires_grad_(), fast_mode=True)
        y, weights = layer.atoms(theta)
        assert torch.allclose((weights[..., None, None] * y).sum(0), mu) and (weights >= -1e-12).all()
    assert torch.equal(FrankWolfe(matching, 1e-3)(theta).round(decimals=9), matching(theta))  # the hard limit


def test_frank_wolfe_of_costs_and_its_temperature():
    assert torch.allclose(FrankWolfe(cheapest)(-THETA), FrankWolfe(argmax)(THETA))
    temperature = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: FrankWolfe(argmax, t)(THETA), temperature)
    square = torch.eye(2, dtype=torch.float64)
    flat = torch.stack([square[0], square[1], square.sum(0), 0 * square[0]])
    box = FrankWolfe(lambda theta: best_vertex(theta, flat))  # a box: entries are clipped
    theta = torch.tensor([[0.3, 0.8], [1.7, -2.0]], dtype=torch.float64)
    assert torch.allclose(box(theta), theta.clamp(0, 1))
    weighted = FrankWolfe(lambda theta: best_vertex(theta, flat), weights=torch.tensor([2.0, 1.0]))
    assert torch.allclose(weighted(theta), (theta / torch.tensor([2.0, 1.0])).clamp(0, 1))
    for wrong in (torch.ones(3), torch.ones(1, 1, 2)):
        with pytest.raises(ValueError, match=r"FrankWolfe\(weights\) must broadcast against one problem, \(2,\)"):
            FrankWolfe(argmax, weights=wrong)(theta)


def test_frank_wolfe_says_when_it_stops_early():
    with pytest.warns(SolverWarning, match="did not converge in 2 iterations"):
        FrankWolfe(argmax, 10.0, iterations=2)(THETA)
    with count_calls() as counter:
        FrankWolfe(argmax)(torch.tensor([[9.0, 0.0, 0.0], [0.1, 0.0, 0.0]]))
    assert counter.calls <= 2 + 2 + 3  # the first is done after two calls, whatever the second needs


# ---- straight through, smoothing, pushforward


def test_straight_through():
    soft = FrankWolfe(argmax)
    layer = StraightThrough(argmax, soft)
    assert torch.equal(layer(THETA), argmax(THETA)) and torch.equal(slope(layer), slope(soft))
    with pytest.raises(ValueError, match="soft must return the shape of theta"):
        StraightThrough(argmax, lambda theta: theta.sum(-1))(THETA)


@pytest.mark.parametrize("law", [Gaussian(0.7), Logistic(0.4), Laplace(0.5), Cauchy(0.3), GumbelMax(0.5)])
@pytest.mark.parametrize("options", [{}, {"antithetic": True}, {"quasi": True}, {"baseline": "none"}])
def test_smoothed_steps_are_distribution_functions(law, options):
    """``E 1(x + Z > 0)`` is the survival at -x, its slope the density: two sample counts."""
    x = torch.tensor([[-0.5], [0.1], [0.9]], dtype=torch.float64)
    errors = []
    for samples in (100, 20000):
        given = x.clone().requires_grad_()
        y = Smoothed(lambda v: (v > 0).double(), law, samples, **options)(given, generator=rng(samples))
        (found,) = torch.autograd.grad(y.sum(), given)
        errors.append(((y - law.survival(-x)).abs().max().item(), (found - law.pdf(-x)).abs().max().item()))
    assert errors[1][0] < 0.02 and errors[1][1] < 0.06 and errors[1][1] < errors[0][1] + 0.01


def test_smoothed_functions_of_any_shape():
    def fn(x, shift):
        return torch.stack([(x.sum(-1) + shift).sign(), x[:, 0].round()], -1).unsqueeze(1)

    x = torch.randn(2, 3, 4, generator=rng(), requires_grad=True)
    y = Smoothed(fn, samples=6)(x, shift=torch.zeros(2, 3), generator=rng())
    assert y.shape == (2, 3, 1, 2)
    y.sum().backward()
    assert x.grad.shape == x.shape and x.grad.abs().sum() > 0
    holes = Smoothed(lambda v: torch.where(v[:, 0] > 0, torch.nan, 1.0), samples=50)
    assert holes(torch.zeros(1, 1), generator=rng()) == 1.0  # failed samples are left out
    assert holes(torch.full((1, 1), 100.0), generator=rng()) == 0.0
    with pytest.raises(ValueError, match="must return a value for each of 12 arguments"):
        Smoothed(lambda v: v.sum(), samples=4)(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"Smoothed\(distribution\) must have a density without a jump"):
        Smoothed(fn, Uniform())


@pytest.mark.parametrize("layer", [Perturbed(argmax, GumbelMax(), 30000, "score"), FrankWolfe(argmax)])
def test_pushforward_is_the_expected_cost(layer):
    price = torch.tensor([3.0, -1.0, 0.5, 2.0], dtype=torch.float64)

    def cost(y):
        return torch.floor(2 * (y @ price) ** 2)  # no gradient by itself

    expected = torch.softmax if isinstance(layer, Perturbed) else lambda theta, dim: FrankWolfe(argmax)(theta)
    given, other = THETA.clone().requires_grad_(), THETA.clone().requires_grad_()
    truth = (expected(other, -1) * cost(torch.eye(4, dtype=torch.float64))).sum(-1)
    found = Pushforward(layer, cost)(given, generator=rng())
    tolerance = 0.15 if isinstance(layer, Perturbed) else 1e-9
    assert (found - truth).abs().max() < tolerance
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64)
    (found * weights).sum().backward()
    (truth * weights).sum().backward()
    assert (given.grad - other.grad).abs().max() < 3 * tolerance


def test_pushforward_errors():
    with pytest.raises(TypeError, match=r"Pushforward\(layer\) must be a Perturbed or FrankWolfe layer"):
        Pushforward(Interpolated(argmax), torch.sum)
    with pytest.raises(ValueError, match="Use gradient='score'"):
        Pushforward(Perturbed(argmax), torch.sum)
    with pytest.raises(ValueError, match=r"cost must return a tensor of shape \(4, 2\) or more"):
        Pushforward(Perturbed(argmax, samples=4, gradient="score"), torch.sum)(THETA, generator=rng())


@pytest.mark.parametrize(
    "layer",
    [
        Perturbed(argmax, Gaussian(), 4),
        Perturbed(argmax, Gaussian(), 4, "score"),
        Interpolated(topk, 3.0),
        ImplicitMLE(argmax, 2, 3.0),
        Identity(argmax),
        FrankWolfe(argmax),
    ],
)
def test_layers_compose_with_functional_transforms(layer):
    """A gradient inside ``torch.func.grad`` is the same; that of a batch is that of its examples."""
    fixed = layer(THETA, generator=rng())
    whole = torch.func.grad(lambda theta: (layer(theta, generator=rng()) * PULL).sum())(THETA)
    assert torch.equal(whole, slope(layer)) and fixed.shape == THETA.shape
    empty = torch.zeros(0, 4, requires_grad=True)
    layer(empty, generator=rng()).sum().backward()
    assert empty.grad.shape == (0, 4)
