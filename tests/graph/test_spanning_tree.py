"""SpanningTree against networkx."""

import math

import networkx as nx
import pytest
import torch

import algonets as an
from algonets.graph import SpanningTree

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sense", ["min", "max"])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_networkx(backend, sense, ties):
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(7, (16, 2), generator=g)  # with loops and double edges
    worst = math.inf if sense == "min" else -math.inf
    costs = torch.randn(20, 16, generator=g, dtype=torch.float64)
    costs = costs.round() if ties else costs
    costs[torch.rand(costs.shape, generator=g) < 0.3] = worst
    with an.backend(backend):
        found = SpanningTree(edges, 7, sense=sense).solve(costs)
    for k in range(20):
        graph = nx.MultiGraph()
        graph.add_nodes_from(range(7))
        open_edges = [(int(a), int(b), float(c)) for (a, b), c in zip(edges, costs[k], strict=True) if c != worst]
        graph.add_weighted_edges_from(open_edges)
        assert bool(found.feasible[k]) == nx.is_connected(graph)
        if not found.feasible[k]:
            assert found.value[k] == worst and not found.solution[k].any()
            continue
        tree = (nx.minimum_spanning_tree if sense == "min" else nx.maximum_spanning_tree)(graph)
        assert float(found.value[k]) == pytest.approx(tree.size("weight"), abs=1e-12)
        assert nx.is_tree(nx.Graph(edges[found.solution[k] > 0].tolist())) and found.solution[k].sum() == 6
    assert 0 < found.feasible.sum() < 20


def test_backends_agree_on_ties():
    edges = torch.combinations(torch.arange(6))
    costs = torch.randint(3, (10, 15), generator=torch.Generator().manual_seed(1)).float()
    with an.backend("torch"):
        truth = SpanningTree(edges)(costs)
    assert torch.equal(SpanningTree(edges)(costs), truth)


def test_bad_arguments():
    with pytest.raises(ValueError, match="'min' or 'max'"):
        SpanningTree([(0, 1)], sense="best")
    with pytest.raises(ValueError, match=r"\(\*batch, 1\)"):
        SpanningTree([(0, 1)])(torch.ones(2))
    assert SpanningTree([], 1)(torch.ones(2, 0)).shape == (2, 0)
