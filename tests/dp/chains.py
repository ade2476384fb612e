"""Random chains, and their enumerations."""

import math

import torch

from tests.oracles.chain_enumeration import Enumeration

FORMS = ["shared", "sequence", "step", "shared step"]


def make(
    batch=3, steps=4, states=3, form="shared", boundaries=True, forbid=0.0, seed=0, scale=1.0, dtype=torch.float64
):
    """Random factors and their enumerations, one a sequence."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        x = torch.randn(*shape, generator=g, dtype=torch.float64) * scale
        x[torch.rand(x.shape, generator=g) < forbid] = -math.inf
        return x.to(dtype)

    shapes = {
        "shared": (states, states),
        "sequence": (batch, states, states),
        "step": (batch, steps - 1, states, states),
        "shared step": (1, steps - 1, states, states),
    }
    unary, transition = draw(batch, steps, states), draw(*shapes[form])
    start, end = (draw(states), draw(batch, states)) if boundaries else (None, None)
    lengths = torch.randint(1, steps + 1, (batch,), generator=g)
    lengths[0] = steps
    return [unary, transition, start, end, lengths]


def enumerate_all(unary, transition, start, end, lengths):
    result = []
    for b in range(unary.shape[0]):
        matrix = transition
        if transition.ndim == 3:
            matrix = transition[b]
        elif transition.ndim == 4:
            matrix = transition[0 if transition.shape[0] == 1 else b]
        result.append(Enumeration(unary[b], matrix, start, None if end is None else end[b], lengths[b]))
    return result
