"""Checks of arguments: what passes, what does not, and where values cannot be seen."""

import math

import numpy as np
import pytest
import torch

from algonets._core.checks import (
    all_finite,
    as_scale,
    check_at_least,
    check_finite_or_minus_inf,
    check_floating,
    check_positive,
    check_same_kind,
    values_visible,
)


def test_good_values_pass():
    x = torch.zeros(2)
    assert check_floating("f(x)", x) is x
    check_same_kind("f(x)", x, torch.ones(3), "y")
    for good in (torch.tensor([-math.inf, 1e30]), torch.full((3,), -math.inf), torch.zeros(0)):
        check_finite_or_minus_inf("f(x)", good)
    for good in (1, 1e-300, np.float32(2), torch.tensor([1.0, 2.0]), torch.zeros(0)):
        check_positive("f(x)", good)
    least = check_at_least("f(k)", np.int64(2), 2)
    assert least == 2 and type(least) is int
    scale = torch.tensor(0.5, requires_grad=True)
    assert as_scale("f(s)", scale) is scale and as_scale("f(s)", 2) == 2.0 and type(as_scale("f(s)", 2)) is float


F = torch.zeros(2)


@pytest.mark.parametrize(
    ("check", "error", "words"),
    [
        (lambda: check_floating("f(x)", [1.0]), TypeError, ["torch.Tensor", "list", "as_tensor"]),
        (lambda: check_floating("f(x)", F.long()), TypeError, ["floating-point", "int64", ".float()"]),
        (lambda: check_floating("f(x)", F.to(torch.complex64)), TypeError, ["floating-point", "complex64"]),
        (lambda: check_same_kind("f(x)", F.double(), F, "y"), TypeError, ["dtype of y", "float32", "float64"]),
        (lambda: check_same_kind("f(x)", F.to("meta"), F, "y"), ValueError, ["device of y (cpu)", "meta"]),
        (lambda: check_finite_or_minus_inf("f(x)", F + math.nan), ValueError, ["-inf (forbidden)", "NaN"]),
        (lambda: check_finite_or_minus_inf("f(x)", F + math.inf), ValueError, ["-inf (forbidden)", "+inf"]),
        (lambda: check_finite_or_minus_inf("f(x)", torch.tensor([math.inf, math.nan])), ValueError, ["NaN"]),
        (lambda: check_finite_or_minus_inf("f(x)", torch.tensor([-math.inf, math.nan])), ValueError, ["NaN"]),
        (lambda: check_positive("f(x)", 0), ValueError, ["positive and finite", "got 0"]),
        (lambda: check_positive("f(x)", math.nan), ValueError, ["positive and finite", "nan"]),
        (lambda: check_positive("f(x)", math.inf), ValueError, ["positive and finite", "inf"]),
        (lambda: check_positive("f(x)", torch.tensor([1.0, 0.0])), ValueError, ["positive", "shape (2,)"]),
        (lambda: check_positive("f(x)", torch.tensor(math.nan)), ValueError, ["positive", "nan"]),
        (lambda: check_positive("f(x)", True), TypeError, ["number or tensor", "bool"]),
        (lambda: check_positive("f(x)", "1", "Give 1."), TypeError, ["number or tensor", "str", "Give 1."]),
        (lambda: check_at_least("f(x)", 0, 1), ValueError, ["at least 1", "got 0"]),
        (lambda: check_at_least("f(x)", 1.0, 1), TypeError, ["integer", "float"]),
        (lambda: check_at_least("f(x)", True, 1), TypeError, ["integer", "bool"]),
        (lambda: as_scale("f(x)", -2.0), ValueError, ["positive", "-2.0"]),
        (lambda: as_scale("f(x)", torch.tensor(2)), TypeError, ["floating-point"]),
        (lambda: as_scale("f(x)", torch.tensor(-2.0)), ValueError, ["positive", "-2.0"]),
    ],
)
def test_bad_values_are_named(check, error, words):
    with pytest.raises(error) as caught:
        check()
    message = str(caught.value)
    assert message.startswith("f(x) ") and "got" in message and all(word in message for word in words), message


def test_values_visible():
    x = torch.zeros(2, 3)
    assert values_visible(x, None) and values_visible()
    assert not values_visible(x, x.to("meta"))
    with torch._subclasses.fake_tensor.FakeTensorMode():
        assert not values_visible(torch.zeros(2))


def test_values_visible_under_transforms():
    """Hidden in every nesting that holds a vmap; visible to a plain ``grad``."""
    seen = []

    def look(x):
        seen.append(values_visible(x))
        return x.sum()

    x = torch.zeros(2, 3)
    torch.func.vmap(look)(x)
    torch.func.vmap(torch.func.grad(look))(x)
    torch.func.grad(lambda y: torch.func.vmap(look)(y).sum())(x)
    torch.func.grad(look)(x)
    assert seen == [False, False, False, True]


def test_values_are_not_read_where_they_cannot_be():
    bad = torch.full((2, 3), math.nan)
    torch.func.vmap(lambda x: (check_positive("f(x)", x), check_finite_or_minus_inf("f(x)", x), x)[2])(bad)
    check_finite_or_minus_inf("f(x)", bad.to("meta"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0, 1, 7, 64, 40_000])
def test_all_finite(dtype, size):
    largest = torch.finfo(dtype).max
    x = torch.cat([torch.randn(size).to(dtype), torch.tensor([largest, largest, -largest, 0.0], dtype=dtype)])
    assert all_finite(x) and all_finite(x.requires_grad_()) and all_finite(torch.empty(0, dtype=dtype))
    for bad in (float("nan"), float("inf"), -float("inf")):
        for place in {0, size // 2, size + 3}:
            y = x.detach().clone()
            y[place] = bad
            assert not all_finite(y)
    strided = torch.stack([x.detach(), torch.full_like(x, float("nan"))], -1)
    assert all_finite(strided[:, 0]) and not all_finite(strided[:, 1]) and not all_finite(strided)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_all_finite_goes_round_the_kernel_where_memory_is_not_strided(layout):
    assert all_finite(torch.eye(3).to_sparse(layout=layout))


def test_all_finite_under_a_derivative():
    found = []
    torch.func.grad(lambda x: (found.append(all_finite(x)), x.sum())[1])(torch.tensor([1.0, float("nan")]))
    assert found == [False]
