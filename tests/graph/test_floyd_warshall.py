"""Distances against SciPy; gradients mark the walks."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import floyd_warshall as scipy_distances

from algonets.graph import ShortestPath, floyd_warshall

F64 = torch.float64


def steps(seed=0, batch=6, n=7):
    g = torch.Generator().manual_seed(seed)
    costs = torch.rand(batch, n, n, generator=g, dtype=F64) + 0.05
    costs[torch.rand(costs.shape, generator=g) < 0.5] = math.inf
    return costs


def test_equals_scipy():
    costs = steps()
    truth = np.stack([scipy_distances(np.where(np.isinf(c), 0, c)) for c in costs.numpy()])
    np.testing.assert_allclose(floyd_warshall(costs).numpy(), truth, atol=1e-12)


def test_gradients_mark_the_path():
    costs = steps(1, 1, 6)[0].requires_grad_()
    distance = floyd_warshall(costs)
    edges = torch.cartesian_prod(torch.arange(6), torch.arange(6))
    for target in range(1, 6):
        if distance[0, target] < math.inf:
            (gradient,) = torch.autograd.grad(distance[0, target], costs, retain_graph=True)
            path = ShortestPath(edges, 6, target=target)(costs.detach().flatten()).reshape(6, 6)
            assert torch.equal(gradient, path)
    plain = torch.func.grad(lambda c: torch.where(floyd_warshall(c) < math.inf, floyd_warshall(c), 0.0).sum())(
        costs.detach()
    )
    (ours,) = torch.autograd.grad(torch.where(distance < math.inf, distance, 0.0).sum(), costs)
    torch.testing.assert_close(ours, plain)


def test_negative_steps_and_circles():
    costs = torch.tensor([[[0.0, 2, 9], [9, 0, -1], [9, 9, 0]], [[0, 2, 9], [-3, 0, 1], [9, 9, 0]]])
    found = floyd_warshall(costs)
    assert found[0, 0].tolist() == [0, 2, 1] and found[1].isnan().all()


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"\(\*batch, n, n\)"):
        floyd_warshall(torch.ones(2, 3))
    with pytest.raises(ValueError, match="NaN or -inf"):
        floyd_warshall(torch.full((2, 2), math.nan))
