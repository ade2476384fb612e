"""Roots, minimisers and least squares against SciPy and closed forms; derivatives; failures."""

import numpy as np
import pytest
import torch
from scipy import optimize
from torch.autograd import gradcheck, gradgradcheck

from algonets.implicit import (
    GMRES,
    LBFGS,
    Broyden,
    Checkpoint,
    ConvergenceError,
    Dense,
    GaussNewton,
    Implicit,
    LevenbergMarquardt,
    Newton,
    NormalCG,
    OneStep,
    Truncated,
    Unroll,
    argmin,
    implicit,
    least_squares,
    root,
)

F64 = torch.float64
ROOT_SOLVERS = [Newton(), Newton(GMRES()), Newton(NormalCG()), Broyden(exact_start=True)]


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def circle(z, a):
    """Where a circle of radius a meets ``y = x^3``."""
    return torch.stack([z[..., 0] ** 2 + z[..., 1] ** 2 - a[..., 0] ** 2, z[..., 1] - z[..., 0] ** 3], -1)


@pytest.mark.parametrize("solver", ROOT_SOLVERS, ids=str)
def test_root_equals_scipy(solver):
    a = torch.tensor([[1.0], [2.0], [3.0]], dtype=F64)
    found = root(circle, torch.ones(3, 2, dtype=F64), a, solver=solver, tolerance=1e-12)
    for i in range(3):
        truth = optimize.root(lambda z, i=i: circle(torch.tensor(z), a[i]).numpy(), [1.0, 1.0], tol=1e-13)
        np.testing.assert_allclose(found.value[i], truth.x, rtol=1e-9)


@pytest.mark.parametrize("solver", ROOT_SOLVERS, ids=str)
@pytest.mark.parametrize("backward", [Implicit(), Implicit(Dense()), Unroll(), Checkpoint(2)], ids=str)
def test_root_gradient(solver, backward):
    a = torch.tensor([0.5, 2.5, 10.0], dtype=F64, requires_grad=True)
    solution = root(
        lambda z: z**3 + z - a, torch.zeros(3, dtype=F64), event_dims=0, solver=solver, backward=backward,
        tolerance=1e-13,
    )  # fmt: skip
    z = solution.value
    torch.testing.assert_close(torch.autograd.grad(z.sum(), a)[0], (1 / (3 * z**2 + 1)).detach(), rtol=1e-7, atol=1e-7)


def test_root_derivatives_and_transforms():
    a = torch.tensor([[1.0], [2.0]], dtype=F64, requires_grad=True)
    function = lambda a: root(circle, torch.ones(2, 2, dtype=F64), a, tolerance=1e-13, on_failure="mask").value  # noqa: E731
    assert gradcheck(function, a) and gradgradcheck(function, a)
    plain = torch.autograd.functional.jacobian(function, a.detach())
    torch.testing.assert_close(torch.func.jacrev(function)(a.detach()), plain)
    torch.testing.assert_close(torch.func.jacfwd(function)(a.detach()), plain)
    one = lambda a: root(circle, torch.ones(2, dtype=F64), a).value  # noqa: E731
    torch.testing.assert_close(torch.func.vmap(one)(a.detach()), function(a.detach()))


def test_root_refuses_fixed_point_backwards():
    for backward in (OneStep(), Truncated(2)):
        with pytest.raises(TypeError, match="fixed points only"):
            root(lambda z: z - 1, torch.zeros(1), backward=backward)


def test_no_root():
    with pytest.raises(ConvergenceError, match="root must reach"):
        root(lambda z: z**2 + 1, torch.ones(2, 1, dtype=F64))
    solution = root(lambda z: z**2 + torch.tensor([[1.0], [-1.0]]), torch.full((2, 1), 0.5), on_failure="mask")
    assert solution.converged.tolist() == [False, True]


# ---- argmin


FEATURES, SIGNS = randn(4, 20, 3, seed=1), randn(4, 20, seed=2).sign()


def logistic(w, penalty):
    margins = SIGNS * (FEATURES @ w.unsqueeze(-1)).squeeze(-1)
    return torch.nn.functional.softplus(-margins).sum(-1) + penalty * w.square().sum(-1)


@pytest.mark.parametrize("solver", [LBFGS(), LBFGS(memory=2), Newton(), Newton(GMRES())], ids=str)
@pytest.mark.parametrize("backward", [Implicit(), Implicit(NormalCG()), Unroll(), Checkpoint(3)], ids=str)
def test_argmin_equals_scipy(solver, backward):
    penalty = torch.tensor([0.1, 0.2, 0.3, 1.0], dtype=F64, requires_grad=True)
    solution = argmin(
        logistic, torch.zeros(4, 3, dtype=F64), penalty, solver=solver, backward=backward, tolerance=1e-12
    )

    def scalar(w, i):
        whole = torch.zeros(4, 3, dtype=F64)
        whole[i] = torch.tensor(w)
        return logistic(whole, penalty.detach())[i].item()

    for i in range(4):
        truth = optimize.minimize(scalar, np.zeros(3), args=(i,), tol=1e-12)
        np.testing.assert_allclose(solution.value[i].detach(), truth.x, atol=1e-6)
    exact = argmin(logistic, torch.zeros(4, 3, dtype=F64), penalty, solver=Newton(), tolerance=1e-13).value
    truth = torch.autograd.grad(exact.sum(), penalty)[0]
    torch.testing.assert_close(torch.autograd.grad(solution.value.sum(), penalty)[0], truth, rtol=1e-7, atol=1e-7)


def test_argmin_derivatives_and_transforms():
    penalty = torch.tensor([0.1, 0.2, 0.3, 1.0], dtype=F64, requires_grad=True)

    def function(penalty):
        start = torch.zeros(4, 3, dtype=F64)
        return argmin(logistic, start, penalty, solver=Newton(), tolerance=1e-13, on_failure="mask").value

    assert gradcheck(function, penalty) and gradgradcheck(function, penalty)
    plain = torch.autograd.functional.jacobian(function, penalty.detach())
    torch.testing.assert_close(torch.func.jacrev(function)(penalty.detach()), plain)
    torch.testing.assert_close(torch.func.jacfwd(function)(penalty.detach()), plain)


def test_a_minimiser_without_parameters_is_a_constant():
    assert not argmin(lambda x: (x - 1).square().sum(-1), torch.zeros(2)).value.requires_grad


@pytest.mark.parametrize("solver", [LBFGS(), Newton()], ids=str)
def test_an_indefinite_hessian_does_not_lead_uphill(solver):
    double_well = lambda x: (x**2 - 1).square().sum(-1)  # noqa: E731
    solution = argmin(double_well, torch.full((1, 2), 0.1, dtype=F64), solver=solver)
    torch.testing.assert_close(solution.value, torch.ones(1, 2, dtype=F64))


def test_argmin_on_rosenbrock():
    rosenbrock = lambda x: 100 * (x[..., 1] - x[..., 0] ** 2) ** 2 + (1 - x[..., 0]) ** 2  # noqa: E731
    for solver in (LBFGS(), Newton()):
        value = argmin(rosenbrock, torch.tensor([[-1.2, 1.0]], dtype=F64), solver=solver).value
        torch.testing.assert_close(value, torch.ones(1, 2, dtype=F64), rtol=1e-6, atol=1e-6)


# ---- least squares

TIMES = torch.linspace(0, 1, 20, dtype=F64)
SQUARES = [LevenbergMarquardt(), LevenbergMarquardt(10.0), GaussNewton(), LBFGS(), Newton()]


def decay(x, y):
    return x[..., :1] * torch.exp(-x[..., 1:] * TIMES) - y


@pytest.mark.parametrize("solver", SQUARES, ids=str)
def test_least_squares_equals_scipy(solver):
    y = (2 * torch.exp(-3 * TIMES) + 0.1 * randn(3, 20)).requires_grad_()
    found = least_squares(decay, torch.ones(3, 2, dtype=F64), y, solver=solver, tolerance=1e-11)
    for i in range(3):
        residuals = lambda x, i=i: x[0] * np.exp(-x[1] * TIMES.numpy()) - y[i].detach().numpy()  # noqa: E731
        truth = optimize.least_squares(residuals, [1.0, 1.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
        np.testing.assert_allclose(found.value[i].detach(), truth.x, atol=1e-7)

    def function(y):
        start = torch.ones(3, 2, dtype=F64)
        return least_squares(decay, start, y, solver=solver, tolerance=1e-12, on_failure="mask").value

    assert gradcheck(function, y, fast_mode=True)


def test_least_squares_twice():
    y = (2 * torch.exp(-3 * TIMES) + 0.1 * randn(2, 20)).requires_grad_()
    function = lambda y: least_squares(decay, torch.ones(2, 2, dtype=F64), y, tolerance=1e-13, on_failure="mask").value  # noqa: E731
    assert gradgradcheck(function, y, fast_mode=True)


def test_linear_least_squares_in_one_step():
    matrix, y = randn(4, 7, 3), randn(4, 7, seed=1)
    line = lambda x: (matrix @ x.unsqueeze(-1)).squeeze(-1) - y  # noqa: E731
    solution = least_squares(line, torch.zeros(4, 3, dtype=F64), solver=GaussNewton())
    torch.testing.assert_close(solution.value, torch.linalg.lstsq(matrix, y.unsqueeze(-1)).solution.squeeze(-1))
    assert (solution.iterations == 1).all()


# ---- solvers from elsewhere


def test_external_solver():
    def scipy_solver(a):
        return np.stack([optimize.root(lambda z, r=r: circle(torch.tensor(z), r).numpy(), [1.0, 1.0]).x for r in a])

    layer = implicit(scipy_solver, circle, tolerance=1e-7)
    a = torch.tensor([[1.0], [2.0]], dtype=F64, requires_grad=True)
    ours = root(circle, torch.ones(2, 2, dtype=F64), a).value
    found = layer(a)
    assert found.converged.all() and found.value.dtype == F64
    torch.testing.assert_close(found.value, ours)
    both = [torch.autograd.grad(value.sum(), a)[0] for value in (found.value, ours)]
    torch.testing.assert_close(*both)
    twice = implicit(lambda a: root(circle, torch.ones(2, 2, dtype=F64), a, tolerance=1e-13).value, circle)
    assert gradcheck(lambda a: twice(a).value, a) and gradgradcheck(lambda a: twice(a).value, a)
    torch.testing.assert_close(torch.func.grad(lambda a: twice(a).value.sum())(a.detach()), both[1])


def test_external_solver_that_is_wrong():
    with pytest.raises(ConvergenceError, match="implicit must reach"):
        implicit(lambda a: a, lambda z, a: z - 2 * a)(torch.ones(1))
    with pytest.raises(ValueError, match="must keep the structure"):
        implicit(lambda a: a, lambda z, a: z[:1])(torch.ones(2))
    with pytest.raises(TypeError, match="callable"):
        implicit(None, lambda z: z)
