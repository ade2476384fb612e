"""Perturbed optimisers: laws, baselines, pairs, quasi-random draws, multiplicative noise, costs, weights."""

import pytest
import torch

from algonets.distributions import ALL, Cauchy, CubicHermite, Exponential, Gamma, Gaussian, GumbelMax, Logistic, Uniform
from algonets.gradients import Perturbed, SumOfGamma
from algonets.gradients._problem import count_calls
from tests.gradients.solvers import argmax, cheapest, matching

THETA = torch.tensor([[0.3, -0.2, 0.8, 0.1], [1.0, 0.9, -1.0, 0.0]], dtype=torch.float64)
PULL = torch.tensor([[1.0, -0.5, 0.3, 2.0], [0.2, 1.1, -0.7, 0.0]], dtype=torch.float64)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def slope(layer, theta=THETA, pull=PULL, seed=0, repeats=1):
    """The gradient of ``<pull, y>``, a mean over ``repeats`` copies of the batch."""
    given = theta.repeat(repeats, *(1,) * (theta.ndim - 1)).requires_grad_()
    (layer(given, generator=rng(seed)) * pull.repeat(repeats, *(1,) * (pull.ndim - 1))).sum().backward()
    return given.grad.reshape(repeats, *theta.shape)


def softmax_slope(temperature=1.0, theta=THETA):
    given = theta.clone().requires_grad_()
    ((given / temperature).softmax(-1) * PULL).sum().backward()
    return given.grad


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_gumbel_argmax_is_a_softmax(scale):
    layer = Perturbed(argmax, GumbelMax(scale), 20000)
    assert (layer(THETA, generator=rng()) - (THETA / scale).softmax(-1)).abs().max() < 0.015
    costs = Perturbed(cheapest, GumbelMax(scale), 20000)  # noise lowers costs: the closed form holds for them, too
    assert (costs(-THETA, generator=rng()) - (THETA / scale).softmax(-1)).abs().max() < 0.015


@pytest.mark.parametrize(
    "options",
    [
        {"gradient": "score"},
        {"gradient": "score", "baseline": "none"},
        {"gradient": "score", "baseline": "solution"},
        {"gradient": "score", "antithetic": True},
        {"gradient": "score", "antithetic": True, "samples": 2},
        {"gradient": "score", "samples": 1},
        {"gradient": "score", "quasi": True},
        {"gradient": "score", "quasi": True, "antithetic": True},
        {"gradient": "difference", "step": 0.3},
        {"gradient": "difference", "step": 0.3, "antithetic": True},
        {"gradient": "difference", "step": 0.3, "quasi": True},
    ],
)
def test_every_estimator_is_unbiased_with_few_samples(options):
    layer = Perturbed(argmax, GumbelMax(), **{"samples": 4, **options})
    found = slope(layer, repeats=3000)
    spread = found.std(0) / len(found) ** 0.5
    tolerance = 5 * spread + (0.02 if options["gradient"] == "difference" else 1e-9)
    assert ((found.mean(0) - softmax_slope()).abs() < tolerance).all()


def test_a_baseline_and_differences_lower_the_variance():
    def variance(**options):
        return slope(Perturbed(argmax, GumbelMax(), 8, **options), repeats=500).var(0).sum().item()

    plain = variance(gradient="score", baseline="none")
    assert variance(gradient="score") < 0.7 * plain
    assert variance(gradient="difference") < 0.3 * plain


def test_the_gradient_stays_bounded_as_the_scale_goes_to_zero():
    for scale in (1e-2, 1e-4):
        found = slope(Perturbed(argmax, Gaussian(scale), 8, "score", baseline="solution"))
        assert (found == 0).all()  # far from a tie nothing changes, and the baseline takes it all away
    assert slope(Perturbed(argmax, Gaussian(1e-4), 8, "score", baseline="none")).abs().max() > 100


def test_costs_are_negative_scores():
    for gradient in ("score", "difference"):
        up = slope(Perturbed(argmax, Gaussian(), 8, gradient))
        down = slope(Perturbed(cheapest, Gaussian(), 8, gradient), theta=-THETA)
        assert torch.equal(up, -down)


@pytest.mark.parametrize("law", [law() for law in ALL])
def test_any_law_serves_differences(law):
    y = Perturbed(argmax, law, 8)(THETA, generator=rng())
    assert torch.allclose(y.sum(-1), torch.ones(2, dtype=torch.float64))
    assert slope(Perturbed(argmax, law, 8)).isfinite().all()


@pytest.mark.parametrize("law", [Cauchy(0.7), Logistic(0.5), CubicHermite(2.0), Gamma(0.7, shape=3.5)])
def test_scores_of_other_laws_agree_with_differences(law):
    score = slope(Perturbed(argmax, law, 16, "score"), repeats=2000)
    difference = slope(Perturbed(argmax, law, 16, step=0.3), repeats=500)
    assert (score.mean(0) - difference.mean(0)).abs().max() < 0.08


@pytest.mark.parametrize("law", [Uniform(), Exponential(), Gamma(shape=1.0), SumOfGamma(2)])
def test_laws_whose_score_misses_a_jump_are_refused(law):
    with pytest.raises((ValueError, TypeError), match=r"Perturbed\(distribution\) must have a"):
        Perturbed(argmax, law, gradient="score")
    Perturbed(argmax, law, gradient="difference")


def test_multiplicative_noise_keeps_signs_and_its_gradient_is_right():
    seen = []

    def watched(theta):
        seen.append(theta)
        return argmax(theta)

    theta = THETA.abs() * torch.tensor([1.0, -1.0, 1.0, 1.0])
    mean = {}
    for gradient in ("score", "difference"):
        layer = Perturbed(watched, Gaussian(0.8), 64, gradient, multiplicative=True, step=0.1)
        mean[gradient] = slope(layer, theta=theta, repeats=600).mean(0)
    assert (torch.cat(seen[:1]).reshape(64, 600, *theta.shape).sign() == theta.sign()).all()
    assert (mean["score"] - mean["difference"]).abs().max() < 0.12
    assert (mean["score"][1, 3] == 0).all()  # a zero stays zero
    step, layer = 0.05, Perturbed(argmax, Gaussian(0.8), 100000, multiplicative=True)
    up, down = theta.clone(), theta.clone()
    up[0, 2] += step
    down[0, 2] -= step
    numeric = ((layer(up, generator=rng()) - layer(down, generator=rng()))[0] * PULL[0]).sum() / (2 * step)
    assert (numeric - mean["score"][0, 2]).abs() < 0.1


def test_keep_sign_clips_what_the_solver_sees():
    def fussy(theta):
        assert (theta >= 0).all()
        return argmax(-theta)

    fussy.sense = "min"
    theta = THETA.abs()
    layer = Perturbed(fussy, Gaussian(2.0), 16, keep_sign=True)
    assert slope(layer, theta=theta).isfinite().all()
    with pytest.raises(AssertionError):
        Perturbed(fussy, Gaussian(2.0), 16)(theta, generator=rng())


def test_weights_carry_the_gradient():
    theta = THETA.clone().requires_grad_()
    for options in ({}, {"antithetic": True}, {"baseline": "solution"}, {"quasi": True}):
        layer = Perturbed(argmax, Gaussian(), 6, "score", **options)
        y, weights = layer.atoms(theta, generator=rng())
        assert torch.allclose(weights.sum(0), torch.ones(2, dtype=torch.float64))
        mean = (weights.unsqueeze(-1) * y).sum(0)
        assert torch.allclose(mean, layer(theta, generator=rng()))
        (found,) = torch.autograd.grad((mean * PULL).sum(), theta)
        assert torch.allclose(found, slope(layer)[0])


def test_spread_is_the_standard_error():
    layer = Perturbed(argmax, GumbelMax(), 400)
    p = THETA.softmax(-1)
    assert torch.allclose(layer.spread(THETA, generator=rng()), (p * (1 - p) / 400).sqrt(), rtol=0.2)
    pairs = Perturbed(argmax, Gaussian(), 400, antithetic=True).spread(THETA, generator=rng())
    assert pairs.shape == THETA.shape and (pairs < 0.05).all()
    for layer in (Perturbed(argmax, samples=1), Perturbed(argmax, samples=2, antithetic=True)):
        with pytest.raises(ValueError, match=r"Perturbed.spread\(\) must have samples of at least"):
            layer.spread(THETA)


def test_quasi_random_draws_spread_evenly():
    def error(quasi):
        layer = Perturbed(argmax, GumbelMax(), 64, quasi=quasi)
        y = layer(THETA.repeat(50, 1), generator=rng())
        return (y - THETA.repeat(50, 1).softmax(-1)).square().mean().sqrt().item()

    assert error(True) < 0.5 * error(False)


def test_forward_and_backward_share_the_noise():
    layer = Perturbed(argmax, Gaussian(), 5)
    assert torch.equal(slope(layer), slope(layer)) and not torch.equal(slope(layer), slope(layer, seed=1))


def test_calls_of_the_solver():
    for options, forward, backward in (
        ({"gradient": "difference"}, 8, 16),
        ({"gradient": "score"}, 8, 0),
        ({"gradient": "score", "quasi": True}, 8, 1),
    ):
        theta = THETA.clone().requires_grad_()
        with count_calls() as counter:
            y = Perturbed(argmax, Gaussian(), 8, **options)(theta, generator=rng())
            assert counter.calls == 2 * forward
            y.sum().backward()
        assert counter.calls == 2 * (forward + backward)
        with count_calls() as counter, torch.no_grad():
            Perturbed(argmax, Gaussian(), 8, **options)(THETA, generator=rng())
        assert counter.calls == 16


def test_matrices_and_instances():
    theta = torch.randn(2, 3, 3, generator=rng(), dtype=torch.float64)
    y = Perturbed(matching, Gaussian(0.5), 50)(theta, generator=rng())
    assert torch.allclose(y.sum(-1), torch.ones(2, 3, dtype=torch.float64))

    def masked(scores, allowed):
        return argmax(scores.masked_fill(~allowed, -torch.inf))

    allowed = torch.tensor([[True, True, False, False], [False, True, True, True]])
    y = Perturbed(masked, Gaussian(), 20)(THETA, allowed=allowed, generator=rng())
    assert (y[~allowed] == 0).all()
    with pytest.raises(ValueError, match=r"Perturbed\(allowed\) must have the batch shape \(2,\)"):
        Perturbed(masked)(THETA, allowed=allowed[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, r"Perturbed\(samples\) must be at least 1"),
        ({"samples": 3, "antithetic": True}, "must be even"),
        ({"gradient": "reinforce"}, "must be 'score' or 'difference'"),
        ({"gradient": "score", "baseline": "leave-one-out", "quasi": True}, "must not be leave-one-out"),
        ({"gradient": "score", "baseline": "mean"}, r"Perturbed\(baseline\) must be one of"),
        ({"step": 0.0}, r"Perturbed\(step\) must be positive"),
        ({"event_dims": 0}, r"event_dims\) must be a positive integer"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Perturbed(argmax, **options)


def test_what_a_solver_must_return():
    with pytest.raises(ValueError, match=r"must return solutions of the shape of theta, \(16, 4\), got .* set event"):
        Perturbed(lambda theta: theta.sum(-1))(THETA)
    with pytest.raises(TypeError, match="must return a tensor of the shape of theta"):
        Perturbed(lambda theta: theta.tolist())(THETA)
    assert Perturbed(argmax).sense == "max" and Perturbed(cheapest).sense == "min"
