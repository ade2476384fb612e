"""The generators of PyEPO (Tang and Khalil 2024): costs that depend on features by a polynomial, and their solvers."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from algonets import graph

__all__ = ["PROBLEMS", "Task", "knapsack", "shortest_path", "travelling_salesman"]

_HEIGHT = _WIDTH = 5
_ITEMS, _CAPACITY = 16, 20.0
_NODES = 8


class Task(NamedTuple):
    """Features ``(N, p)`` and true costs ``(N, d)`` of which a solver takes the best decision; float32."""

    features: Tensor
    costs: Tensor
    solver: Callable[..., Tensor]


def shortest_path(count: int, features: int = 5, degree: int = 4, noise: float = 0.5, seed: int = 135) -> Task:
    """Cheapest path through a 5 x 5 grid to the right and down; 40 edge costs, all positive."""
    random = numpy.random.RandomState(seed)
    size = (_HEIGHT - 1) * _WIDTH + (_WIDTH - 1) * _HEIGHT
    mixing = random.binomial(1, 0.5, (size, features))
    x = random.normal(0, 1, (count, features))
    costs = ((x @ mixing.T / math.sqrt(features) + 3) ** degree + 1) / 3.5**degree
    costs *= random.uniform(1 - noise, 1 + noise, (count, size))
    return Task(_tensor(x), _tensor(costs), graph.ShortestPath.grid(_HEIGHT, _WIDTH))


def knapsack(count: int, features: int = 5, degree: int = 4, noise: float = 0.5, seed: int = 135) -> Task:
    """Most valuable of 16 items of weights 3 to 8 that fit into 20; the values are whole numbers."""
    random = numpy.random.RandomState(seed)
    weights = random.choice(range(300, 800), size=(1, _ITEMS))[0]
    mixing = random.binomial(1, 0.5, (_ITEMS, features))
    x = random.normal(0, 1, (count, features))
    values = ((x @ mixing.T / math.sqrt(features) + 3) ** degree + 1) * 5 / 3.5**degree
    values *= random.uniform(1 - noise, 1 + noise, (count, _ITEMS))
    solver = graph.Knapsack(torch.from_numpy(weights.astype("int64")), round(100 * _CAPACITY))
    return Task(_tensor(x), _tensor(numpy.ceil(values)), solver)


def travelling_salesman(count: int, features: int = 5, degree: int = 4, noise: float = 0.5, seed: int = 135) -> Task:
    """Shortest tour through 8 places; 28 edge costs: distances plus what depends on the features."""
    random = numpy.random.RandomState(seed)
    places = numpy.concatenate(
        [random.uniform(-2, 2, (_NODES // 2, 2)), random.normal(0, 1, (_NODES - _NODES // 2, 2))]
    )
    first, second = numpy.triu_indices(_NODES, 1)
    distances = numpy.sqrt(((places[first] - places[second]) ** 2).sum(-1))
    size = len(first)
    mixing = random.binomial(1, 0.5, (size, features)) * random.uniform(-2, 2, (size, features))
    x = random.normal(0, 1, (count, features))
    extra = (x @ mixing.T / math.sqrt(features) + 3) ** degree / 3 ** (degree - 1)
    costs = distances + extra * random.uniform(1 - noise, 1 + noise, (count, size))
    return Task(_tensor(x), _tensor(numpy.around(costs, 4)), graph.TravellingSalesman(_NODES))


PROBLEMS: dict[str, Callable[..., Task]] = {
    "shortest-path": shortest_path,
    "knapsack": knapsack,
    "tsp": travelling_salesman,
}


def _tensor(values: numpy.ndarray) -> Tensor:
    return torch.from_numpy(values.astype("float32"))
