"""Annealing: algorithms are found wherever they sit, values follow the schedule, learnt ones are refused."""

import dataclasses
import itertools

import pytest
import torch
from torch import nn

from algonets import losses, memory, sort
from algonets.distributions import Cauchy, Distribution, Gaussian
from algonets.training import (
    Annealing,
    CosineSchedule,
    DomainAdversary,
    GeometricSchedule,
    GradientReversal,
    LinearSchedule,
    RampSchedule,
    find_algorithms,
)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), sort.Sort(sort.OddEven(Cauchy(1.0))))
        self.loss = losses.PermutationCrossEntropy(sort.NeuralSort(2.0))
        self.laws = {"noise": [Gaussian(3.0)]}
        self.adversary = DomainAdversary(3)


def paths(kind):
    return [found.path for found in find_algorithms(Model(), kind)]


def test_everything_is_found():
    assert set(paths(Distribution)) == {"body.1.method.distribution", "laws.noise.0"}
    assert paths(sort.NeuralSort) == ["loss.method"]
    assert paths((sort.NeuralSort, GradientReversal)) == ["loss.method", "adversary.reversal"]
    assert paths(nn.Linear)[0] == "body.0" and paths(memory.Hopfield) == []


def test_shared_objects_are_found_once():
    law = Cauchy(1.0)
    model = nn.Sequential(sort.Sort(sort.OddEven(law)), sort.Rank(sort.Bitonic(law)))
    assert len(find_algorithms(model, Distribution)) == 1


def test_values_follow_and_results_change():
    model, x = Model(), torch.tensor([[0.3, -0.2, 1.0]])
    annealing = Annealing(model, Distribution, GeometricSchedule(1.0, 1e-6))
    before = model.body[1](x)
    assert annealing.set(1.0) == pytest.approx({"body.1.method.distribution.scale": 1e-6, "laws.noise.0.scale": 1e-6})
    assert not torch.allclose(model.body[1](x), before)
    torch.testing.assert_close(model.body[1](x), x.sort(-1).values, atol=1e-4, rtol=0)
    assert "body.1.method.distribution.scale" in repr(annealing)


def test_relative_values_named_attributes_and_tensors():
    model = Model()
    model.laws["noise"][0] = Gaussian(torch.tensor(4.0))
    Annealing(model, Distribution, LinearSchedule(1.0, 0.5), "scale", relative=True).set(0.5)
    assert model.body[1].method.distribution.scale == 0.75
    assert model.laws["noise"][0].scale.item() == 3.0
    assert Annealing(model, sort.NeuralSort, lambda t: 5.0).set(0.1) == {"loss.method.temperature": 5.0}
    Annealing(model, GradientReversal, RampSchedule()).set(1.0)
    assert model.adversary.reversal.strength == pytest.approx(1.0, abs=1e-3)


@dataclasses.dataclass(frozen=True)
class Frozen:
    sigma: float = 1.0


def test_frozen_dataclasses():
    model = nn.Module()
    model.noise = Frozen()
    Annealing(model, Frozen, LinearSchedule(1.0, 0.0)).set(0.5)
    assert model.noise.sigma == 0.5


def test_schedules():
    for schedule in (LinearSchedule(2.0, 0.5), GeometricSchedule(2.0, 0.5), CosineSchedule(2.0, 0.5)):
        values = [schedule(t / 10) for t in range(13)]
        assert values[0] == 2.0 and values[10:] == pytest.approx([0.5] * 3)
        assert all(b <= a for a, b in itertools.pairwise(values))
    assert RampSchedule(3.0)(0.0) == 0
    with pytest.raises(ValueError):
        LinearSchedule(1.0, 0.0)(-0.1)
    with pytest.raises(ValueError):
        GeometricSchedule(0.0, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "rule"),
    [
        (lambda: Annealing(Model(), memory.Hopfield, LinearSchedule(1, 0)), ValueError, "must contain a Hopfield"),
        (lambda: Annealing(Model(), Distribution, 0.5), TypeError, "function of the progress"),
        (lambda: Annealing(Model(), nn.Sequential, LinearSchedule(1, 0)), ValueError, "something to anneal"),
        (
            lambda: Annealing(
                sort.Sort(sort.OddEven(Cauchy(nn.Parameter(torch.tensor(1.0))))), Distribution, LinearSchedule(1, 0)
            ),
            ValueError,
            "must not be learnt",
        ),
        (lambda: find_algorithms(Model(), "Cauchy"), TypeError, "must be a class"),
    ],
)
def test_wrong_arguments(make, error, rule):
    with pytest.raises(error, match=rule):
        make()
