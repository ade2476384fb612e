"""Fixed points: known solutions and gradients, every solver with every backward, batches, failures, memory."""

import gc

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.implicit import (
    Anderson,
    Broyden,
    Checkpoint,
    ConvergenceError,
    ConvergenceWarning,
    Implicit,
    Newton,
    Picard,
    Unroll,
    fixed_point,
)
from tests.implicit.layers import (
    ADJOINTS,
    F64,
    SOLVERS,
    affine,
    each_backward,
    each_solver,
    linear,
    randn,
    tanh_layer,
)


@each_solver
@each_backward
def test_linear_solution_and_gradient(solver, backward):
    matrix, x = linear()
    exact = torch.linalg.solve(torch.eye(6, dtype=F64) - matrix, x)
    weight = randn(4, 6, seed=5)
    truth = torch.autograd.grad((exact * weight).sum(), (matrix, x))
    start = torch.zeros(4, 6, dtype=F64)
    solution = fixed_point(affine, start, matrix, x, solver=solver, backward=backward, tolerance=1e-14)
    assert solution.converged.all() and (solution.residual <= 1e-14).all()
    torch.testing.assert_close(solution.value, exact, rtol=1e-9, atol=1e-9)
    found = torch.autograd.grad((solution.value * weight).sum(), (matrix, x))
    for a, b in zip(found, truth, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@each_solver
def test_unrolled_and_implicit_gradients_agree(solver):
    weight, x = tanh_layer()
    found = []
    for backward in (Implicit(), Unroll(), Checkpoint(4)):
        solution = fixed_point(
            lambda z: torch.tanh(z @ weight.T + x), torch.zeros(3, 5, dtype=F64), solver=solver, backward=backward,
            tolerance=1e-13,
        )  # fmt: skip
        found.append(torch.autograd.grad(solution.value.square().sum(), (weight, x)))
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def equilibrium(weight, x, **settings):
    start = torch.zeros_like(x)
    return fixed_point(lambda z: torch.tanh(z @ weight.T + x), start, tolerance=1e-14, on_failure="mask", **settings)


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=str)
def test_first_and_second_derivatives(adjoint):
    inputs = tanh_layer(2, 3)
    function = lambda *p: equilibrium(*p, backward=Implicit(adjoint)).value  # noqa: E731
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_an_order_too_high_is_refused():
    a = torch.tensor([0.5], dtype=F64, requires_grad=True)
    for order in (1, 2, 3):
        z = fixed_point(lambda z: a * z + 1, torch.zeros(1, dtype=F64), backward=Implicit(order=order)).value
        derivative, factorial = z, 1.0
        for k in range(1, order + 1):
            (derivative,) = torch.autograd.grad(derivative, a, create_graph=True)
            factorial *= k
            torch.testing.assert_close(derivative, torch.full_like(a, factorial * 2.0 ** (k + 1)), rtol=1e-7, atol=0)
        with pytest.raises(RuntimeError, match="order"):
            torch.autograd.grad(derivative, a)


def test_parameters_in_modules_and_closures():
    torch.manual_seed(0)
    module, x = torch.nn.Linear(4, 4).double(), randn(3, 4).requires_grad_()
    encoded = 2 * x  # not a leaf, reached through the closure
    fixed_point(lambda z: torch.tanh(0.4 * module(z) + encoded), torch.zeros(3, 4, dtype=F64)).value.sum().backward()
    z = torch.zeros(3, 4, dtype=F64)
    other = [p.detach().clone().requires_grad_() for p in (module.weight, module.bias, x)]
    for _ in range(200):
        z = torch.tanh(0.4 * torch.nn.functional.linear(z, *other[:2]) + 2 * other[2])
    truth = torch.autograd.grad(z.sum(), other)
    for a, b in zip((module.weight.grad, module.bias.grad, x.grad), truth, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@each_solver
def test_no_result_depends_on_the_batch(solver):
    matrix, x = linear(batch=6)
    with torch.no_grad():
        scale = torch.tensor([0.1, 0.5, 0.9, 1.0, 1.3, 1.5], dtype=F64)  # some take many iterations, some few
        matrix = matrix * scale[:, None, None]
        whole = fixed_point(affine, torch.zeros(6, 6, dtype=F64), matrix, x, solver=solver, max_iterations=2000)
        for i in range(6):
            alone = fixed_point(affine, torch.zeros(6, dtype=F64), matrix[i], x[i], solver=solver, max_iterations=2000)
            torch.testing.assert_close(alone.value, whole.value[i], rtol=1e-12, atol=1e-12)
            assert alone.iterations == whole.iterations[i]
    assert len(set(whole.iterations.tolist())) > 1 or solver in (Broyden(exact_start=True), *SOLVERS[-3:])


@each_backward
def test_no_gradient_depends_on_the_batch(backward):
    matrix, x = linear(batch=3)
    run = lambda m, x: fixed_point(affine, torch.zeros_like(x), m, x, backward=backward).value.square().sum()  # noqa: E731
    whole = torch.autograd.grad(run(matrix, x), x)[0]
    for i in range(3):
        alone = x.detach()[i].requires_grad_()
        torch.testing.assert_close(
            torch.autograd.grad(run(matrix[i], alone), alone)[0], whole[i], rtol=1e-12, atol=1e-12
        )


@each_solver
def test_a_broken_example_spoils_no_other(solver):
    matrix, x = linear(batch=3)
    good = fixed_point(affine, torch.zeros(3, 6, dtype=F64), matrix, x, solver=solver)
    bad_x = x.detach().clone()
    bad_x[1, 0] = torch.nan
    bad_x.requires_grad_()
    bad = fixed_point(affine, torch.zeros(3, 6, dtype=F64), matrix, bad_x, solver=solver, on_failure="mask")
    assert bad.converged.tolist() == [True, False, True]
    torch.testing.assert_close(bad.value[[0, 2]], good.value[[0, 2]], rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(s.value.sum(), given)[0] for s, given in ((good, x), (bad, bad_x))]
    torch.testing.assert_close(gradients[1][[0, 2]], gradients[0][[0, 2]], rtol=1e-9, atol=1e-9)
    assert (gradients[1][1] == 0).all()


def diverging(z):
    return 3 * z + 1


def test_failures():
    start = torch.zeros(2, 1, dtype=F64)
    with pytest.raises(ConvergenceError, match=r"fixed_point must reach .* got .* in 2 of 2 .*on_failure='mask'"):
        fixed_point(diverging, start, solver=Picard(), max_iterations=20)
    with pytest.warns(ConvergenceWarning, match="2 of 2"):
        fixed_point(diverging, start, solver=Picard(), max_iterations=20, on_failure="warn")
    solution = fixed_point(diverging, start, solver=Picard(), max_iterations=20, on_failure="mask")
    assert not solution.converged.any() and solution.value.isfinite().all()
    with pytest.raises(ConvergenceError, match="NaN or inf"):
        fixed_point(lambda z: z * torch.nan, start)
    # Anderson and Newton find the fixed point of a step that repels.
    for solver in (Anderson(), Newton(), Broyden()):
        torch.testing.assert_close(fixed_point(diverging, start, solver=solver).value, start - 0.5)


def test_a_singular_adjoint_is_reported():
    a = torch.zeros(1, dtype=F64, requires_grad=True)
    z = fixed_point(lambda z: z + a, torch.zeros(1, dtype=F64)).value  # every z is a fixed point
    with pytest.raises(ConvergenceError, match="adjoint"):
        z.sum().backward()


def test_saved_memory_is_constant():
    weight, x = tanh_layer(16, 32)

    def saved(backward, iterations):
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            solution = fixed_point(
                lambda z: torch.tanh(z @ weight.T + x), torch.zeros(16, 32, dtype=F64), solver=Picard(),
                backward=backward, tolerance=1e-300, max_iterations=iterations, on_failure="mask",
            )  # fmt: skip
        assert solution.iterations.max() == iterations
        return sum(kept)

    few, many = (saved(Implicit(), n) for n in (10, 200))
    assert few == many
    assert saved(Implicit(order=1), 50) < few
    assert saved(Unroll(), 30) > 2 * saved(Unroll(), 10)


def test_nothing_leaks():
    weight, x = tanh_layer()
    for _ in range(2):
        fixed_point(lambda z: torch.tanh(z @ weight.T + x), torch.zeros(3, 5, dtype=F64)).value.sum().backward()
    gc.collect()
    before = sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())
    for _ in range(5):
        fixed_point(lambda z: torch.tanh(z @ weight.T + x), torch.zeros(3, 5, dtype=F64)).value.sum().backward()
    gc.collect()
    assert sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects()) <= before + 2


def test_transforms_of_torch_func():
    weight, x = (t.detach() for t in tanh_layer())
    coefficients = randn(3, 5, seed=3)
    loss = lambda w, x: (equilibrium(w, x).value * coefficients).sum()  # noqa: E731
    one = lambda w, x: equilibrium(w, x).value  # noqa: E731
    tracked = weight.clone().requires_grad_(), x.clone().requires_grad_()
    truth = torch.autograd.grad(loss(*tracked), tracked)
    for a, b in zip(torch.func.grad(loss, (0, 1))(weight, x), truth, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    mapped = torch.func.vmap(one, (None, 0))(weight, x)
    torch.testing.assert_close(mapped, one(weight, x), rtol=1e-12, atol=1e-12)
    outer = torch.func.grad(lambda w: (torch.func.vmap(one, (None, 0))(w, x) * coefficients).sum())(weight)
    torch.testing.assert_close(outer, truth[0], rtol=1e-9, atol=1e-9)
    inner = torch.func.vmap(torch.func.grad(lambda x, c: (one(weight, x) * c).sum()))(x, coefficients)
    torch.testing.assert_close(inner, truth[1], rtol=1e-9, atol=1e-9)
    hessian = torch.autograd.functional.hessian(lambda x: loss(weight, x), x)
    torch.testing.assert_close(torch.func.hessian(loss, 1)(weight, x), hessian, rtol=1e-7, atol=1e-9)
    assert gradcheck(equilibrium_value, tracked, check_forward_ad=True)
    whole = torch.func.vmap(lambda x: fixed_point(lambda z: torch.tanh(z @ weight.T + x), torch.zeros_like(x)))(x)
    assert whole.converged.shape == (3,) and whole.converged.all()


def equilibrium_value(*inputs):
    return equilibrium(*inputs).value


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_vmap_of_every_solver(solver):
    matrix, x = (t.detach() for t in linear())
    one = lambda m, x: fixed_point(affine, torch.zeros(6, dtype=F64), m, x, solver=solver).value  # noqa: E731
    whole = fixed_point(affine, torch.zeros(4, 6, dtype=F64), matrix, x, solver=solver).value
    torch.testing.assert_close(torch.func.vmap(one)(matrix, x), whole, rtol=1e-10, atol=1e-10)


def test_pytrees():
    a = randn(2, 3, 3).mul(0.1).requires_grad_()
    start = {"matrix": torch.zeros(2, 3, 3, dtype=F64), "more": [torch.zeros(2, 4, dtype=F64)]}

    def step(z):
        total = z["more"][0].sum(-1)[:, None, None]
        return {"matrix": a + 0.05 * total, "more": [0.1 * z["matrix"].sum((-2, -1))[:, None] + 0 * z["more"][0] + 1]}

    solution = fixed_point(step, start, event_dims={"matrix": 2, "more": [1]}, tolerance=1e-13)
    z = solution.value
    for leaf, again in zip((z["matrix"], z["more"][0]), (step(z)["matrix"], step(z)["more"][0]), strict=True):
        torch.testing.assert_close(leaf, again)
    assert solution.converged.shape == (2,)
    # s = sum of the matrix: m = 0.1 s + 1, s = sum(a) + 9 * 0.05 * 4 m
    m = (0.1 * a.sum((-2, -1)) + 1) / (1 - 0.18)
    torch.testing.assert_close(z["more"][0][:, 0], m)
    torch.testing.assert_close(torch.autograd.grad(z["more"][0][:, 0].sum(), a)[0], torch.autograd.grad(m.sum(), a)[0])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_batch_shapes(shape):
    x = randn(*shape, 4)
    solution = fixed_point(lambda z: 0.5 * z + x, torch.zeros_like(x))
    torch.testing.assert_close(solution.value, 2 * x)
    assert solution.converged.shape == solution.iterations.shape == solution.residual.shape == shape
    torch.testing.assert_close(fixed_point(lambda z: 0.5 * z + x, torch.zeros_like(x), event_dims=0).value, 2 * x)


@each_solver
@each_backward
def test_empty_batch(solver, backward):
    x = torch.zeros(0, 4, dtype=F64, requires_grad=True)
    solution = fixed_point(lambda z: 0.5 * z + x, torch.zeros(0, 4, dtype=F64), solver=solver, backward=backward)
    assert solution.value.shape == (0, 4) and solution.converged.shape == (0,)
    solution.value.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_narrow_types(dtype):
    x = randn(3, 4).to(dtype).requires_grad_()
    solution = fixed_point(lambda z: 0.5 * z + x, torch.zeros_like(x))
    assert solution.value.dtype == dtype
    slack = 100 * torch.finfo(dtype).eps if dtype == torch.float32 else 0.05
    torch.testing.assert_close(solution.value, 2 * x, rtol=slack, atol=slack)
    solution.value.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 2), rtol=slack, atol=slack)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    x = randn(3, 4).cuda().requires_grad_()
    for solver in SOLVERS:
        solution = fixed_point(lambda z: 0.5 * torch.tanh(z) + x, torch.zeros_like(x), solver=solver)
        assert solution.value.is_cuda and solution.converged.is_cuda
        solution.value.sum().backward()
