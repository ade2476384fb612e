"""ShortestPath against networkx."""

import math

import networkx as nx
import pytest
import torch

import algonets as an
from algonets.graph import ShortestPath

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


def random_edges(nodes, count, acyclic, seed):
    g = torch.Generator().manual_seed(seed)
    edges = torch.randint(nodes, (count, 2), generator=g)
    return edges.sort(1).values[edges[:, 0] != edges[:, 1]] if acyclic else edges


def multigraph(edges, costs, directed):
    graph = nx.MultiDiGraph() if directed else nx.MultiGraph()
    graph.add_nodes_from(range(9))
    graph.add_weighted_edges_from(
        (int(a), int(b), float(c)) for (a, b), c in zip(edges, costs, strict=True) if c < math.inf
    )
    return graph


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("negative", ["raise", "bellman-ford"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_networkx(backend, directed, negative, seed):
    edges = random_edges(9, 20, False, seed)
    costs = torch.rand(4, len(edges), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    costs[costs < 0.1] = math.inf
    solver = ShortestPath(edges, 9, directed=directed, negative=negative)
    with an.backend(backend):
        found = solver.solve(costs)
    for k in range(4):
        graph = multigraph(edges, costs[k], directed)
        assert bool(found.feasible[k]) == nx.has_path(graph, 0, 8)
        if found.feasible[k]:
            assert float(found.value[k]) == pytest.approx(nx.dijkstra_path_length(graph, 0, 8), abs=1e-12)
            chosen = multigraph(edges[found.solution[k] > 0], costs[k][found.solution[k] > 0], directed)
            assert nx.has_path(chosen, 0, 8)
        else:
            assert found.value[k] == math.inf and not found.solution[k].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_negative_costs_without_and_with_cycles(backend):
    edges = random_edges(9, 25, True, 0)
    costs = torch.randn(5, len(edges), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    solver = ShortestPath(edges, 9)
    assert solver.acyclic
    with an.backend(backend):
        found = solver.solve(costs)
        circle = ShortestPath([(0, 1), (1, 0), (1, 2)], negative="bellman-ford")
        two = circle.solve(torch.tensor([[2.0, -1.0, -3.0], [2.0, -3.0, 1.0]]))
        clamped = ShortestPath([(0, 1), (1, 0), (1, 2)], negative="clamp").solve(torch.tensor([2.0, -3.0, -1.0]))
    for k in range(5):
        truth = nx.bellman_ford_path_length(multigraph(edges, costs[k], True), 0, 8)
        assert float(found.value[k]) == pytest.approx(truth, abs=1e-12)
    assert two.feasible.tolist() == [True, False] and two.value[0] == -1
    assert clamped.solution.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="graph with cycles"):
        ShortestPath([(0, 1), (1, 0), (1, 2)])(torch.tensor([2.0, -1.0, -3.0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_grid_and_free_edges(backend):
    solver = ShortestPath.grid(3, 4)
    graph = nx.grid_2d_graph(3, 4)
    assert len(solver.edges) == graph.number_of_edges() == 17 and solver.acyclic
    with an.backend(backend):
        assert solver(torch.zeros(2, 17)).sum(1).tolist() == [5, 5]
        ring = ShortestPath([(0, 1), (1, 2), (2, 0), (2, 3)], directed=False)  # a circle that costs nothing
        assert ring.solve(torch.zeros(4)).feasible and ring(torch.zeros(4))[3] == 1
        every = solver(torch.rand(3, 17), source=torch.tensor([0, 1, 5]), target=torch.tensor([11, 11, 6]))
    assert every.sum(1).tolist() == [5, 4, 1]


def test_bad_arguments():
    with pytest.raises(TypeError, match="integers"):
        ShortestPath([(0.0, 1.0)])
    for edges, more in (([0, 1], {}), ([(0, 3)], {"nodes": 2}), ([(-1, 0)], {}), ([(0, 1)], {"source": 5})):
        with pytest.raises(ValueError, match="must"):
            ShortestPath(edges, **more)
    with pytest.raises(ValueError, match=r"\(\*batch, 1\)"):
        ShortestPath([(0, 1)])(torch.ones(2))
    with pytest.raises(ValueError, match="must be a node"):
        ShortestPath([(0, 1)])(torch.ones(1), source=2)
