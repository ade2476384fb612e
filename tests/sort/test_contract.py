"""What every method of ``algonets.sort`` promises, whatever it computes."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets import sort
from algonets.sort import soft_argsort, soft_quantile, soft_rank, soft_sort, soft_topk, sort_with
from tests.sort.methods import CASES, MethodCase, having

SIZES = (1, 2, 3, 5, 8, 11)


def over(ability: str):
    return pytest.mark.parametrize("case", having(ability), ids=lambda case: case.name)


def spread_items(n: int, batch: tuple[int, ...] = (4,), seed: int = 0) -> torch.Tensor:
    """Items that differ by at least 1/4, in random order."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(*batch, n, generator=generator).argsort(-1).to(torch.float64)
    return 0.5 * shuffled + 0.25 * torch.rand(*batch, n, generator=generator, dtype=torch.float64)


def random_items(n: int, batch: tuple[int, ...] = (3,), seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*batch, n, generator=generator, dtype=torch.float64)


@over("sort")
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", SIZES)
def test_values_become_torch_sort(case: MethodCase, n, descending):
    x = spread_items(n)
    expected = x.sort(-1, descending=descending).values
    torch.testing.assert_close(
        soft_sort(x, case.make(case.sharp), descending=descending), expected, rtol=0, atol=case.limit
    )


@over("matrix")
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", SIZES)
def test_the_matrix_becomes_the_permutation(case: MethodCase, n, descending):
    x = spread_items(n)
    expected = soft_argsort(x, sort.Hard(), descending=descending)
    found = soft_argsort(x, case.make(case.sharp), descending=descending)
    torch.testing.assert_close(found, expected, rtol=0, atol=case.limit)


@over("rank")
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", SIZES)
def test_ranks_become_places(case: MethodCase, n, descending):
    x = spread_items(n)
    expected = soft_rank(x, sort.Hard(), descending=descending)
    found = soft_rank(x, case.make(case.sharp), descending=descending)
    torch.testing.assert_close(found, expected, rtol=0, atol=case.limit)


@over("mask")
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("n", SIZES)
def test_masks_become_the_choice(case: MethodCase, n, largest):
    x = spread_items(n)
    k = torch.arange(4) % (n + 1)
    found = soft_topk(x, k, case.make(case.sharp), largest=largest, output="mask")
    expected = soft_topk(x, k, sort.Hard(), largest=largest, output="mask")
    torch.testing.assert_close(found, expected, rtol=0, atol=case.limit)


@over("sort")
def test_ties_sort_exactly_in_the_limit(case: MethodCase):
    x = torch.tensor([[2.0, 1.0, 2.0, 0.0, 1.0, 2.0], [1.0] * 6], dtype=torch.float64)
    found = soft_sort(x, case.make(case.sharp))
    torch.testing.assert_close(found, x.sort(-1).values, rtol=0, atol=10 * case.limit)


@over("rank")
def test_tied_ranks_are_shared_in_the_limit(case: MethodCase):
    if not case.flat_ties:
        pytest.skip("equal items are told apart by their place")
    x = torch.tensor([[2.0, 1.0, 2.0, 0.0], [1.0] * 4], dtype=torch.float64)
    expected = torch.tensor([[3.5, 2.0, 3.5, 1.0], [2.5] * 4], dtype=torch.float64)
    torch.testing.assert_close(soft_rank(x, case.make(case.sharp)), expected, rtol=0, atol=10 * case.limit)


@over("sort")
def test_gradients_at_ties_are_finite(case: MethodCase):
    x = torch.tensor([[1.0, 1.0, 0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    loss = (soft_sort(x, case.make(0.1)) * torch.arange(4.0, dtype=torch.float64)).sum()
    assert torch.autograd.grad(loss, x)[0].isfinite().all()


@over("matrix")
@pytest.mark.parametrize("n", SIZES)
def test_row_and_column_sums(case: MethodCase, n):
    method = case.make(0.5)
    matrix = soft_argsort(random_items(n), method)
    assert bool((matrix > -1e-12).all())
    ones = torch.ones(3, n, dtype=torch.float64)
    if method.properties.rows:
        torch.testing.assert_close(matrix.sum(-1), ones, rtol=0, atol=1e-6)
    if method.properties.columns:
        torch.testing.assert_close(matrix.sum(-2), ones, rtol=0, atol=1e-6)


@over("sort")
@pytest.mark.parametrize("n", SIZES)
def test_the_sum_is_preserved_where_promised(case: MethodCase, n):
    method = case.make(0.5)
    if not method.properties.sum_preserving:
        pytest.skip("not promised")
    x = random_items(n)
    torch.testing.assert_close(soft_sort(x, method).sum(-1), x.sum(-1), rtol=0, atol=1e-6)


@over("sort")
def test_values_are_in_order_and_grow_where_promised(case: MethodCase):
    method = case.make(0.5)
    if not method.properties.monotone:
        pytest.skip("not promised")
    x = random_items(7, (200,)).requires_grad_()
    y = soft_sort(x, method)
    assert not case.ordered or bool((y.diff(dim=-1) >= -1e-9).all())
    for k in range(7):
        gradient = torch.autograd.grad(y[:, k].sum(), x, retain_graph=True)[0]
        assert bool((gradient >= -1e-9).all())


@over("matrix")
def test_the_operations_agree_with_the_matrix(case: MethodCase):
    x, method = random_items(6), case.make(0.3)
    payload = random_items(6, (3,), seed=5)
    matrix = soft_argsort(x, method)
    torch.testing.assert_close(soft_sort(x, method), (matrix @ x.unsqueeze(-1)).squeeze(-1))
    torch.testing.assert_close(soft_topk(x, 2, method, output="indices"), matrix.flip(-2)[:, :2])
    torch.testing.assert_close(soft_topk(x, 2, method, output="indices", largest=False), matrix[:, :2])
    if "payload" in method.abilities:
        keys, moved = sort_with(x, payload, method)
        torch.testing.assert_close(keys, soft_sort(x, method))
        torch.testing.assert_close(moved, (matrix @ payload.unsqueeze(-1)).squeeze(-1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_permuted_items_give_permuted_results(case: MethodCase):
    """All methods but fixed networks see a set; those promise it for values and ranks in the hard limit only."""
    method, order = case.make(case.sharp), torch.tensor([3, 0, 4, 1, 2])
    x = spread_items(5)
    if "sort" in method.abilities:
        torch.testing.assert_close(soft_sort(x, method), soft_sort(x[:, order], method), rtol=0, atol=10 * case.limit)
    if "rank" in method.abilities:
        torch.testing.assert_close(
            soft_rank(x, method)[:, order], soft_rank(x[:, order], method), rtol=0, atol=10 * case.limit
        )
    if "mask" in method.abilities:
        first, second = (soft_topk(v, 2.0, method, output="mask") for v in (x, x[:, order]))
        torch.testing.assert_close(first[:, order], second, rtol=0, atol=10 * case.limit)


def operations_of(method):
    """Its operations as functions of x."""
    if "sort" in method.abilities:
        yield "sort", lambda x, **o: soft_sort(x, method, **o)
        yield "quantile", lambda x, **o: soft_quantile(x, 0.3, method, **o)
    if "matrix" in method.abilities:
        yield "matrix", lambda x, **o: soft_argsort(x, method, **o)
    if "rank" in method.abilities:
        yield "rank", lambda x, **o: soft_rank(x, method, **o)
    if "mask" in method.abilities:
        yield "mask", lambda x, **o: soft_topk(x, 2, method, output="mask", **o)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients(case: MethodCase):
    if case.gradients == "straight-through":
        pytest.skip("its derivative is that of another function")
    x = random_items(4, (2,)).requires_grad_()
    for name, operation in operations_of(case.make(0.7)):
        assert gradcheck(operation, (x,)), name
        if case.gradients == "twice":
            assert gradgradcheck(operation, (x,)), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_padding_does_not_leak(case: MethodCase):
    x = random_items(7, (5,), seed=3)
    counts = [3, 7, 2, 5, 3]
    mask = torch.zeros(5, 7, dtype=torch.bool)
    for row, count in enumerate(counts):
        mask[row, torch.randperm(7, generator=torch.Generator().manual_seed(row))[:count]] = True
    padded = torch.where(mask, x, torch.nan).requires_grad_()
    for name, operation in operations_of(case.make(0.5)):
        result = operation(padded, mask=mask)
        for row, count in enumerate(counts):
            alone = operation(x[row][mask[row]])
            if name == "sort":
                found, rest = result[row, :count], result[row, count:]
            elif name == "quantile":
                found, rest = result[row], result.new_zeros(0)
            elif name == "matrix":
                found, rest = result[row, :count][:, mask[row]], result[row, :, ~mask[row]]
            else:
                found, rest = result[row][mask[row]], result[row][~mask[row]]
            torch.testing.assert_close(found, alone, msg=name)
            assert bool((rest == 0).all()), name
        gradient = torch.autograd.grad(result.square().sum(), padded)[0]
        assert bool((gradient[~mask] == 0).all()) and gradient.isfinite().all(), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_items_of_any_size(case: MethodCase, size):
    x = (random_items(9) * size).requires_grad_()
    for scale in (size, 1.0):
        for name, operation in operations_of(case.make(scale)):
            result = operation(x)
            assert result.isfinite().all(), name
            assert torch.autograd.grad(result.square().sum(), x)[0].isfinite().all(), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_compute_in_float32(case: MethodCase, dtype):
    x = random_items(6).to(dtype)
    for name, operation in operations_of(case.make(0.5)):
        result = operation(x)
        assert result.dtype == dtype, name
        torch.testing.assert_close(result, operation(x.float()).to(dtype), msg=name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_any_dimension_and_batch(case: MethodCase):
    x = random_items(5, (2, 3))
    for name, operation in operations_of(case.make(0.5)):
        expected = operation(x)
        found = operation(x.movedim(-1, 0), dim=0)
        if name in ("sort", "rank", "mask"):
            found = found.movedim(0, -1)
        torch.testing.assert_close(found, expected, msg=name)
        torch.testing.assert_close(operation(x[0, 1]), expected[0, 1], msg=name)
        assert operation(x[:0]).shape == (0, *expected.shape[1:]), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hard_is_exact_with_the_soft_gradient(case: MethodCase):
    x = random_items(6).requires_grad_()
    exact = dict(operations_of(sort.Hard()))
    for name, operation in operations_of(case.make(0.5)):
        hard, soft = operation(x, hard=True), operation(x)
        assert torch.equal(hard, exact[name](x)), name
        weight = torch.randn(soft.shape, generator=torch.Generator().manual_seed(0), dtype=soft.dtype)
        torch.testing.assert_close(
            torch.autograd.grad((hard * weight).sum(), x)[0], torch.autograd.grad((soft * weight).sum(), x)[0]
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_vmap_equals_the_batch(case: MethodCase):
    x = random_items(5, (3, 2))
    for name, operation in operations_of(case.make(0.5)):
        torch.testing.assert_close(torch.func.vmap(operation)(x), operation(x), msg=name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_scale_may_be_learnt(case: MethodCase):
    scale = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    method = case.make(scale)  # pyright: ignore[reportArgumentType]
    if not list(method.parameters()):
        pytest.skip("its scale is a number")
    if case.gradients == "straight-through":
        pytest.skip("its derivative is that of another function")
    x = random_items(4, (2,))
    assert gradcheck(lambda s: next(f for _, f in operations_of(case.make(s)))(x), (scale,))
    if "sort" in method.abilities:
        assert sort.Sort(method).state_dict()
