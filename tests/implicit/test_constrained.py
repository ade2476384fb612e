"""Projections, constraints and quadratic programmes against closed forms and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from torch.autograd import gradcheck, gradgradcheck

from algonets.implicit import (
    ConvergenceError,
    Unroll,
    argmin,
    project_ball,
    project_box,
    project_simplex,
    quadratic_program,
)

F64 = torch.float64


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def nearest(y, **settings):
    return argmin(lambda x: (x - y).square().sum(-1), torch.zeros_like(y), **settings)


def sums_to_one(x):
    return x.sum(-1, keepdim=True) - 1


def simplex_programme(y):
    n = y.shape[-1]
    eye, ones = torch.eye(n, dtype=y.dtype), torch.ones(1, n, dtype=y.dtype)
    return quadratic_program(eye, -y, A=ones, b=ones[:, 0], G=-eye, h=torch.zeros(n, dtype=y.dtype)).value


SIMPLEX = {
    "closed form": project_simplex,
    "projected": lambda y: nearest(y, project=project_simplex, tolerance=1e-12).value,
    "constrained": lambda y: nearest(y, equality=sums_to_one, inequality=lambda x: -x).value,
    "programme": simplex_programme,
}


@pytest.mark.parametrize("way", SIMPLEX)
def test_simplex_projection(way):
    y = randn(5, 6).requires_grad_()
    x = SIMPLEX[way](y)
    assert (x >= -1e-12).all()
    torch.testing.assert_close(x.sum(-1), torch.ones(5, dtype=F64))
    torch.testing.assert_close(x, project_simplex(y), rtol=1e-8, atol=1e-8)
    assert gradcheck(SIMPLEX[way], y)
    support = (project_simplex(y) > 0).to(F64)
    jacobian = torch.diag_embed(support) - support[:, :, None] * support[:, None] / support.sum(-1)[:, None, None]
    found = torch.autograd.functional.jacobian(lambda y: SIMPLEX[way](y).sum(0), y.detach()).movedim(1, 0)
    torch.testing.assert_close(found, jacobian, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("way", ["projected", "constrained", "programme"])
def test_simplex_projection_twice_and_transformed(way):
    y = randn(2, 4).requires_grad_()
    assert gradgradcheck(lambda y: SIMPLEX[way](y * y), y)
    plain = torch.autograd.functional.jacobian(SIMPLEX[way], y.detach())
    torch.testing.assert_close(torch.func.jacrev(SIMPLEX[way])(y.detach()), plain, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(torch.func.vmap(SIMPLEX[way])(y.detach()), SIMPLEX[way](y.detach()))


def test_other_projections():
    y = 2 * randn(4, 3)
    torch.testing.assert_close(project_ball(y).norm(dim=1).clamp_max(1), project_ball(y).norm(dim=1))
    torch.testing.assert_close(nearest(y, project=project_ball).value, project_ball(y))
    assert torch.equal(project_box(y, -1.0, 1.0), y.clamp(-1, 1))
    assert torch.equal(project_ball(0.01 * y), 0.01 * y)
    assert torch.equal(project_simplex(torch.zeros(4)), torch.full((4,), 0.25))
    assert project_simplex(torch.zeros(0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match="at least one entry"):
        project_simplex(torch.zeros(2, 0))


def programme(seed=0, batch=3, n=5, m=7, p=2):
    factor, point = randn(batch, n, n, seed=seed), randn(batch, n, 1, seed=seed + 1)
    Q = factor @ factor.mT + 0.1 * torch.eye(n, dtype=F64)
    A, G = randn(batch, p, n, seed=seed + 2), randn(batch, m, n, seed=seed + 3)
    h = (G @ point).squeeze(-1) + randn(batch, m, seed=seed + 4).abs()
    return [Q, randn(batch, n, seed=seed + 5), A, (A @ point).squeeze(-1), G, h]


def solve(Q, q, A, b, G, h, **settings):
    return quadratic_program(Q, q, A=A, b=b, G=G, h=h, **settings)


@pytest.mark.parametrize("seed", range(3))
def test_programme_equals_scipy(seed):
    data = programme(seed)
    x = solve(*data).value
    for i in range(3):
        Q, q, A, b, G, h = (t[i].numpy() for t in data)
        constraints = [
            {"type": "eq", "fun": lambda x, A=A, b=b: A @ x - b},
            {"type": "ineq", "fun": lambda x, G=G, h=h: h - G @ x},
        ]
        truth = optimize.minimize(
            lambda x, Q=Q, q=q: 0.5 * x @ Q @ x + q @ x, np.zeros(5), jac=lambda x, Q=Q, q=q: Q @ x + q,
            constraints=constraints, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        np.testing.assert_allclose(x[i], truth.x, atol=1e-5)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_optimality_conditions(seed, n, m):
    Q, q, A, b, G, h = programme(seed, 2, n, m, p=min(1, n - 1))
    x, nu, multiplier = solve(Q, q, A, b, G, h, multipliers=True).value
    times = lambda matrix, vector: (matrix @ vector.unsqueeze(-1)).squeeze(-1)  # noqa: E731
    slack = h - times(G, x)
    scale = 1 + multiplier.abs().sum() + nu.abs().sum() + x.abs().sum()
    assert (times(Q, x) + q + times(A.mT, nu) + times(G.mT, multiplier)).abs().max() < 1e-7 * scale
    assert A.shape[1] == 0 or (times(A, x) - b).abs().max() < 1e-7 * scale
    assert m == 0 or (slack.min() > -1e-7 * scale and multiplier.min() > -1e-7 * scale)
    assert m == 0 or (slack * multiplier).abs().max() < 1e-7 * scale**2


def test_programme_derivatives():
    data = [t.requires_grad_() for t in programme(batch=2, n=3, m=4, p=1)]
    function = lambda *data: solve(*data, multipliers=True).value  # noqa: E731
    assert gradcheck(function, data) and gradgradcheck(function, data, fast_mode=True)
    plain = [t.detach() for t in data]
    one = lambda *data: solve(*data).value  # noqa: E731
    torch.testing.assert_close(torch.func.vmap(one)(*plain), one(*plain))


def test_programmes_without_constraints_or_batch():
    Q, q, *_ = programme(batch=1)
    torch.testing.assert_close(quadratic_program(Q[0], q[0]).value, -torch.linalg.solve(Q[0], q[0]))
    assert quadratic_program(Q[:0], q[:0]).value.shape == (0, 5)
    linear = quadratic_program(
        torch.zeros(2, 2), torch.tensor([-1.0, -2.0]), G=torch.tensor([[1.0, 1], [-1, 0], [0, -1]]),
        h=torch.tensor([1.0, 0, 0]),
    )  # fmt: skip
    torch.testing.assert_close(linear.value, torch.tensor([0.0, 1.0]))


def test_no_programme_depends_on_the_batch():
    data = programme(batch=4)
    whole = solve(*data)
    for i in range(4):
        alone = solve(*(t[i] for t in data))
        torch.testing.assert_close(alone.value, whole.value[i], rtol=1e-12, atol=1e-12)
        assert alone.iterations == whole.iterations[i]


def test_infeasible_and_unbounded_programmes():
    eye, one = torch.eye(1), torch.ones(1)
    apart = {"G": torch.tensor([[1.0], [-1.0]])}
    with pytest.raises(ConvergenceError, match="quadratic_program must reach"):
        quadratic_program(eye, one, h=torch.tensor([-1.0, -1.0]), **apart)
    with pytest.raises(ConvergenceError, match="feasible point and a minimum"):
        quadratic_program(0 * eye, one)
    mixed = quadratic_program(eye, one, h=torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), on_failure="mask", **apart)
    assert mixed.converged.tolist() == [True, False]
    torch.testing.assert_close(mixed.value[0], -one)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"A": torch.ones(1, 2)}, ValueError, "together with A"),
        ({"A": torch.ones(1, 3), "b": torch.ones(1)}, ValueError, "n = 2"),
        ({"G": torch.ones(2, 2), "h": torch.ones(1)}, ValueError, "one entry a row"),
        ({"G": torch.ones(1, 2), "h": torch.full((1,), torch.nan)}, ValueError, "finite"),
        ({"G": torch.ones(1, 2).double(), "h": torch.ones(1)}, TypeError, "dtype"),
        ({"backward": Unroll()}, TypeError, "Implicit"),
    ],
)
def test_wrong_programmes(settings, error, text):
    with pytest.raises(error, match=text):
        quadratic_program(torch.eye(2), torch.ones(2), **settings)


# ---- general constraints


def test_equality_and_curved_inequality():
    y = randn(4, 3).mul(2).requires_grad_()
    ball = lambda x: x.square().sum(-1, keepdim=True) - 1  # noqa: E731
    inside = nearest(y, inequality=ball)
    torch.testing.assert_close(inside.value, project_ball(y), rtol=1e-7, atol=1e-7)
    sphere = lambda y: nearest(y, inequality=ball).value  # noqa: E731
    assert gradcheck(sphere, y) and gradgradcheck(sphere, y)
    plane = lambda y: nearest(y, equality=sums_to_one).value  # noqa: E731
    torch.testing.assert_close(plane(y), y - (y.sum(-1, keepdim=True) - 1) / 3)
    assert gradcheck(plane, y)


def test_parameters_of_constraints():
    bound = torch.tensor([[0.3], [5.0]], dtype=F64, requires_grad=True)
    y = torch.ones(2, 1, dtype=F64)
    x = nearest(y, inequality=lambda x: x - bound).value
    torch.testing.assert_close(x, torch.tensor([[0.3], [1.0]], dtype=F64))
    (gradient,) = torch.autograd.grad(x.sum(), bound)
    torch.testing.assert_close(gradient, torch.tensor([[1.0], [0.0]], dtype=F64))


def test_wrong_constraints():
    y = randn(2, 3)
    with pytest.raises(ValueError, match="must stand alone"):
        nearest(y, project=project_simplex, equality=sums_to_one)
    with pytest.raises(ValueError, match=r"argmin.equality. must return the shape"):
        nearest(y, equality=lambda x: x.sum())
    with pytest.raises(ValueError, match="one value an example"):
        argmin(lambda x: x.sum(), torch.zeros(2, 3))
    with pytest.raises(ConvergenceError):
        nearest(y, inequality=lambda x: x.square().sum(-1, keepdim=True) + 1)
