"""Random hard networks of every kind, for the tests of circuits."""

import itertools

import torch
from torch import nn

from algonets.logic import (
    Binarize,
    GroupSum,
    Light4,
    LogicConv2d,
    LogicLayer,
    LookupLayer,
    Sequential,
    Thermometer,
    Walsh4,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dense(inputs: int = 20, width: int = 60, layers: int = 3, classes: int = 3, seed: int = 0) -> Sequential:
    g = seeded(seed)
    sizes = [inputs] + [width] * layers
    parts = [LogicLayer(a, b, initialization="normal", generator=g) for a, b in itertools.pairwise(sizes)]
    return Sequential(*parts, GroupSum(classes))


def lookup() -> Sequential:
    g = seeded(1)
    layers = [
        LookupLayer(12, 20, inputs=k, parametrization=p, initialization="normal", generator=g) if k == 4 else
        LookupLayer(20, 20, inputs=k, parametrization=p, initialization="normal", generator=g)
        for k, p in ((4, Light4()), (1, Light4()), (2, Walsh4()), (3, Light4()), (6, Walsh4()))
    ]  # fmt: skip
    return Sequential(*layers, GroupSum(4, 2.0))


def images() -> Sequential:
    g = seeded(2)
    return Sequential(
        Thermometer(3, event_dims=3).fit(torch.arange(256.0).reshape(1, 1, 16, 16)),
        LogicConv2d(6, 5, 3, depth=3, padding=1, pool=2, initialization="normal", generator=g),
        LogicConv2d(5, 4, 2, depth=2, groups=1, initialization="normal", generator=g),
        nn.Flatten(),
        LogicLayer(36, 40, initialization="normal", generator=g),
        GroupSum(5),
    )


def learned() -> Sequential:
    g = seeded(3)
    return Sequential(
        Binarize(0.3),
        LogicLayer(9, 30, wiring="learnable", candidates=3, initialization="normal", generator=g),
        LogicLayer(30, 14, wiring="unique", initialization="normal", generator=g),
    )


EVENTS = {"dense": (20,), "lookup": (12,), "images": (2, 8, 8), "learned": (9,)}
NETWORKS = {"dense": dense, "lookup": lookup, "images": images, "learned": learned}


def rows(name: str, count: int, seed: int = 0) -> torch.Tensor:
    """Inputs as the network takes them."""
    g = seeded(seed)
    event = EVENTS[name]
    if name == "images":
        return torch.randint(256, (count, *event), generator=g, dtype=torch.uint8)
    x = torch.rand(count, *event, generator=g)
    return x if name == "learned" else x.round()
