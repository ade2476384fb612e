"""Measures of gradients: right for known estimators, and the command that compares them."""

import json

import pytest
import torch

from algonets.cli import main
from algonets.distributions import GumbelMax
from algonets.gradients import Identity, Interpolated, Perturbed, compare, diagnose, estimators
from algonets.gradients._problem import count_calls
from algonets.gradients.diagnosis import table
from tests.gradients.solvers import argmax, cheapest


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def softmax(theta):
    return theta.softmax(-1)


THETA = torch.randn(150, 10, generator=rng(), dtype=torch.float64)


def test_the_right_gradient_is_perfect():
    found = diagnose(softmax, THETA, reference=softmax, repeats=3, generator=rng())
    assert found.cosine == pytest.approx(1) and found.bias < 1e-9 and found.factor == pytest.approx(1)
    assert found.variance < 1e-20 and found.zeros == 0 and found.calls == 0
    opposite = diagnose(lambda theta: -2 * softmax(theta), THETA, reference=softmax, repeats=1, generator=rng())
    assert opposite.cosine == pytest.approx(-1) and opposite.factor == pytest.approx(-0.5)


def test_an_unbiased_estimator_has_variance_and_little_bias():
    unbiased = diagnose(
        Perturbed(argmax, GumbelMax(), 8, "score"), THETA, reference=softmax, repeats=200, generator=rng()
    )
    assert unbiased.bias < 0.3 and unbiased.variance > 1 and unbiased.cosine_of_mean > 0.97
    assert unbiased.calls == 8 and unbiased.cosine < 0.5
    still = diagnose(Identity(argmax), THETA, reference=softmax, repeats=2, generator=rng())
    assert still.variance < 1e-20 and still.calls == 1 and still.bias > 0.3
    flat = diagnose(Interpolated(argmax, 1e-9), THETA, reference=softmax, repeats=1, generator=rng())
    assert flat.zeros == 1 and flat.cosine == 0 and flat.calls == 2


def test_no_example_is_refused():
    with pytest.raises(ValueError, match=r"diagnose\(theta\) must hold at least one example"):
        diagnose(Identity(argmax, "mean"), torch.zeros(0, 4), reference=lambda theta: theta.softmax(-1))


def test_ten_calls_of_an_argmax():
    """The target: a cosine of 0.75 to the exact gradient at ten calls, forward and backward."""
    found = compare(argmax, THETA, (10,), distribution=GumbelMax(), reference=softmax, repeats=5, generator=rng())
    cosines = {name: rows[10].cosine for name, rows in found.items()}
    assert max(cosines.values()) >= 0.75 and cosines["difference, quasi"] >= 0.75
    assert all(rows[10].calls <= 10 for rows in found.values())
    assert cosines["score"] < 0.5
    text = table({name: rows[10] for name, rows in found.items()})
    assert text.splitlines()[1].startswith(max(cosines, key=cosines.get))


def test_the_default_reference_is_near_the_exact_one():
    exact = diagnose(Perturbed(argmax, GumbelMax(), 3), THETA[:20], reference=softmax, generator=rng())
    sampled = diagnose(Perturbed(argmax, GumbelMax(), 3), THETA[:20], generator=rng())
    assert abs(exact.cosine - sampled.cosine) < 0.1
    with pytest.raises(TypeError, match="Give a reference"):
        diagnose(softmax, THETA)
    with pytest.raises(ValueError, match=r"diagnose\(cotangent\) must have the shape of theta"):
        diagnose(softmax, THETA, cotangent=torch.zeros(3), reference=softmax)
    with pytest.raises(TypeError, match=r"compare\(theta\) must be a torch.Tensor"):
        compare(argmax, [1.0, 2.0])


@pytest.mark.parametrize("solver", [argmax, cheapest])
@pytest.mark.parametrize("calls", [1, 2, 3, 4, 7, 12])
def test_estimators_keep_their_budget(solver, calls):
    for layer in estimators(solver, calls).values():
        theta = THETA[:4].clone().requires_grad_()
        with count_calls() as counter:
            layer(theta, generator=rng()).sum().backward()
        assert counter.calls <= 4 * calls


def test_the_command(tmp_path, capsys):
    options = ["--solver", "grid-path", "--size", "3", "--calls", "[2,6]", "--examples", "2", "--repeats", "2"]
    assert main(["compare", "gradients", *options, "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "estimator" in text and "difference, quasi" in text
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["solver"] == "grid-path" and metrics["estimators"]["difference"]["6"]["calls"] == 6
    assert (tmp_path / "report.png").stat().st_size > 8000
    own = ["--solver", "tests.gradients.solvers:cheapest", "--size", "4", "--calls", "[3]", "--examples", "3"]
    assert main(["compare", "gradients", *own, "--output", str(tmp_path)]) == 0
    for wrong, message in (("nothing", "must be one of argmax"), ("no.such:thing", "can be imported")):
        assert main(["compare", "gradients", "--solver", wrong, "--output", str(tmp_path)]) == 1
        assert message in capsys.readouterr().err
