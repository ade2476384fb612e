"""Assignment against SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

import algonets as an
from algonets.graph import Assignment

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (6, 6), (23, 23), (3, 7), (7, 3), (1, 5), (5, 1)])
@pytest.mark.parametrize("sense", ["min", "max"])
def test_equals_scipy(backend, shape, sense):
    costs = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with an.backend(backend):
        found = Assignment(sense)(costs)
    for k in range(5):
        truth = torch.zeros(shape, dtype=torch.float64)
        truth[linear_sum_assignment(costs[k].numpy(), sense == "max")] = 1
        assert torch.equal(found[k], truth)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(8, 8), (5, 9)])
@pytest.mark.parametrize("seed", range(6))
def test_ties_by_cost(backend, shape, seed):
    """Small whole costs: many optima; and rows and columns still taken once."""
    costs = torch.randint(0, 3, (20, *shape), generator=torch.Generator().manual_seed(seed)).double()
    with an.backend(backend):
        found = Assignment().solve(costs)
    truth = [c[linear_sum_assignment(c)].sum() for c in costs.numpy()]
    np.testing.assert_array_equal(found.value.numpy(), truth)
    assert (found.solution.sum(2) == 1).all() and (found.solution.sum(1) <= 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sense", ["min", "max"])
def test_forbidden_pairs(backend, sense):
    g = torch.Generator().manual_seed(3)
    costs = torch.randn(30, 5, 5, generator=g, dtype=torch.float64)
    costs[torch.rand(costs.shape, generator=g) < 0.55] = math.inf if sense == "min" else -math.inf
    with an.backend(backend):
        found = Assignment(sense).solve(costs)
    for k, c in enumerate(costs.numpy()):
        try:
            truth = c[linear_sum_assignment(c, sense == "max")].sum()
        except ValueError:
            assert not found.feasible[k] and not found.solution[k].any()
            continue
        assert found.feasible[k] and float(found.value[k]) == pytest.approx(truth, abs=1e-12)
    assert 0 < found.feasible.sum() < 30


def test_bad_arguments():
    with pytest.raises(ValueError, match="'min' or 'max'"):
        Assignment("best")
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        Assignment()(torch.ones(3))
    assert Assignment()(torch.ones(2, 0, 3)).shape == (2, 0, 3)
    assert Assignment()(torch.ones(2, 3, 0)).shape == (2, 3, 0)
