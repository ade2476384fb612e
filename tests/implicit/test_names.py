"""Solvers by name: the same as the object with its default settings."""

import pytest
import torch

from algonets.implicit import (
    DEQ,
    GMRES,
    LBFGS,
    Anderson,
    Broyden,
    Dense,
    GaussNewton,
    Implicit,
    LevenbergMarquardt,
    Newton,
    NormalCG,
    Picard,
    ProjectedGradient,
    argmin,
    fixed_point,
    least_squares,
    project_simplex,
    root,
)

F64 = torch.float64


def equal(by_name, by_object):
    assert torch.equal(by_name.value, by_object.value)
    assert torch.equal(by_name.iterations, by_object.iterations)


@pytest.mark.parametrize(
    ("name", "solver"), [("anderson", Anderson()), ("broyden", Broyden()), ("picard", Picard()), ("newton", Newton())]
)
def test_fixed_points(name, solver):
    z = torch.zeros(2, 3, dtype=F64)
    equal(fixed_point(torch.cos, z, solver=name), fixed_point(torch.cos, z, solver=solver))


@pytest.mark.parametrize(("name", "solver"), [("newton", Newton()), ("broyden", Broyden(exact_start=True))])
def test_roots(name, solver):
    a = torch.tensor([[2.0, 3.0]], dtype=F64)
    equal(*(root(lambda z: z**3 + z - a, torch.zeros_like(a), solver=s) for s in (name, solver)))


@pytest.mark.parametrize(("name", "solver"), [("lbfgs", LBFGS()), ("newton", Newton())])
def test_minimisers(name, solver):
    a = torch.tensor([[2.0, 3.0]], dtype=F64)
    equal(*(argmin(lambda x: (x - a).square().sum(-1), torch.zeros_like(a), solver=s) for s in (name, solver)))


def test_projected_minimisers():
    a = torch.tensor([[2.0, 1.5]], dtype=F64)
    equal(
        *(
            argmin(lambda x: (x - a).square().sum(-1), torch.zeros_like(a), project=project_simplex, solver=s)
            for s in ("projected_gradient", ProjectedGradient())
        )
    )


@pytest.mark.parametrize(
    ("name", "solver"), [("levenberg_marquardt", LevenbergMarquardt()), ("gauss_newton", GaussNewton())]
)
def test_least_squares(name, solver):
    a = torch.tensor([[2.0, 3.0]], dtype=F64)
    equal(*(least_squares(lambda x: x.square() - a, torch.ones_like(a), solver=s) for s in (name, solver)))


@pytest.mark.parametrize(
    ("name", "adjoint"),
    [
        ("gmres", GMRES()),
        ("normal_cg", NormalCG()),
        ("dense", Dense()),
        ("anderson", Anderson()),
        ("broyden", Broyden()),
        ("picard", Picard()),
    ],
)
def test_adjoints(name, adjoint):
    assert Implicit(name) == Implicit(adjoint)
    assert Implicit(adjoint=name).adjoint == adjoint


def test_layers():
    assert DEQ(torch.cos, solver="broyden").solver == Broyden()


@pytest.mark.parametrize(
    "make",
    [
        lambda: fixed_point(torch.cos, torch.zeros(1), solver="andersen"),
        lambda: root(torch.cos, torch.zeros(1), solver="lbfgs"),
        lambda: argmin(lambda x: x.square().sum(-1), torch.zeros(1), solver="anderson"),
        lambda: least_squares(lambda x: x, torch.zeros(1), solver="lm"),
        lambda: DEQ(torch.cos, solver=""),
        lambda: Implicit("cg"),
    ],
)
def test_unknown_names(make):
    with pytest.raises(ValueError, match=r"must be one of \".*, got '"):
        make()
