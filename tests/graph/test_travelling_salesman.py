"""TravellingSalesman against enumeration; local search against the optimum."""

import itertools

import pytest
import torch

import algonets as an
from algonets.graph import TravellingSalesman

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]
F64 = torch.float64


def shortest(costs):
    n = len(costs)
    tours = torch.tensor([(0, *p) for p in itertools.permutations(range(1, n))])
    return costs[tours, tours.roll(-1, 1)].sum(1).amin()


def check_tour(matrix):
    """One way into and out of each node, in one round."""
    assert (matrix.sum(0) == 1).all() and (matrix.sum(1) == 1).all() and not matrix.diagonal().any()
    at, count = 0, 0
    while True:
        at, count = int(matrix[at].argmax()), count + 1
        if at == 0:
            break
    assert count == len(matrix)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("nodes", [3, 4, 7])
def test_exact_tours_equal_enumeration(backend, nodes):
    costs = torch.randn(4, nodes, nodes, generator=torch.Generator().manual_seed(nodes), dtype=F64)
    with an.backend(backend):
        found = TravellingSalesman(nodes, layout="matrix").solve(costs)
    for k in range(4):
        check_tour(found.solution[k])
        torch.testing.assert_close(found.value[k], shortest(costs[k]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_edges_are_symmetric_matrices(backend):
    g = torch.Generator().manual_seed(0)
    costs = torch.rand(3, 15, generator=g, dtype=F64)
    solver = TravellingSalesman(6)
    matrix = torch.zeros(3, 6, 6, dtype=F64)
    matrix[:, solver.pairs[0], solver.pairs[1]] = costs
    with an.backend(backend):
        found = solver.solve(costs)
    for k in range(3):
        torch.testing.assert_close(found.value[k], shortest(matrix[k] + matrix[k].T))
    assert found.solution.sum(1).tolist() == [6, 6, 6]


@pytest.mark.parametrize("symmetric", [True, False])
def test_local_search_is_close_and_the_same_on_both_backends(symmetric):
    g = torch.Generator().manual_seed(1)
    points = torch.rand(4, 9, 2, generator=g, dtype=F64)
    costs = torch.cdist(points, points) if symmetric else torch.rand(4, 9, 9, generator=g, dtype=F64)
    solver = TravellingSalesman(9, layout="matrix", exact=False)
    found = {}
    for backend in BACKENDS:
        with an.backend(backend):
            found[backend] = solver.solve(costs)
    best = TravellingSalesman(9, layout="matrix").solve(costs).value
    for result in found.values():
        for tour in result.solution:
            check_tour(tour)
        assert (result.value >= best - 1e-12).all() and (result.value / best).mean() < (1.02 if symmetric else 1.25)
    assert len({tuple(r.value.tolist()) for r in found.values()}) == 1


def test_bad_arguments():
    for wrong in ({"nodes": 2}, {"nodes": 21, "exact": True}, {"nodes": 4, "layout": "list"}):
        with pytest.raises(ValueError, match="must be"):
            TravellingSalesman(**wrong)
    with pytest.raises(ValueError, match=r"\(\*batch, 6\)"):
        TravellingSalesman(4)(torch.ones(5))
    with pytest.raises(ValueError, match="must be finite"):
        TravellingSalesman(3)(torch.tensor([1.0, torch.inf, 1.0]))
