"""SoftSort against golden vectors and the plain formula; the linear form against the dense one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

import algonets as an
from algonets._core.backend import native
from algonets.sort import SoftSort, soft_argsort, soft_rank, soft_sort, soft_topk, sort_with
from tests.golden import Case, select

FLOAT = torch.float64


def random(*shape: int, seed: int = 0, dtype: torch.dtype = FLOAT) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def hostile(n: int, dtype: torch.dtype = FLOAT) -> torch.Tensor:
    """Plain items, ties, gaps that underflow, all equal."""
    x = random(4, n, seed=n)
    x[1] = (2 * x[1]).round()
    x[2] = x[2] * 1e6
    x[3] = 0.5
    return x.to(dtype)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("index", range(16))
def test_golden(p, index, any_backend):
    case = select("neuralsort_softsort", f"softsort_p{p}")[index].values[0]
    assert isinstance(case, Case)
    x = case.inputs["x"].requires_grad_()
    ours = {"P": soft_argsort(x, SoftSort(case.meta["tau"], p), descending=True)}
    case.check_outputs(ours)
    case.check_grads(ours, {"x": x})
    matrix = case.outputs["P"]
    torch.testing.assert_close(
        soft_sort(x, SoftSort(case.meta["tau"], p), descending=True).detach(),
        (matrix @ x.detach().unsqueeze(-1)).squeeze(-1),
        rtol=0,
        atol=1e-8,
    )


def by_formula(x: torch.Tensor, temperature: float, p: float, values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Written from the definition; ``values`` ``(B, n)`` as payload and at the places."""
    distance = (x.sort(-1).values.unsqueeze(-1) - x.unsqueeze(-2)).abs() ** p
    by_rank, by_item = (torch.softmax(-distance / temperature, dim) for dim in (-1, -2))
    n = x.shape[-1]
    kept = (2.3 - torch.arange(n - 1, -1, -1, dtype=x.dtype)).clamp(0, 1)
    return {
        "values": torch.einsum("bij,bj->bi", by_rank, x),
        "payload": torch.einsum("bij,bj->bi", by_rank, values),
        "rank": torch.einsum("bij,i->bj", by_item, torch.arange(1, n + 1, dtype=x.dtype)),
        "mask": torch.einsum("bij,i->bj", by_item, kept),
        "collect": torch.einsum("bij,bi->bj", by_rank, values),
    }


def by_us(x: torch.Tensor, temperature: float, p: float, values: torch.Tensor) -> dict[str, torch.Tensor]:
    method = SoftSort(temperature, p)
    return {
        "values": soft_sort(x, method),
        "payload": sort_with(x, values, method)[1],
        "rank": soft_rank(x, method),
        "mask": soft_topk(x, 2.3, method, output="mask"),
        "collect": method._collect(x, values.unsqueeze(-1)).squeeze(-1),
    }


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
@pytest.mark.parametrize("temperature", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("n", [3, 4, 33])
def test_the_definition(n, temperature, p, any_backend):
    x, values = random(3, n).requires_grad_(), random(3, n, seed=1).requires_grad_()
    ours, wanted = by_us(x, temperature, p, values), by_formula(x, temperature, p, values)
    weight = random(3, n, seed=2)
    for name, expected in wanted.items():
        torch.testing.assert_close(ours[name], expected, rtol=1e-10, atol=1e-10, msg=name)
        gradients = [
            torch.autograd.grad((y * weight).sum(), (x, values), retain_graph=True, materialize_grads=True)
            for y in (ours[name], expected)
        ]
        for found, right in zip(*gradients, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-8, atol=1e-8 / temperature, msg=name)


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def isa(request):
    if not an.native_status()[0]:
        pytest.skip("the native kernels are not built here")
    kernels = native()
    before = kernels.isa()
    try:
        kernels.select_isa(request.param)
    except ValueError:
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    kernels.select_isa(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-6, 0.05, 1.0, 30.0])
@pytest.mark.parametrize("n", [3, 4, 9, 65])
def test_linear_equals_dense_whatever_the_items(isa, n, temperature, dtype):
    exact = [
        hostile(n, dtype).double(),
        random(4, n, seed=1).to(dtype).double(),
        random(4, n, 3, seed=3).to(dtype).double(),
    ]
    results = []
    for backend in ("native", "torch"):  # the dense form in float64 throughout
        kind = dtype if backend == "native" else FLOAT
        x, values, payload = (t.to(kind).requires_grad_() for t in exact)
        with an.backend(backend):
            outputs = by_us(x, temperature, 1, values)
            outputs["several"] = sort_with(x, payload, SoftSort(temperature))[1]
            found = list(outputs.values())
            for y in outputs.values():
                loss = (y * torch.arange(n, dtype=kind).sin().reshape(n, *[1] * (y.ndim - 2))).sum()
                found += torch.autograd.grad(loss, (x, values, payload), materialize_grads=True)
        results.append([f.detach().double().flatten(1) for f in found])
    # Gradients are differences of what is divided by the temperature.
    eps = torch.finfo(dtype).eps
    for ours, dense in zip(*results, strict=True):
        assert ours.isfinite().all()
        size = dense.abs().amax(1)
        assert bool(((ours - dense).abs().amax(1) <= 100 * eps * (size + n + n / temperature)).all())


@pytest.mark.parametrize("p", [1, 2, 3])
def test_derivatives(p, any_backend):
    x, payload = random(2, 5).requires_grad_(), random(2, 5, 2, seed=1).requires_grad_()
    temperature = torch.tensor(0.8, dtype=FLOAT, requires_grad=True)
    operations = {
        "values": lambda x, v, t: soft_sort(x, SoftSort(t, p)),
        "rank": lambda x, v, t: soft_rank(x, SoftSort(t, p)),
        "payload": lambda x, v, t: sort_with(x, v, SoftSort(t, p))[1],
        "indices": lambda x, v, t: soft_topk(x, 2, SoftSort(t, p), output="indices"),
        "collect": lambda x, v, t: SoftSort(t, p)._collect(x, v),
    }
    for name, operation in operations.items():
        assert gradcheck(operation, (x, payload, temperature)), name
        assert gradgradcheck(operation, (x, payload, temperature)), name


def test_ties_have_the_derivative_of_items_just_apart(any_backend):
    method = SoftSort(0.7)
    gradients = []
    for apart in (0.0, 1e-9):
        x = torch.tensor([0.3, 1.0, 1.0 + apart, 2.0], dtype=FLOAT, requires_grad=True)
        loss = (soft_rank(x, method) * torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=FLOAT)).sum()
        gradients.append(torch.autograd.grad(loss, x)[0])
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_items_are_a_set(data):
    items = data.draw(st.lists(st.integers(-6, 6).map(lambda v: v / 4), min_size=1, max_size=9))
    order = torch.tensor(data.draw(st.permutations(range(len(items)))))
    method = SoftSort(data.draw(st.sampled_from([0.05, 0.9, 4.0])), data.draw(st.sampled_from([1, 2])))
    x = torch.tensor(items, dtype=FLOAT)
    torch.testing.assert_close(soft_rank(x, method)[order], soft_rank(x[order], method))
    torch.testing.assert_close(soft_sort(x, method), soft_sort(x[order], method))
    ranks = soft_rank(x, method)
    assert bool(((ranks >= 1 - 1e-9) & (ranks <= len(items) + 1e-9)).all())


def test_a_long_row_takes_linear_memory():
    if not an.native_status()[0]:
        pytest.skip("dense on the reference")
    x = random(1, 200_000, dtype=torch.float32).requires_grad_()
    ranks = soft_rank(x, SoftSort(1e-9))
    gradient = torch.autograd.grad(soft_sort(x, SoftSort(0.1)).square().sum(), x)[0]
    assert gradient.isfinite().all()
    order = x.detach().argsort(-1)
    torch.testing.assert_close(ranks.detach().gather(-1, order).diff(dim=-1).amin().clamp_max(0), torch.tensor(0.0))


def test_float32_ranks_of_long_rows():
    if not an.native_status()[0]:
        pytest.skip("dense on the reference")
    x = random(1, 50_000, dtype=torch.float32)
    live = [x.clone().requires_grad_(), x.double().requires_grad_()]
    ranks = [soft_rank(v, SoftSort(0.01)) for v in live]
    torch.testing.assert_close(ranks[0].double(), ranks[1], rtol=3e-7, atol=1e-6)
    weight = random(1, 50_000, seed=1)
    gradients = [
        torch.autograd.grad((r * weight.to(r.dtype)).sum(), v)[0].double() for r, v in zip(ranks, live, strict=True)
    ]
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-5


def test_tracers_see_the_operators():
    x = random(3, 2, 5, seed=1)
    method = SoftSort(0.6)
    for operation in (
        lambda x: soft_sort(x, method),
        lambda x: soft_rank(x, method),
        lambda x: soft_topk(x, 2, method, output="indices"),
    ):

        def loss(x, operation=operation):
            return operation(x).square().sum()

        wanted = torch.autograd.functional.jacobian(loss, x)
        assert isinstance(wanted, torch.Tensor)
        torch.testing.assert_close(torch.func.vmap(operation, in_dims=1)(x), operation(x.movedim(1, 0)))
        torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), wanted)
        torch.testing.assert_close(torch.func.jvp(loss, (x,), (torch.ones_like(x),))[1], wanted.sum())
    compiled = torch.compile(lambda x: soft_rank(x, method) * soft_sort(x, method), fullgraph=True, backend="aot_eager")
    live = x[0].clone().requires_grad_()
    found = torch.autograd.grad(compiled(live).sum(), live)[0]
    right = torch.autograd.grad((soft_rank(live, method) * soft_sort(live, method)).sum(), live)[0]
    torch.testing.assert_close(found, right)


@pytest.mark.parametrize("wrong", [0.5, 0.0, -1, float("inf"), float("nan")])
def test_powers_below_1_are_refused(wrong):
    with pytest.raises(ValueError, match=r"SoftSort\(p\)"):
        SoftSort(p=wrong)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match=r"SoftSort\(p\)"):
        SoftSort(p="2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"SoftSort\(temperature\)"):
        SoftSort(0.0)
    assert repr(SoftSort(0.5, 2)) == "SoftSort(temperature=0.5, p=2.0)"
