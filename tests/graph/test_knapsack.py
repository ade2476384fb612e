"""Knapsack against enumeration."""

import itertools

import pytest
import torch

import algonets as an
from algonets.graph import Knapsack

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


def best(values, weights, capacity):
    choices = torch.tensor(list(itertools.product((0.0, 1.0), repeat=len(weights))), dtype=values.dtype)
    choices = choices[choices @ weights.to(values.dtype) <= capacity]
    return choices[(choices @ values).argmax()]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("capacity", [0, 1, 7, 15, 1000])
def test_equals_enumeration(backend, capacity):
    g = torch.Generator().manual_seed(capacity)
    weights = torch.randint(0, 6, (8,), generator=g)
    values = torch.randn(6, 8, generator=g, dtype=torch.float64)
    with an.backend(backend):
        found = Knapsack(weights, capacity)(values)
    for k in range(6):
        assert torch.equal(found[k], best(values[k], weights, capacity))


@pytest.mark.parametrize("backend", BACKENDS)
def test_ties_fit(backend):
    solver = Knapsack([1, 2, 3, 4], 5)
    with an.backend(backend):
        found = solver.solve(torch.ones(4))
        assert found.value == 2 and (found.solution * solver.weights).sum() <= 5
        assert not Knapsack([1, 1], 2)(torch.tensor([0.0, -1.0])).any()  # worth nothing: stays out
        assert Knapsack(torch.zeros(0, dtype=torch.int64), 3)(torch.zeros(2, 0)).shape == (2, 0)


def test_bad_arguments():
    for weights, capacity in (([1.5], 1), ([1], 1.5)):
        with pytest.raises(TypeError, match="integer"):
            Knapsack(weights, capacity)
    for weights, capacity in (([-1], 1), ([1], -1), ([[1]], 1)):
        with pytest.raises(ValueError, match="must"):
            Knapsack(weights, capacity)
