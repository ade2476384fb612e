"""What the operations do above every method: weights, quantiles, payloads, modules, and clear errors."""

import copy
import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from algonets import sort
from algonets.sort import (
    Hard,
    NeuralSort,
    by_item,
    soft_argsort,
    soft_max,
    soft_median,
    soft_min,
    soft_quantile,
    soft_rank,
    soft_sort,
    soft_topk,
    sort_with,
)

SOFT = NeuralSort(0.5)


def items(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---- weights ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=7).filter(
        lambda p: any(w for _, w in p)
    )
)
@settings(max_examples=60, deadline=None)
def test_integer_weights_repeat_items(pairs):
    """Repeat each item by its weight times n, sort, and average n equal runs."""
    n = len(pairs)
    values, weights = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    repeated = values.repeat_interleave(weights.to(torch.int64) * n).sort().values
    expected = repeated.reshape(n, -1).mean(-1)
    torch.testing.assert_close(soft_sort(values, Hard(), weights=weights), expected)
    matrix = soft_argsort(values, Hard(), weights=weights)
    torch.testing.assert_close(matrix @ values, expected)
    torch.testing.assert_close(matrix.sum(-1), torch.ones(n, dtype=torch.float64))


@pytest.mark.parametrize("method", [Hard(), SOFT])
def test_equal_weights_change_nothing(method):
    x = items(4, 6)
    for weights in (torch.ones(6, dtype=x.dtype), torch.full((4, 6), 0.3, dtype=x.dtype)):
        torch.testing.assert_close(soft_sort(x, method, weights=weights), soft_sort(x, method))
        torch.testing.assert_close(soft_argsort(x, method, weights=weights), soft_argsort(x, method))
        torch.testing.assert_close(soft_median(x, method, weights=weights), soft_median(x, method))


def test_weights_of_soft_values_agree_with_the_matrix_and_differentiate():
    x, weights = items(3, 5), items(3, 5, seed=1).exp()
    matrix = soft_argsort(x, SOFT, weights=weights)
    torch.testing.assert_close((matrix @ x[..., None])[..., 0], soft_sort(x, SOFT, weights=weights))
    assert gradcheck(
        lambda v, w: soft_sort(v, SOFT, weights=w), (x.clone().requires_grad_(), weights.clone().requires_grad_())
    )


def test_weights_with_a_mask():
    x, weights = items(5), torch.tensor([1.0, 2.0, 0.0, 3.0, 1.0], dtype=torch.float64)
    mask = torch.tensor([True, False, True, True, True])
    found = soft_sort(x, SOFT, weights=weights, mask=mask)
    torch.testing.assert_close(found[:4], soft_sort(x[mask], SOFT, weights=weights[mask]))
    assert found[4] == 0


# ---- quantiles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_hard_quantiles_are_those_of_torch(n):
    x, q = items(3, n), torch.tensor([0.0, 0.1, 0.25, 0.5, 0.77, 1.0], dtype=torch.float64)
    torch.testing.assert_close(soft_quantile(x, q, Hard()), torch.quantile(x, q, dim=-1))
    torch.testing.assert_close(soft_quantile(x, 0.3, Hard(), dim=0), torch.quantile(x, 0.3, dim=0))
    torch.testing.assert_close(soft_median(x, Hard()), torch.quantile(x, 0.5, dim=-1))
    torch.testing.assert_close(soft_min(x, Hard()), x.amin(-1))
    torch.testing.assert_close(soft_max(x, Hard()), x.amax(-1))


def test_quantile_levels_have_a_gradient():
    q = torch.tensor([0.13, 0.55], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda level: soft_quantile(items(2, 6), level, SOFT), (q,))


def test_masked_quantiles_count_only_what_is_there():
    x = items(2, 6)
    mask = torch.tensor([[True] * 6, [True, False, True, True, False, False]])
    found = soft_quantile(x, torch.tensor([0.2, 0.9], dtype=x.dtype), SOFT, mask=mask)
    torch.testing.assert_close(found[:, 1], soft_quantile(x[1][mask[1]], torch.tensor([0.2, 0.9], dtype=x.dtype), SOFT))


# ---- top-k, payloads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [True, False])
def test_hard_topk_is_that_of_torch(largest):
    x = items(4, 7)
    values, indices = x.topk(3, largest=largest)
    torch.testing.assert_close(soft_topk(x, 3, Hard(), largest=largest), values)
    chosen = soft_topk(x, 3, Hard(), largest=largest, output="indices")
    assert torch.equal(chosen.argmax(-1), indices)
    assert torch.equal(soft_topk(x, 3, Hard(), largest=largest, output="mask"), chosen.sum(-2))


def test_topk_masks_take_one_real_k_for_each_row():
    x, k = items(3, 5), torch.tensor([0.0, 2.5, 5.0], dtype=torch.float64, requires_grad=True)
    found = soft_topk(x, k, SOFT, output="mask")
    torch.testing.assert_close(found.sum(-1), k.detach())
    torch.testing.assert_close(torch.autograd.grad(found[1].sum(), k)[0], torch.tensor([0.0, 1.0, 0.0]).double())


def test_payloads_of_any_shape_go_with_their_keys():
    keys, payload = items(2, 5), items(2, 5, 3, 2, seed=1)
    sorted_keys, moved = sort_with(keys, payload, Hard(), descending=True)
    order = keys.argsort(-1, descending=True)
    torch.testing.assert_close(sorted_keys, keys.gather(-1, order))
    torch.testing.assert_close(moved[1], payload[1][order[1]])
    across = sort_with(keys.mT, payload.transpose(0, 1), Hard(), dim=0, descending=True)
    torch.testing.assert_close(across[1], moved.transpose(0, 1))


def test_stable_order_of_equal_items():
    x = torch.tensor([1.0, 0.0, 1.0, 0.0])
    for descending in (False, True):
        order = x.sort(stable=True, descending=descending).indices
        assert torch.equal(soft_argsort(x, Hard(), descending=descending).argmax(-1), order)


def test_by_item_is_the_other_convention():
    matrix = soft_argsort(items(2, 4), SOFT)
    assert torch.equal(by_item(matrix)[1, 2], matrix[1, :, 2])


# ---- modules -----------------------------------------------------------------------------------------------------

MODULES = [
    sort.Sort(SOFT, descending=True),
    sort.Argsort(SOFT),
    sort.Rank(SOFT, hard=True),
    sort.TopK(2, SOFT, output="values"),
    sort.TopK(1.5),
    sort.Quantile(0.3, SOFT),
    sort.Quantile(torch.tensor([0.3, 0.5]), SOFT),
    sort.Median(SOFT),
    sort.Min(SOFT),
    sort.Max(SOFT, dim=0),
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_are_the_functions_and_survive_copies(module):
    x = items(3, 5).float()
    names = {"Sort": soft_sort, "Argsort": soft_argsort, "Rank": soft_rank, "Median": soft_median}
    names |= {"Min": soft_min, "Max": soft_max}
    result = module(x)
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(again(x), result) and repr(again) == repr(module)
    kind = type(module).__name__
    if kind in names:
        assert torch.equal(result, names[kind](x, module.method, **module._options))
    assert "method=" in repr(module)


def test_a_module_learns_the_scale_of_its_method():
    module = sort.Sort(NeuralSort(nn.Parameter(torch.tensor(0.5))))
    assert [name for name, _ in module.named_parameters()] == ["temperature"]
    module(items(2, 4).float()).square().sum().backward()
    assert module.temperature.grad.isfinite() and module.temperature.grad != 0
    other = sort.Sort(NeuralSort(nn.Parameter(torch.tensor(2.0))))
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(items(2, 4).float()), module(items(2, 4).float()))
    copied = copy.deepcopy(module)
    assert copied.method.temperature is copied.temperature


def test_a_moved_module_moves_the_scale():
    module = sort.Sort(NeuralSort(nn.Parameter(torch.tensor(0.5)))).double()
    assert module.method.temperature.dtype == torch.float64
    assert module(items(2, 4)).dtype == torch.float64


# ---- errors ------------------------------------------------------------------------------------------------------

X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: soft_sort(X, NeuralSort), TypeError, "got the class NeuralSort. Pass an instance, e.g. NeuralSort()."),
        (lambda: soft_sort(X, "bitonic"), TypeError, "soft_sort(method) must be a SortMethod"),
        (lambda: soft_sort([3.0, 1.0], SOFT), TypeError, "soft_sort(x) must be a torch.Tensor"),
        (lambda: soft_sort(X.int(), SOFT), TypeError, "floating-point"),
        (lambda: soft_sort(torch.tensor(1.0), SOFT), ValueError, "at least one dimension"),
        (lambda: soft_sort(X[:, :0], SOFT), ValueError, "at least one item along dim=-1"),
        (lambda: soft_sort(X, SOFT, dim=2), ValueError, "soft_sort(dim) must be a dimension of x, of shape (2, 3)"),
        (lambda: soft_sort(X, SOFT, dim=1.0), TypeError, "soft_sort(dim) must be an integer"),
        (lambda: soft_sort(X / 0, SOFT), ValueError, "must be finite, got 'NaN'"),
        (lambda: soft_rank(X.log(), SOFT), ValueError, "must be finite, got 'inf'"),
        (lambda: soft_sort(X, SOFT, mask=X), TypeError, "boolean"),
        (lambda: soft_sort(X, SOFT, mask=X[0] < 0), ValueError, "at least one item in every row"),
        (lambda: soft_sort(X, SOFT, mask=torch.ones(4, dtype=torch.bool)), ValueError, "broadcast to the shape of x"),
        (lambda: soft_sort(X, SOFT, weights=-X), ValueError, "not negative"),
        (lambda: soft_sort(X, SOFT, weights=0 * X), ValueError, "not all zero"),
        (lambda: soft_sort(X, SOFT, weights=X.double()), TypeError, "dtype of x"),
        (lambda: soft_topk(X, 0, SOFT), ValueError, "at least 1"),
        (lambda: soft_topk(X, 1.5, SOFT), TypeError, "integer"),
        (lambda: soft_topk(X, 4, SOFT), ValueError, "number of items"),
        (lambda: soft_topk(X, 3.5, SOFT, output="mask"), ValueError, "number of items"),
        (lambda: soft_topk(X, 2, SOFT, output="both"), ValueError, "values, mask or indices"),
        (lambda: soft_topk(X, 2, SOFT, mask=X[0] > 1.5), ValueError, "number of items"),
        (lambda: soft_quantile(X, 1.5, SOFT), ValueError, "in [0, 1]"),
        (lambda: soft_quantile(X, torch.rand(2, 2), SOFT), ValueError, "one dimension"),
        (lambda: soft_quantile(X, "half", SOFT), TypeError, "number or a tensor"),
        (lambda: sort_with(X, X[0], SOFT), ValueError, "shape of keys"),
        (lambda: sort_with(X, X.long(), SOFT), TypeError, "floating"),
        (lambda: by_item(X[0]), ValueError, "two dimensions"),
        (lambda: NeuralSort(0.0), ValueError, "NeuralSort(temperature) must be positive"),
        (lambda: NeuralSort(torch.ones(2)), ValueError, "one element"),
        (lambda: torch.func.vmap(lambda v: soft_sort(v, SOFT, mask=v > 0))(X), ValueError, "cannot see"),
    ],
)
def test_bad_input_is_told_clearly(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_a_method_without_the_operation_says_which_have_it():
    class OnlySort(sort.SortMethod):
        abilities = frozenset({"sort"})

    with pytest.raises(ValueError, match=r"soft_rank with method=OnlySort.*These have it: Hard, .*NeuralSort"):
        soft_rank(X, OnlySort())
