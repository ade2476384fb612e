"""MinCut and MaxFlow against networkx and enumeration."""

import itertools

import networkx as nx
import pytest
import torch

import algonets as an
from algonets.graph import MaxFlow, MinCut

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


def problem(seed, whole):
    g = torch.Generator().manual_seed(seed)
    edges = torch.randint(6, (14, 2), generator=g)
    capacities = torch.rand(8, 14, generator=g, dtype=torch.float64)
    return edges, (4 * capacities).round() if whole else capacities


def parts(edges, costs, directed):
    """Least cost of all cuts, over all parts of the source."""
    least = float("inf")
    for inside in itertools.product((False, True), repeat=4):
        side = torch.tensor([True, *inside, False])
        tail, head = side[edges[:, 0]], side[edges[:, 1]]
        cut = tail & ~head if directed else tail != head
        least = min(least, float(costs[cut].sum()))
    return least


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_flow_and_cut(backend, directed, whole, seed):
    edges, capacities = problem(seed, whole)
    with an.backend(backend):
        flow = MaxFlow(edges, 6, directed=directed).solve(capacities)
        cut = MinCut(edges, 6, directed=directed).solve(capacities)
    for k in range(8):
        graph = nx.DiGraph()
        graph.add_nodes_from(range(6))
        for (a, b), c in zip(edges.tolist(), capacities[k].tolist(), strict=True):
            for u, v in [(a, b)] if directed else [(a, b), (b, a)]:
                before = graph.get_edge_data(u, v, {"capacity": 0.0})["capacity"]
                graph.add_edge(u, v, capacity=before + c)
        truth = nx.maximum_flow_value(graph, 0, 5)
        assert truth == pytest.approx(parts(edges, capacities[k], directed), abs=1e-9)
        assert float(cut.value[k]) == pytest.approx(truth, abs=1e-9)
        assert float(flow.value[k]) == pytest.approx(truth, abs=1e-9)
        left = graph.edge_subgraph([]).copy()
        left.add_nodes_from(range(6))
        for (a, b), y in zip(edges.tolist(), cut.solution[k].tolist(), strict=True):
            if not y:
                left.add_edges_from([(a, b)] if directed else [(a, b), (b, a)])
        assert not nx.has_path(left, 0, 5)
        net = torch.zeros(6, dtype=torch.float64)
        net.index_add_(0, edges[:, 0], flow.solution[k]).index_add_(0, edges[:, 1], -flow.solution[k])
        assert torch.allclose(net[1:5], torch.zeros(4, dtype=torch.float64), atol=1e-9)
        assert float(net[0]) == pytest.approx(truth, abs=1e-9)
        low = torch.zeros_like(capacities[k]) if directed else -capacities[k]
        assert ((flow.solution[k] >= low - 1e-9) & (flow.solution[k] <= capacities[k] + 1e-9)).all()


def test_backends_cut_alike():
    edges, capacities = problem(5, True)
    with an.backend("torch"):
        truth = MinCut(edges, 6)(capacities)
    assert torch.equal(MinCut(edges, 6)(capacities), truth)


def test_gradients_are_cuts():
    edges, capacities = problem(1, False)
    capacities.requires_grad_()
    for solver in (MinCut(edges, 6), MaxFlow(edges, 6)):
        (gradient,) = torch.autograd.grad(solver.solve(capacities).value.sum(), capacities)
        assert torch.equal(gradient, MinCut(edges, 6)(capacities))


def test_bad_arguments():
    with pytest.raises(ValueError, match="must not be the source"):
        MinCut([(0, 1)], source=0, target=0)
    with pytest.raises(ValueError, match="must not be negative"):
        MinCut([(0, 1)])(-torch.ones(1))
    assert MinCut([(0, 1)], negative="clamp").solve(-torch.ones(1)).feasible
    assert repr(MaxFlow([(0, 1)])).startswith("MaxFlow(edges=1")
