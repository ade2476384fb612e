"""The native kernels of Projection equal the torch reference, and what traces torch sees them."""

import pytest
import torch

import algonets as an
from algonets._core.backend import native
from algonets.sort import Projection, soft_rank, soft_sort, soft_topk

if not an.native_status()[0]:
    pytest.skip("the native kernels are not built here", allow_module_level=True)


def operations(regularization, strength: float):
    method = Projection(regularization, strength)
    yield lambda x: soft_rank(x, method)
    yield lambda x: soft_topk(x, 0.4 * x.shape[-1], method, output="mask")
    yield lambda x: soft_topk(x, 1, method, output="mask", largest=False)
    if "sort" in method.abilities:
        yield lambda x: soft_sort(x, method)
        yield lambda x: soft_sort(x, method, descending=True)


def rows(n: int, dtype: torch.dtype) -> torch.Tensor:
    """Plain, tied, with both zeros, nearly sorted, and of widely different sizes."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(6, n, generator=generator, dtype=torch.float64)
    x[1] = torch.randint(-2, 3, (n,), generator=generator)
    x[2, ::2], x[2, 1::2] = 0.0, -0.0
    x[3] = x[3].sort().values
    x[4] = x[4].sign() * 10 ** (3 * x[4])
    return x.to(dtype)


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def isa(request):
    kernels = native()
    before = kernels.isa()
    try:
        kernels.select_isa(request.param)
    except ValueError:
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    kernels.select_isa(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("regularization", ["l2", "kl", 4 / 3, 1.7])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 40, 150])
def test_native_equals_reference(isa, regularization, n, dtype):
    x = rows(n, dtype).requires_grad_()
    tol = 1e-5 if dtype == torch.float32 else 1e-9
    for strength in (0.05, 1.0, 50.0):
        for operation in operations(regularization, strength):
            found = []
            for backend in ("native", "torch"):
                with an.backend(backend):
                    y = operation(x)
                    weight = torch.linspace(-1, 2, n, dtype=dtype).sin()
                    found.append((y.detach(), torch.autograd.grad((y * weight).sum(), x)[0] * strength))
            for ours, theirs in zip(*found, strict=True):
                size = 1 + float(theirs.abs().max())
                torch.testing.assert_close(ours, theirs, rtol=tol, atol=tol * size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [200, 5000])
def test_long_rows_are_sorted(isa, n, dtype):
    x = rows(n, dtype)[:4]
    assert torch.equal(soft_sort(x, Projection(strength=1e-6)), x.sort(stable=True).values)
    assert torch.equal(
        soft_sort(x, Projection(strength=1e-6), descending=True), x.sort(stable=True, descending=True).values
    )


def test_threads_change_nothing():
    x = torch.randn(64, 3000, generator=torch.Generator().manual_seed(0))
    try:
        an.set_num_threads(1)
        expected = [f(x) for f in operations("l2", 1.0)]
        an.set_num_threads(3)
        found = [f(x) for f in operations("l2", 1.0)]
    finally:
        an.set_num_threads(None)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("regularization", ["l2", "kl", 4 / 3])
def test_tracers_see_the_operators(regularization):
    x = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for operation in operations(regularization, 0.6):

        def loss(x, operation=operation):
            return operation(x).square().sum()

        wanted = torch.autograd.functional.jacobian(loss, x)
        assert isinstance(wanted, torch.Tensor)
        torch.testing.assert_close(torch.func.vmap(operation, in_dims=1)(x), operation(x.movedim(1, 0)))
        torch.testing.assert_close(torch.func.grad(loss)(x), wanted)
        torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), wanted)
        torch.testing.assert_close(torch.func.jvp(loss, (x,), (torch.ones_like(x),))[1], wanted.sum())
        live = x.clone().requires_grad_()
        y = operation(live)
        basis = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape)
        batched = torch.autograd.grad(y, live, basis, is_grads_batched=True)[0]
        single = torch.autograd.functional.jacobian(operation, x)
        assert isinstance(single, torch.Tensor)
        torch.testing.assert_close(batched.reshape(single.shape), single)


@pytest.mark.parametrize("regularization", ["l2", "kl"])
def test_compile_has_no_breaks(regularization):
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    method = Projection(regularization, 0.6)

    def loss(x):
        return (soft_rank(x, method) * soft_sort(x, method)).square().sum()

    wanted = torch.autograd.grad(loss(x), x)[0]
    found = torch.autograd.grad(torch.compile(loss, fullgraph=True, backend="aot_eager")(x), x)[0]
    torch.testing.assert_close(found, wanted)
