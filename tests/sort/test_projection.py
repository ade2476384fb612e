"""Projection onto the permutahedron against golden vectors, SciPy and the conditions of optimality."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from torch.autograd import gradcheck, gradgradcheck

from algonets.sort import Projection, Rank, soft_argsort, soft_median, soft_rank, soft_sort, soft_topk, sort_with
from tests.golden import select

REGULARIZATIONS = ("l2", "kl", 2.0, 1.5, 4 / 3, 1.1)
GENERIC = torch.tensor([[0.3, -1.2, 0.9, 0.17, 2.0, -0.4], [1.0, 1.3, -0.2, 0.8, 0.75, 1.9]], dtype=torch.float64)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---- golden vectors


@pytest.mark.parametrize("case", select("soft_rank_sort", "soft_rank"))
def test_golden_ranks(case, any_backend):
    x = case.inputs["x"].requires_grad_()
    method = Projection(case.meta["regularization"], case.meta["eps"])
    ours = {"y": soft_rank(x, method, descending=case.meta["direction"] == "descending")}
    case.check_outputs(ours)
    case.check_grads(ours, {"x": x})


@pytest.mark.parametrize("case", select("soft_rank_sort", "soft_sort"))
def test_golden_values(case, any_backend):
    x = case.inputs["x"].requires_grad_()
    method = Projection(case.meta["regularization"], case.meta["eps"])
    ours = {"y": soft_sort(x, method, descending=case.meta["direction"] == "descending")}
    case.check_outputs(ours)
    case.check_grads(ours, {"x": x})


# ---- oracles


@pytest.mark.parametrize("strength", [0.01, 0.3, 1.0, 20.0])
@pytest.mark.parametrize("n", [1, 2, 7, 60, 300])
def test_ranks_and_values_by_scipy(n, strength, any_backend):
    x = random(3, n, seed=n)
    ranks = np.arange(n, 0, -1.0)
    for row, found, values in zip(
        x, soft_rank(x, Projection(strength=strength)), soft_sort(x, Projection(strength=strength)), strict=True
    ):
        order = np.argsort(-row.numpy(), kind="stable")
        s = row.numpy()[order]
        projected = s / strength - isotonic_regression(s / strength - ranks, increasing=False).x
        np.testing.assert_allclose(found.numpy()[order], projected, atol=1e-9)
        # Ascending values are the mirror image of descending ones.
        target = ranks / strength
        mirrored = target - isotonic_regression(target + s[::-1], increasing=False).x
        np.testing.assert_allclose(values.numpy(), -mirrored, atol=1e-9)


def check_projection(y: torch.Tensor, z: torch.Tensor, w: torch.Tensor, slope: torch.Tensor, tol: float) -> None:
    """``y`` maximises ``<y, z> - R(y)`` over the permutahedron of ``w``, a row.

    It lies inside (partial sums of its largest entries are at most those of w), and no vertex lies further along the
    gradient ``z - slope``: the best one is known by the rearrangement inequality.
    """
    ours, theirs = y.sort(descending=True).values.cumsum(-1), w.sort(descending=True).values.cumsum(-1)
    assert bool((ours <= theirs + tol).all())
    torch.testing.assert_close(ours[-1], theirs[-1], rtol=tol, atol=tol)
    ascent = z - slope
    best = (ascent.sort().values * w.sort().values).sum()
    assert float(best - (ascent * y).sum()) <= tol * (1 + float(ascent.abs().max()) * float(w.abs().max()) * len(w))


def slope_of(regularization, y: torch.Tensor) -> torch.Tensor:
    """Gradient of R."""
    if regularization == "l2":
        return y
    if regularization == "kl":
        return y.log()
    return y.sign() * y.abs() ** (regularization - 1)


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("strength", [0.03, 0.4, 3.0])
@pytest.mark.parametrize("n", [1, 2, 5, 24])
def test_ranks_are_optimal(regularization, strength, n, any_backend):
    x = random(6, n, seed=n)
    found = soft_rank(x, Projection(regularization, strength))
    for row, y in zip(x, found, strict=True):
        targets = torch.arange(1.0, n + 1, dtype=torch.float64)
        check_projection(y, row / strength, targets, slope_of(regularization, y), 1e-8)


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("strength", [0.1, 1.0])
@pytest.mark.parametrize("k", [0.0, 0.3, 1.0, 2.6, 4.0, 7.0])
def test_masks_are_optimal(regularization, strength, k, any_backend):
    x = random(6, 7, seed=4)
    found = soft_topk(x, k, Projection(regularization, strength), output="mask")
    assert bool(((found >= 0) & (found <= 1 + 1e-12)).all())
    for row, y in zip(x, found, strict=True):
        targets = (k - torch.arange(7.0, dtype=torch.float64)).clamp(0, 1)
        slope = slope_of(regularization, y)
        if regularization == "kl":  # an entry that is 0 has the slope -inf: k = 0 only
            slope = slope.clamp_min(-1e3)
        check_projection(y, row / strength, targets, slope, 1e-8)


@pytest.mark.parametrize("regularization", ["l2", "kl"])
@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
def test_values_are_optimal(regularization, strength, any_backend):
    x = random(6, 9, seed=5)
    found = soft_sort(x, Projection(regularization, strength), descending=True)
    z = torch.arange(9.0, 0.0, -1.0, dtype=torch.float64) / strength
    z = z - z[-1]  # a shift along (1, ..., 1) changes nothing
    for row, y in zip(x, found, strict=True):
        if regularization == "l2":
            check_projection(y, z, row, y, 1e-8)
        else:
            check_projection(y.exp(), z, row.exp(), y, 1e-8)


def test_p_of_2_is_l2(any_backend):
    x = random(4, 20)
    for strength in (0.05, 1.0):
        torch.testing.assert_close(
            soft_rank(x, Projection(2.0, strength)), soft_rank(x, Projection("l2", strength)), rtol=0, atol=1e-10
        )


# ---- gradients


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_derivatives_of_ranks_and_masks(regularization, strength, any_backend):
    method = Projection(regularization, strength)
    x, k = GENERIC.clone().requires_grad_(), torch.tensor([1.3, 3.6], dtype=torch.float64, requires_grad=True)
    for descending in (False, True):
        assert gradcheck(lambda x: soft_rank(x, method, descending=descending), (x,))  # noqa: B023
        assert gradgradcheck(lambda x: soft_rank(x, method, descending=descending), (x,))  # noqa: B023
    assert gradcheck(lambda x, k: soft_topk(x, k, method, output="mask"), (x, k))
    assert gradgradcheck(lambda x, k: soft_topk(x, k, method, output="mask"), (x, k))


@pytest.mark.parametrize("regularization", ["l2", "kl"])
@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_derivatives_of_values(regularization, strength, any_backend):
    method, x = Projection(regularization, strength), GENERIC.clone().requires_grad_()
    for descending in (False, True):
        assert gradcheck(lambda x: soft_sort(x, method, descending=descending), (x,))  # noqa: B023
        assert gradgradcheck(lambda x: soft_sort(x, method, descending=descending), (x,))  # noqa: B023


@pytest.mark.parametrize("regularization", REGULARIZATIONS)
def test_the_strength_has_derivatives(regularization, any_backend):
    x = GENERIC.clone().requires_grad_()
    strength = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    operations = [lambda x, s: soft_rank(x, Projection(regularization, s))]
    if "sort" in Projection(regularization).abilities:
        operations.append(lambda x, s: soft_sort(x, Projection(regularization, s)))
    for operation in operations:
        torch.testing.assert_close(operation(x, strength), operation(x, 0.7))
        assert gradcheck(operation, (x, strength))
        assert gradgradcheck(operation, (x, strength))


def test_a_block_shares_its_gradient(any_backend):
    x = torch.tensor([[1.0, 1.0, 1.0, 5.0]], dtype=torch.float64, requires_grad=True)
    ranks = soft_rank(x, Projection())
    torch.testing.assert_close(ranks, torch.tensor([[2.0, 2.0, 2.0, 4.0]], dtype=torch.float64))
    gradient = torch.autograd.grad(ranks[0, 0], x)[0]
    torch.testing.assert_close(gradient, torch.tensor([[2 / 3, -1 / 3, -1 / 3, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("regularization", ["kl", 4 / 3])
@pytest.mark.parametrize("size", [100.0, 1e4])
def test_large_scores_do_not_overflow(regularization, size, any_backend):
    for dtype in (torch.float32, torch.float64):
        x = (size * random(3, 40, dtype=dtype)).requires_grad_()
        for strength in (1.0, 100.0):
            y = soft_rank(x, Projection(regularization, strength))
            gradient = torch.autograd.grad(y.square().sum(), x)[0]
            assert y.isfinite().all() and gradient.isfinite().all()
            torch.testing.assert_close(y.sum(-1), torch.full((3,), 820.0, dtype=dtype))


# ---- precision


@pytest.mark.parametrize("strength", [1e-2, 1e-4, 1e-6])
def test_float32_values_keep_their_digits(strength, any_backend):
    x = random(1, 5000, dtype=torch.float32)
    exact = soft_sort(x.double(), Projection(strength=strength))
    assert float((soft_sort(x, Projection(strength=strength)).double() - exact).abs().max()) < 1e-5


@pytest.mark.parametrize("strength", [1e-6, 1e-2, 1.0])
def test_float32_ranks_keep_their_digits(strength, any_backend):
    x = random(1, 2000, dtype=torch.float32)
    exact = soft_rank(x.double(), Projection(strength=strength))
    torch.testing.assert_close(soft_rank(x, Projection(strength=strength)).double(), exact, rtol=2e-7, atol=1e-6)


# ---- invariants


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_items_are_a_set(data):
    items = data.draw(st.lists(st.integers(-6, 6).map(lambda v: v / 4), min_size=1, max_size=9))
    order = torch.tensor(data.draw(st.permutations(range(len(items)))))
    method = Projection(data.draw(st.sampled_from(REGULARIZATIONS)), data.draw(st.sampled_from([0.1, 0.9, 4.0])))
    x = torch.tensor(items, dtype=torch.float64)
    torch.testing.assert_close(soft_rank(x, method)[order], soft_rank(x[order], method))
    mask = soft_topk(x, len(items) / 2, method, output="mask")
    torch.testing.assert_close(mask[order], soft_topk(x[order], len(items) / 2, method, output="mask"))
    if "sort" in method.abilities:
        torch.testing.assert_close(soft_sort(x, method), soft_sort(x[order], method))


# ---- what it does not do


def test_what_is_missing_is_said():
    x = random(2, 3)
    with pytest.raises(ValueError, match="soft_sort with method=Projection is not defined"):
        soft_sort(x, Projection(1.5))
    with pytest.raises(ValueError, match="soft_argsort with method=Projection is not defined"):
        soft_argsort(x, Projection())
    with pytest.raises(ValueError, match="sort_with with method=Projection is not defined"):
        sort_with(x, x, Projection())
    with pytest.raises(ValueError, match="matrix"):
        soft_median(x, Projection(), weights=torch.ones_like(x))


@pytest.mark.parametrize("wrong", ["l1", 1.0, 2.5, 0.0, float("nan")])
def test_unknown_regularizations_are_refused(wrong):
    with pytest.raises(ValueError, match=r"Projection\(regularization\)"):
        Projection(wrong)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match=r"Projection\(regularization\)"):
        Projection(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"Projection\(strength\)"):
        Projection(strength=0.0)


def test_it_shows_what_rebuilds_it():
    assert repr(Projection("kl", 0.5)) == "Projection(regularization='kl', strength=0.5)"
    assert repr(Projection(1.5)) == "Projection(regularization=1.5, strength=1.0)"
    assert list(Rank(Projection(strength=torch.nn.Parameter(torch.tensor(0.5)))).state_dict()) == ["strength"]
