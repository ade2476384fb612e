"""SoftShortestPath against enumeration of paths and walks."""

import itertools
import math

import pytest
import torch

import algonets as an
from algonets.graph import Assignment, GridPath, ShortestPath, SoftShortestPath
from algonets.semirings import Counting, Entropy, KMax, MaxPlus, MinPlus

F64 = torch.float64
DAG = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (0, 4), (2, 4)]
RING = [(0, 1), (1, 2), (2, 0), (2, 3), (1, 3), (3, 1)]


def walks(arcs, source, target, steps):
    """All walks, as lists of arcs, that end at the target's first visit."""
    if source == target:
        yield []
    elif steps:
        for number, (a, b) in enumerate(arcs):
            if a == source:
                for rest in walks(arcs, b, target, steps - 1):
                    yield [number, *rest]


def grid_walks(height, width, neighbours, steps):
    cells = list(itertools.product(range(height), range(width)))

    def near(a, b):
        straight = a[0] == b[0] or a[1] == b[1]
        return max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1 and (neighbours == 8 or straight)

    arcs = [(cells.index(a), cells.index(b)) for a in cells for b in cells if near(a, b)]
    return [[0, *(arcs[a][1] for a in walk)] for walk in walks(arcs, 0, len(cells) - 1, steps)]


def visits(members, count):
    table = torch.zeros(len(members), count, dtype=F64)
    for row, walk in zip(table, members, strict=True):
        for place in walk:
            row[place] += 1
    return table


CASES = {
    "dag": (ShortestPath(DAG), None, lambda: visits(list(walks(DAG, 0, 4, 9)), len(DAG)), (len(DAG),)),
    "grid dag": (
        ShortestPath.grid(3, 3),
        None,
        lambda: visits(list(walks(ShortestPath.grid(3, 3).edges.tolist(), 0, 8, 9)), 12),
        (12,),
    ),
    "ring": (ShortestPath(RING), 6, lambda: visits(list(walks(RING, 0, 3, 6)), len(RING)), (len(RING),)),
    "4 neighbours": (GridPath(4), 6, lambda: visits(grid_walks(3, 3, 4, 6), 9), (3, 3)),
    "8 neighbours": (GridPath(8), 4, lambda: visits(grid_walks(3, 2, 8, 4), 6), (3, 2)),
}
every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_value_and_marginals_equal_enumeration(name):
    hard, steps, table, shape = CASES[name]
    layer = SoftShortestPath(hard, 0.7, steps=steps)
    costs = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=F64)
    table = table()
    energy = -costs.flatten(1) @ table.T / 0.7
    torch.testing.assert_close(layer.value(costs), -0.7 * energy.logsumexp(1))
    truth = (energy.softmax(1) @ table).reshape(costs.shape)
    torch.testing.assert_close(layer(costs), truth)


@every_case
def test_other_semirings(name):
    hard, steps, table, shape = CASES[name]
    layer = SoftShortestPath(hard, steps=steps)
    costs = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1), dtype=F64) + 0.1
    table = table()
    totals = costs.flatten(1) @ table.T
    torch.testing.assert_close(layer.reduce(costs, MinPlus()), totals.amin(1))
    torch.testing.assert_close(layer.reduce(-costs, MaxPlus()), -totals.amin(1))
    torch.testing.assert_close(layer.reduce(-costs, KMax(2)), -totals.sort(1).values[:, :2])
    assert layer.reduce(costs, Counting()).tolist() == [len(table)] * 2
    p = (-totals).softmax(1)
    torch.testing.assert_close(layer.reduce(-costs, Entropy()), -(p * p.log()).sum(1))


@every_case
def test_gradients_of_any_order(name):
    hard, steps, _, shape = CASES[name]
    layer = SoftShortestPath(hard, 0.7, steps=steps)
    costs = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(layer.value, costs) and torch.autograd.gradcheck(layer, costs)
    assert torch.autograd.gradgradcheck(layer.value, costs)


def test_hard_limit():
    g = torch.Generator().manual_seed(2)
    for hard, shape in ((GridPath(8), (5, 5)), (ShortestPath.grid(4, 4), (24,))):
        costs = torch.rand(4, *shape, generator=g, dtype=F64) + 0.2
        layer = SoftShortestPath(hard, 1e-4)
        torch.testing.assert_close(layer(costs), hard(costs), atol=1e-6, rtol=0)
        torch.testing.assert_close(layer.value(costs), hard.solve(costs).value, atol=1e-3, rtol=0)


@pytest.mark.parametrize("hard", [GridPath(4), ShortestPath.grid(2, 2), ShortestPath([(0, 1), (1, 0), (1, 2), (0, 2)])])
def test_nothing_open(hard):
    shape = (2, 2) if isinstance(hard, GridPath) else (4,)
    costs = torch.ones(2, *shape, dtype=F64)
    costs[0] = math.inf
    layer = SoftShortestPath(hard)
    costs.requires_grad_()
    value = layer.value(costs)
    assert value[0] == math.inf and value[1] < math.inf
    (gradient,) = torch.autograd.grad(torch.where(value < math.inf, value, 0.0).sum(), costs)
    assert not gradient.isnan().any() and not gradient[0].any()
    assert not layer(costs)[0].any()
    assert layer(costs[:0]).shape == (0, *shape)


def test_bad_arguments():
    with pytest.raises(TypeError, match="GridPath or a ShortestPath"):
        SoftShortestPath(Assignment())  # type: ignore[arg-type]
    for wrong in ({"temperature": 0.0}, {"steps": 0}):
        with pytest.raises(ValueError, match="must be"):
            SoftShortestPath(GridPath(), **wrong)
    with pytest.raises(ValueError, match="without cycles"):
        SoftShortestPath(ShortestPath.grid(2, 2), steps=3)
    with pytest.raises(ValueError, match=r"\(\*batch, 4\)"):
        SoftShortestPath(ShortestPath.grid(2, 2))(torch.ones(3))


@every_case
def test_native_kernel_equals_plain_torch(name):
    hard, steps, _, shape = CASES[name]
    layer = SoftShortestPath(hard, 0.3, steps=steps)
    costs = torch.rand(4, 2, *shape, generator=torch.Generator().manual_seed(2), dtype=F64)
    costs[0, 0].view(-1)[1] = math.inf
    costs[1, 1] = math.inf  # no way at all
    found = []
    for backend in ("auto", "torch"):
        with an.backend(backend):
            given = costs.clone().requires_grad_()
            value = layer.value(given)
            pull = torch.linspace(-1, 2, 8, dtype=F64).reshape(4, 2)
            (slope,) = torch.autograd.grad(value[value < math.inf] @ pull[value < math.inf], given)
            found.append((value.detach(), layer(costs), slope))
    for fast, slow in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-12)


def test_native_kernel_differentiates_twice_by_plain_torch():
    layer = SoftShortestPath(GridPath(8), 0.5, steps=6)
    costs = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(3), dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(layer.value, costs)
    assert torch.autograd.gradgradcheck(layer.value, costs)


def test_cold_and_large_maps_stay_in_range():
    """Sums of exponentials of costs would be zero here; too many walks for a number go to plain torch."""
    costs = 5 + torch.rand(2, 30, 30, generator=torch.Generator().manual_seed(4), dtype=F64)
    cold = SoftShortestPath(GridPath(8), 1e-4)
    assert torch.equal(cold(costs).round(), GridPath(8)(costs))
    hot = SoftShortestPath(GridPath(8), 1e9, steps=400)
    with an.backend("torch"):
        wanted = hot.value(costs)
    torch.testing.assert_close(hot.value(costs), wanted)


@pytest.mark.parametrize("tracked", [False, True])
def test_a_goal_out_of_reach_is_on_no_path(tracked):
    costs = torch.tensor([[[1.0, math.inf], [math.inf, 1.0]], [[1.0, math.inf], [2.0, 1.0]]], requires_grad=tracked)
    found = SoftShortestPath(GridPath(4), 0.3)(costs)
    assert torch.equal(found[0], torch.zeros(2, 2)) and found[1, 1, 1] == 1
