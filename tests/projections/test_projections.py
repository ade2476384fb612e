"""Invariants of projections, limits of entmax, and that all ways to a derivative agree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

import algonets as an
from algonets import projections

F64 = torch.float64
TARGETS = torch.tensor([3.0, 1.0, 0.5, -2.0, 1.0], dtype=F64)
MAPS = {
    "simplex": projections.project_simplex,
    "simplex 3": lambda x: projections.project_simplex(x, 3.0),
    "l1": lambda x: projections.project_l1_ball(x, 0.7),
    "ball": projections.project_ball,
    "box": lambda x: projections.project_box(x, -0.4, 0.6),
    "permutahedron": lambda x: projections.project_permutahedron(x, TARGETS),
    "sparsemax": projections.sparsemax,
    "entmax 1.2": lambda x: projections.entmax(x, 1.2),
    "entmax 1.5": projections.entmax,
    "entmax 2.5": lambda x: projections.entmax(x, 2.5),
    "softmax": lambda x: projections.entmax(x, 1),
}
EUCLIDEAN = ["simplex", "simplex 3", "l1", "ball", "box", "permutahedron", "sparsemax"]
every_map = pytest.mark.parametrize("name", MAPS)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("name", EUCLIDEAN)
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 20.0]))
def test_nearest_point(name, seed, scale):
    """Idempotent, and no point of the set lies on the other side: <x - y, z - y> <= 0."""
    x, other = scale * randn(5, seed=seed), MAPS[name](randn(5, seed=seed + 1))
    y = MAPS[name](x)
    torch.testing.assert_close(MAPS[name](y), y, rtol=1e-9, atol=1e-9)
    assert (x - y) @ (other - y) <= 1e-9 * (1 + x.abs().max())


@every_map
def test_all_derivatives_agree(name):
    """The Jacobian by hand (eager), torch.func reverse and forward, and finite differences; twice, too."""
    x = randn(3, 5, seed=3)
    eager = torch.autograd.functional.jacobian(lambda x: MAPS[name](x).sum(0), x).movedim(1, 0)
    reverse = torch.func.vmap(torch.func.jacrev(MAPS[name]))(x)
    torch.testing.assert_close(reverse, eager, rtol=1e-8, atol=1e-10)
    if name != "permutahedron":  # in-place scatters of the reference have no forward mode under vmap
        torch.testing.assert_close(torch.func.vmap(torch.func.jacfwd(MAPS[name]))(x), eager, rtol=1e-8, atol=1e-10)
    x.requires_grad_()
    assert torch.autograd.gradcheck(MAPS[name], x)
    assert torch.autograd.gradgradcheck(lambda x: MAPS[name](x * x), x)


def test_entmax_from_softmax_to_sparsemax():
    x = randn(4, 6)
    torch.testing.assert_close(projections.entmax(x, 2), projections.sparsemax(x))
    torch.testing.assert_close(projections.entmax(x, 1.0 + 1e-6), torch.softmax(x, -1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(projections.entmax(x, 1.5 + 1e-9), projections.entmax(x), rtol=1e-6, atol=1e-7)
    support = [(projections.entmax(x, alpha) > 0).sum() for alpha in (1, 1.3, 1.7, 2, 4)]
    assert support == sorted(support, reverse=True)
    for alpha in (1, 1.2, 1.5, 2, 3):
        torch.testing.assert_close(projections.entmax(x, alpha).sum(-1), torch.ones(4, dtype=F64))


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2])
def test_ties_and_forbidden_entries(alpha):
    torch.testing.assert_close(projections.entmax(torch.zeros(4), alpha), torch.full((4,), 0.25))
    x = torch.tensor([0.1, -torch.inf, 0.3], requires_grad=True)
    y = projections.entmax(x, alpha)
    assert y[1] == 0
    torch.testing.assert_close(y[[0, 2]], projections.entmax(x.detach()[[0, 2]], alpha))
    (y * torch.arange(3)).sum().backward()
    assert x.grad.isfinite().all() and x.grad[1] == 0


def test_totals_and_radii_have_gradients():
    x, size = randn(3, 4), torch.tensor([0.5, 1.0, 2.0], dtype=F64, requires_grad=True)
    for project in (projections.project_simplex, projections.project_l1_ball, projections.project_ball):
        assert torch.autograd.gradcheck(lambda size, project=project: project(3 * x, size), size)


def test_permutahedron_at_its_limits():
    """Items far apart give a permutation of the targets, by the assignment; one batch of targets serves all."""
    x = 1e4 * randn(3, 5)
    y = projections.project_permutahedron(x, TARGETS)
    for k in range(3):
        _, columns = linear_sum_assignment(-x[k, :, None].numpy() * TARGETS.numpy())
        torch.testing.assert_close(y[k], TARGETS[columns])
    assert projections.project_permutahedron(x[0], TARGETS.expand(2, 5)).shape == (2, 5)
    with an.backend("torch"):
        torch.testing.assert_close(projections.project_permutahedron(x / 1e4, TARGETS), MAPS["permutahedron"](x / 1e4))
    half = projections.project_permutahedron(x.bfloat16(), TARGETS.bfloat16())
    assert half.dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"\(n,\) or \(\*batch, n\)"):
        projections.project_permutahedron(x, TARGETS[:3])


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least 1, and finite"):
        projections.entmax(torch.zeros(2), 0.5)
    with pytest.raises(TypeError, match="must be a number"):
        projections.entmax(torch.zeros(2), "1.5")
    with pytest.raises(ValueError, match="must be positive"):
        projections.project_l1_ball(torch.zeros(2), -1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_ball_takes_numbers_whose_squares_overflow(dtype):
    largest = 300.0 if dtype == torch.float16 else 1e30
    x = largest * torch.tensor([3.0, -4.0]).to(dtype)
    assert torch.allclose(projections.project_ball(x, 5.0).float(), torch.tensor([3.0, -4.0]), atol=5e-3)
