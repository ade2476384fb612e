"""GridPath against SciPy, networkx, enumeration; ties, walls, negative costs."""

import itertools
import math

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import algonets as an
from algonets.graph import GridPath

BACKENDS = ["native", "torch"] if an.native_status()[0] else ["torch"]


def grid_graph(costs, neighbours):
    """The grid as a networkx graph whose arcs cost what their heads do."""
    height, width = costs.shape
    graph = nx.DiGraph()
    graph.add_nodes_from(itertools.product(range(height), range(width)))
    for (y, x), dy, dx in itertools.product(list(graph.nodes), (-1, 0, 1), (-1, 0, 1)):
        there = (y + dy, x + dx)
        near = (dy or dx) and (neighbours == 8 or not (dy and dx))
        if near and there in graph and costs[there] < math.inf:
            graph.add_edge((y, x), there, weight=float(costs[there]))
    return graph


def is_path(mask, neighbours, start, goal):
    """Whether the cells of a mask are a simple path: the induced walk exists."""
    cells = {tuple(c) for c in mask.nonzero().tolist()}
    graph = grid_graph(torch.ones(mask.shape), neighbours).subgraph(cells)
    return start in cells and goal in cells and nx.has_path(graph, start, goal)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("negative", ["raise", "bellman-ford"])
def test_equals_networkx(backend, neighbours, negative):
    costs = torch.rand(6, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with an.backend(backend):
        found = GridPath(neighbours, negative=negative).solve(costs)
    for k in range(6):
        path = nx.dijkstra_path(grid_graph(costs[k], neighbours), (0, 0), (4, 6))
        truth = torch.zeros(5, 7, dtype=torch.float64)
        truth[tuple(zip(*path, strict=True))] = 1
        assert torch.equal(found.solution[k], truth)
        torch.testing.assert_close(found.value[k], (costs[k] * truth).sum())


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_ties_walls_and_free_cells(backend, data):
    """Whole costs with zeros and walls: optimal by cost, connected, infeasible exactly where networkx says so."""
    height, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    values = data.draw(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, math.inf]), min_size=height * width, max_size=height * width)
    )
    costs = torch.tensor(values).reshape(height, width)
    neighbours = data.draw(st.sampled_from([4, 8]))
    with an.backend(backend):
        found = GridPath(neighbours).solve(costs)
    graph, ends = grid_graph(costs, neighbours), ((0, 0), (height - 1, width - 1))
    open_ends = costs[0, 0] < math.inf and costs[-1, -1] < math.inf
    assert bool(found.feasible) == (open_ends and nx.has_path(graph, *ends))
    if found.feasible:
        assert float(found.value) == nx.dijkstra_path_length(graph, *ends) + float(costs[0, 0])
        assert is_path(found.solution, neighbours, *ends)
    else:
        assert found.value == math.inf and not found.solution.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_negative_costs(backend):
    costs = torch.tensor([[1.0, 5.0, 5.0], [5.0, 8.0, -2.0], [9.0, 9.0, 3.0]])
    with an.backend(backend):
        with pytest.raises(ValueError, match="must not be negative"):
            GridPath()(costs)
        assert GridPath(negative="bellman-ford").solve(costs).value == 1 + 5 - 2 + 3
        assert GridPath(negative="clamp")(costs)[1, 2] == 1
        circle = torch.stack([costs, costs.index_put((torch.tensor(0), torch.tensor(2)), torch.tensor(-1.0))])
        assert GridPath(4, negative="bellman-ford").solve(circle).feasible.tolist() == [True, False]


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_ends_of_each_example(backend):
    costs = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start, goal = torch.tensor([[0, 1], [3, 4], [2, 2]]), torch.tensor([[3, 0], [0, 0], [2, 2]])
    with an.backend(backend):
        found = GridPath(4)(costs, start=start, goal=goal)
        assert torch.equal(GridPath(4)(costs, goal=(0, -1)), GridPath(4, goal=(0, 4))(costs))
    for k in range(3):
        truth = GridPath(4, start=tuple(start[k].tolist()), goal=tuple(goal[k].tolist()))(costs[k])
        assert torch.equal(found[k], truth)
    assert found[2].sum() == 1
    with pytest.raises(ValueError, match="inside the grid"):
        GridPath()(costs, start=(4, 0))
    with pytest.raises(TypeError, match="integers"):
        GridPath()(costs, start=(0.5, 0))


def test_infeasible_examples_are_told_and_leave_the_rest():
    costs = torch.ones(3, 3, 3)
    costs[1, 1] = math.inf
    paths, found = GridPath()(costs), GridPath().solve(costs)
    assert paths[1].isnan().all() and paths[[0, 2]].sum((1, 2)).tolist() == [3, 3]
    assert found.feasible.tolist() == [True, False, True] and not found.solution[1].any()


def test_value_has_the_path_as_gradient():
    costs = torch.rand(2, 4, 4, dtype=torch.float64, requires_grad=True)
    found = GridPath().solve(costs)
    (gradient,) = torch.autograd.grad(found.value.sum(), costs)
    assert torch.equal(gradient, found.solution)


def test_bad_arguments():
    for wrong in ({"neighbours": 6}, {"negative": "no"}, {"start": (0.5, 0)}):
        with pytest.raises(ValueError, match="must be"):
            GridPath(**wrong)
    with pytest.raises(ValueError, match="inside the grid"):
        GridPath(start=(7, 0))(torch.ones(3, 3))
    with pytest.raises(ValueError, match="at least one cell"):
        GridPath()(torch.ones(2, 0, 3))
