"""The operations of ``algonets.graph``, for the conformance suite."""

import itertools
import math

import torch

from algonets import graph
from algonets.semirings import Log
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

BOTH = ("native", "torch")


def positive(*event):
    """Make random costs from 0.1 to 1.1."""
    return lambda generator, dtype, batch: (torch.rand(*batch, *event, generator=generator, dtype=dtype) + 0.1,)


def normal(*event):
    """Make random scores."""
    return lambda generator, dtype, batch: (torch.randn(*batch, *event, generator=generator, dtype=dtype),)


def cheapest(candidates, sense="min"):
    """Return the function that tries all candidates, 0/1 vectors."""
    table = torch.as_tensor(candidates, dtype=torch.float64)

    def solve(theta):
        values = table @ theta.flatten().double()
        return table[values.argmin() if sense == "min" else values.argmax()].reshape(theta.shape)

    return solve


def solver(name, summary, instance, inputs, candidates, argument, cost, reference, **promises):
    """Register the call of a solver and its value, with the enumeration of all solutions as oracle."""
    hard = cheapest(candidates, instance.sense)
    value = lambda theta: (hard(theta) * theta).sum()  # noqa: E731
    shared = {"inputs": inputs, "arguments": (argument,), "cost": cost, "reference": reference, "backends": BOTH}
    register(
        Operation(
            name=f"graph.{name}.forward",
            summary=summary,
            function=instance,
            oracle=hard,
            differentiability="piecewise constant",
            half="kept",
            **{**shared, **promises},
        )
    )
    register(
        Operation(
            name=f"graph.{name}.solve",
            summary=f"{summary}: its value",
            function=lambda theta: instance.solve(theta).value,
            oracle=value,
            differentiability="piecewise linear",
            ways=("pool",),
            **{**shared, **promises},
        )
    )
    register_object(
        PublicObject(
            name=f"graph.{name}",
            make=lambda: instance,
            use=lambda s: s(inputs(GENERATOR.manual_seed(0), torch.float64, (2,))[0]),
        )
    )


GENERATOR = torch.Generator()


def simple_paths(arcs, source, target, seen=()):
    """List all simple paths as lists of arcs."""
    if source == target:
        yield []
        return
    for number, (a, b) in enumerate(arcs):
        if a == source and b not in (*seen, source):
            for rest in simple_paths(arcs, b, target, (*seen, source)):
                yield [number, *rest]


def indicator(chosen, count):
    """Return 0/1 of the chosen."""
    return [1.0 if k in chosen else 0.0 for k in range(count)]


def walks(arcs, source, target, steps):
    """List all walks of at most so many steps that end where they first meet the target."""
    if source == target:
        yield []
    elif steps:
        for number, (a, b) in enumerate(arcs):
            if a == source:
                for rest in walks(arcs, b, target, steps - 1):
                    yield [number, *rest]


def grid_paths(height, width):
    """List the cells of all simple paths from the second cell to the last, steps to 8 neighbours."""
    cells = list(itertools.product(range(height), range(width)))
    near = lambda a, b: max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1  # noqa: E731
    arcs = [(cells.index(a), cells.index(b)) for a in cells for b in cells if near(a, b)]
    for path in simple_paths(arcs, 1, len(cells) - 1):
        yield indicator({1} | {arcs[a][1] for a in path}, len(cells))


EDGES = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 1)]
solver(
    "GridPath",
    "Cheapest path over cells of a grid",
    graph.GridPath(8, start=(0, 1)),  # the first cell may be a wall
    positive(3, 3),
    list(grid_paths(3, 3)),
    Argument("GridPath(costs)", infinite=(math.inf,), rejects=(lambda c: -c, lambda c: c[..., :0])),
    "O(n log n)",
    "Dijkstra 1959",
)
solver(
    "ShortestPath",
    "Cheapest path over edges of a graph",
    graph.ShortestPath(EDGES),
    positive(6),
    [indicator(path, 6) for path in simple_paths(EDGES, 0, 3)],
    Argument("ShortestPath(costs)", infinite=(math.inf,), rejects=(lambda c: -c, lambda c: c[..., :3])),
    "O(E log V)",
    "Dijkstra 1959; Bellman 1958",
)
solver(
    "Assignment",
    "Cheapest matching of rows to columns",
    graph.Assignment(),
    normal(3, 4),
    [indicator({4 * i + j for i, j in enumerate(columns)}, 12) for columns in itertools.permutations(range(4), 3)],
    Argument("Assignment(costs)", infinite=(math.inf,)),
    "O(n³)",
    "Jonker, Volgenant 1987",
)
solver(
    "Knapsack",
    "Most valuable items that fit",
    graph.Knapsack([2, 3, 4, 1], 6),
    normal(4),
    [
        c
        for c in itertools.product((0.0, 1.0), repeat=4)
        if sum(w * x for w, x in zip((2, 3, 4, 1), c, strict=True)) <= 6
    ],
    Argument("Knapsack(values)", rejects=(lambda v: v[..., :2],)),
    "O(n W)",
    "Bellman 1957",
)


def spanning_trees(edges, nodes):
    """List all spanning trees."""
    for chosen in itertools.combinations(range(len(edges)), nodes - 1):
        part = list(range(nodes))
        for e in chosen:
            a, b = (part[v] for v in edges[e])
            part = [a if p == b else p for p in part]
        if len(set(part)) == 1:
            yield indicator(chosen, len(edges))


def cuts(edges, nodes):
    """List the edges out of every part that holds the first node but not the last."""
    for inside in itertools.product((False, True), repeat=nodes - 2):
        side = (True, *inside, False)
        yield indicator({e for e, (a, b) in enumerate(edges) if side[a] and not side[b]}, len(edges))


def tours(nodes):
    """List all tours as sets of pairs."""
    pairs = list(itertools.combinations(range(nodes), 2))
    for rest in itertools.permutations(range(1, nodes)):
        order = (0, *rest)
        steps = zip(order, (*order[1:], 0), strict=True)
        yield indicator({pairs.index((min(s), max(s))) for s in steps}, len(pairs))


solver(
    "SpanningTree",
    "Cheapest edges that join all nodes",
    graph.SpanningTree(EDGES, 4),
    normal(6),
    list(spanning_trees(EDGES, 4)),
    Argument("SpanningTree(costs)", infinite=(math.inf,), rejects=(lambda c: c[..., :3],)),
    "O(E log E)",
    "Kruskal 1956",
)
solver(
    "MinCut",
    "Cheapest edges that part source and target",
    graph.MinCut(EDGES),
    positive(6),
    list(cuts(EDGES, 4)),
    Argument("MinCut(capacities)", rejects=(lambda c: -c, lambda c: c[..., :3])),
    "O(V² E)",
    "Dinic 1970",
)
solver(
    "TravellingSalesman",
    "Cheapest round trip",
    graph.TravellingSalesman(5),
    normal(10),
    list(tours(5)),
    Argument("TravellingSalesman(costs)", rejects=(lambda c: c[..., :3],)),
    "O(2ⁿ n²); local search O(n³)",
    "Held, Karp 1962",
)
FLOW = graph.MaxFlow(EDGES)
CUTS = torch.tensor(list(cuts(EDGES, 4)), dtype=torch.float64)
register(
    Operation(
        name="graph.MaxFlow.solve",
        summary="Largest flow: how much",
        function=lambda capacities: FLOW.solve(capacities).value,
        oracle=lambda capacities: (CUTS @ capacities.double()).amin(),
        differentiability="piecewise linear",
        inputs=positive(6),
        arguments=(Argument("MaxFlow(capacities)", rejects=(lambda c: -c, lambda c: c[..., :3])),),
        backends=BOTH,
        ways=("pool",),
        cost="O(V² E)",
        reference="Dinic 1970",
    )
)
register_object(
    PublicObject(
        name="graph.MaxFlow", make=lambda: graph.MaxFlow(EDGES, negative="clamp"), use=lambda s: s(torch.ones(6))
    )
)


def distances(costs):
    """Return the least of all simple paths, pair by pair."""
    arcs = list(itertools.product(range(4), repeat=2))
    least = lambda i, j: min(sum(costs[arcs[a]] for a in path) for path in simple_paths(arcs, i, j))  # noqa: E731
    zero = costs.new_zeros(())
    return torch.stack([torch.stack([zero if i == j else least(i, j) for j in range(4)]) for i in range(4)])


register(
    Operation(
        name="graph.floyd_warshall",
        summary="Least costs between all pairs of nodes",
        function=graph.floyd_warshall,
        oracle=distances,
        differentiability="piecewise linear",
        inputs=positive(4, 4),
        arguments=(Argument("floyd_warshall(costs)", infinite=(math.inf,), rejects=(lambda c: c[..., :3],)),),
        ways=("pool",),
        cost="O(n³)",
        reference="Floyd 1962",
    )
)

SOFT = graph.SoftShortestPath(graph.ShortestPath(EDGES, negative="clamp"), 0.6, steps=4)
WALKS = torch.tensor([[1.0 * walk.count(k) for k in range(6)] for walk in walks(EDGES, 0, 3, 4)], dtype=torch.float64)


def soft_value(costs):
    """Return the soft minimum over all walks."""
    return -0.6 * (-WALKS @ costs.double() / 0.6).logsumexp(0)


def soft(name, summary, function, oracle, **more):
    """Register a method of the soft shortest path over walks."""
    register(
        Operation(
            name=f"graph.SoftShortestPath.{name}",
            summary=summary,
            function=function,
            oracle=oracle,
            inputs=normal(6),
            differentiability="any order",
            cost="O(steps E); O(E) without cycles",
            reference="Mensch, Blondel 2018",
            **more,
        )
    )


SHAPES = (lambda c: c[..., :3],)
soft(
    "value",
    "Soft least cost over all paths",
    SOFT.value,
    soft_value,
    arguments=(Argument("SoftShortestPath(costs)", infinite=(math.inf,), rejects=SHAPES),),
    ways=("unroll", "analytic"),
)
soft(
    "forward",
    "Expected path: exact marginals",
    SOFT,
    lambda costs: (-WALKS @ costs.double() / 0.6).softmax(0) @ WALKS,
    arguments=(Argument("SoftShortestPath(costs)", infinite=(math.inf,), rejects=SHAPES),),
    ways=("unroll", "analytic"),
)
soft(
    "reduce",
    "Any semiring over all paths",
    lambda scores: SOFT.reduce(scores, Log()),
    lambda scores: (WALKS @ scores.double()).logsumexp(0),
    arguments=(Argument("SoftShortestPath.reduce(scores)", nan="propagates", infinite=(-math.inf,), rejects=SHAPES),),
    ways=("pool", "unroll"),
)
register_object(PublicObject(name="graph.SoftShortestPath", make=lambda: SOFT, use=lambda s: s(torch.ones(6))))

exempt("graph.GraphSolver*", "the base; its solvers are declared")
exempt("graph.MaxFlow.forward", "flows are not unique: tests/graph/test_max_flow.py checks them")
exempt("graph.Solved", "a named tuple")
exempt("graph.*.extra_repr", "shown by repr")
exempt("graph.ShortestPath.acyclic", "a property of the graph: tests/graph/test_shortest_path.py")
