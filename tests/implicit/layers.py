"""Contractions to solve, solvers, adjoints and backwards to try."""

import pytest
import torch

from algonets.implicit import (
    GMRES,
    Anderson,
    Broyden,
    Checkpoint,
    Dense,
    Implicit,
    Newton,
    NormalCG,
    Picard,
    Unroll,
)

F64 = torch.float64
SOLVERS = [Picard(), Picard(0.8), Anderson(), Anderson(memory=2, damping=0.9), Broyden(), Broyden(exact_start=True)]
SOLVERS += [Broyden(memory=3), Newton(), Newton(GMRES()), Newton(NormalCG())]
ADJOINTS = [GMRES(), GMRES(restart=3), NormalCG(), Dense(), Anderson(), Broyden(), Picard()]
BACKWARDS = [*map(Implicit, ADJOINTS), Implicit(order=1), Unroll(), Checkpoint(3)]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=str)
each_backward = pytest.mark.parametrize("backward", BACKWARDS, ids=str)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def linear(seed=0, batch=4, n=6, radius=0.6):
    """``z = M z + x`` for each example: solution ``(1 - M)^-1 x``."""
    matrix = randn(batch, n, n, seed=seed)
    matrix = radius * matrix / torch.linalg.eigvals(matrix).abs().amax(1)[:, None, None]
    return matrix.requires_grad_(), randn(batch, n, seed=seed + 1).requires_grad_()


def affine(z, matrix, x):
    return (matrix @ z.unsqueeze(-1)).squeeze(-1) + x


def tanh_layer(batch=3, n=5):
    weight = 0.5 * randn(n, n, seed=7) / n**0.5
    return weight.requires_grad_(), randn(batch, n, seed=8).requires_grad_()
