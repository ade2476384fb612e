"""Sparse top-k against golden vectors, a generic solver of its definition, and its promises."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.autograd import gradcheck, gradgradcheck

from algonets.sort import SparseTopK, soft_topk
from tests.golden import select

POWERS = (2.0, 4 / 3, 1.5)


def items(n: int = 7, batch: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask_of(x, k, strength=1.0, p=2.0, **options):
    magnitude = options.pop("magnitude", False)
    return soft_topk(x, k, SparseTopK(strength, p, magnitude=magnitude), output="mask", **options)


@pytest.mark.parametrize("case", select("estimators", "k_subset_projection"))
def test_projection_equals_the_golden_vectors(case):
    inputs = {"z": case.inputs["z"].clone().requires_grad_()}
    ours = {"p": mask_of(inputs["z"], case.meta["k"])}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("k", [1, 2.5, 4])
@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_solves_the_regularised_program(p, k, strength):
    x = items(6, 1)[0].numpy()
    solution = minimize(
        lambda m: -(x @ m) + strength / p * (np.abs(m) ** p).sum(),
        np.full(6, k / 6),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda m: m.sum() - k},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    found = mask_of(torch.from_numpy(x), k, strength, p).numpy()
    np.testing.assert_allclose(found, solution.x, atol=2e-4)
    value = -(x @ found) + strength / p * (found**p).sum()
    assert value <= solution.fun + 1e-9 and abs(found.sum() - k) < 1e-9


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("k", [0, 1, 2.5, 7])
def test_masks_sum_to_k_and_are_sparse(p, k):
    mask = mask_of(4 * items(), k, 0.5, p)
    torch.testing.assert_close(mask.sum(-1), torch.full((3,), float(k), dtype=torch.float64))
    assert int(((mask == 0) | (mask == 1)).sum()) >= 12


@pytest.mark.parametrize("p", POWERS)
def test_gradients_in_items_count_and_strength(p):
    x = items(5, 2).requires_grad_()
    k = torch.tensor([1.4, 2.0], dtype=torch.float64, requires_grad=True)
    strength = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)

    def mask(x, k, strength):
        return mask_of(x, k, strength, p)

    assert gradcheck(mask, (x, k, strength)) and gradgradcheck(mask, (x, k, strength))


def test_four_thirds_has_no_kink():
    """The slope is continuous where an item enters the mask; with p = 2 it jumps."""
    s = torch.linspace(-1.0, 3.0, 401, dtype=torch.float64)
    x = torch.stack([torch.full_like(s, 3.0), torch.full_like(s, 1.0), s - 1, s], -1).requires_grad_()
    jumps = {}
    for p in (2.0, 4 / 3):
        slopes = torch.autograd.grad(mask_of(x, 2, 1.0, p)[:, 3].sum(), x)[0][:, 3]
        jumps[p] = slopes.diff().abs().max().item()
    assert jumps[2.0] > 0.3 and jumps[4 / 3] < 0.1


@pytest.mark.parametrize("p", POWERS)
def test_hard_regime_has_no_gradient_but_no_nan(p):
    x = torch.tensor([[3.0, 1.0, 2.0, 1.0]], dtype=torch.float64, requires_grad=True)
    k = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    mask = mask_of(x, k, 1e-3, p)
    assert torch.equal(mask, torch.tensor([[1.0, 0.0, 1.0, 0.0]], dtype=torch.float64))
    assert all(bool((g == 0).all()) for g in torch.autograd.grad(mask.square().sum(), (x, k)))
    tied = mask_of(x.detach(), 3, 1e-3, p)
    torch.testing.assert_close(tied, torch.tensor([[1.0, 0.5, 1.0, 0.5]], dtype=torch.float64))


def test_magnitudes():
    x = torch.tensor([[-5.0, -2.0, 3.0, 1.0]], dtype=torch.float64, requires_grad=True)
    values = x * mask_of(x, 2, 0.01, 4 / 3, magnitude=True)
    torch.testing.assert_close(values, torch.tensor([[-5.0, 0.0, 3.0, 0.0]], dtype=torch.float64))
    smallest = mask_of(x, 2, 0.01, magnitude=True, largest=False)
    torch.testing.assert_close(smallest, torch.tensor([[0.0, 1.0, 0.0, 1.0]], dtype=torch.float64))
    soft = mask_of(x, 2, 3.0, magnitude=True)
    torch.testing.assert_close(soft, mask_of(0.5 * x.square(), 2, 3.0))
    hard = mask_of(x, 2, 3.0, magnitude=True, hard=True)
    assert hard.tolist() == [[1.0, 0.0, 1.0, 0.0]]
    weight = items(4, 1)
    torch.testing.assert_close(*(torch.autograd.grad((m * weight).sum(), x)[0] for m in (hard, soft)))
    generic = items(5, 2).requires_grad_()
    assert gradcheck(lambda v: v * mask_of(v, 2, 2.0, 4 / 3, magnitude=True), (generic,))


def test_a_hundred_thousand_items():
    x = torch.randn(1, 100_000, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = mask_of(x, 1000, 0.1, 4 / 3)
    assert mask.detach().sum().item() == pytest.approx(1000, abs=1e-2)
    assert torch.autograd.grad(mask.square().sum(), x)[0].isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ((0.0,), ValueError, "strength"),
        ((1.0, 1.0), ValueError, "p"),
        ((1.0, 2.5), ValueError, "p"),
        ((1.0, "2"), TypeError, "p"),
    ],
)
def test_bad_options(arguments, error, word):
    with pytest.raises(error, match=rf"SparseTopK\({word}\)"):
        SparseTopK(*arguments)
