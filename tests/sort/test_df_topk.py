"""DFTopK against its formula."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.sort import DFTopK, Hard, soft_sort, soft_topk


def items(n: int = 6, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def mask_of(x, k, temperature=0.4, **options):
    return soft_topk(x, k, DFTopK(temperature), output="mask", **options)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_equals_the_formula(k):
    x = items()
    ordered = x.sort(-1, descending=True).values
    threshold = (ordered[:, k - 1] + ordered[:, k]) / 2
    torch.testing.assert_close(mask_of(x, k), torch.sigmoid((x - threshold[:, None]) / 0.4))
    lowest = (-ordered.flip(-1)[:, k - 1] - ordered.flip(-1)[:, k]) / 2
    torch.testing.assert_close(mask_of(x, k, largest=False), torch.sigmoid((-x - lowest[:, None]) / 0.4))


def test_none_and_all():
    x = items()
    assert torch.equal(mask_of(x, 0), torch.zeros_like(x)) and torch.equal(mask_of(x, 6), torch.ones_like(x))


def test_real_counts_mix_the_neighbours():
    x = items()
    for k in range(6):
        torch.testing.assert_close(mask_of(x, k + 0.3), 0.7 * mask_of(x, k) + 0.3 * mask_of(x, k + 1))
    k = torch.tensor([0.0, 2.25, 5.5], dtype=torch.float64)
    torch.testing.assert_close(mask_of(x, k, 1e-4), soft_topk(x, k, Hard(), output="mask"))


def test_gradients_in_items_count_and_temperature():
    x = items(4, 2).requires_grad_()
    k = torch.tensor([1.3, 2.6], dtype=torch.float64, requires_grad=True)
    temperature = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(mask_of, (x, k, temperature)) and gradgradcheck(mask_of, (x, k, temperature))


def test_gradients_cross_the_threshold():
    """An item left out pulls the threshold, and so lowers the others."""
    x = torch.tensor([[2.0, 1.0, 0.0]], requires_grad=True)
    gradient = torch.autograd.grad(mask_of(x, 1)[0, 0], x)[0]
    assert gradient[0, 0] > 0 and gradient[0, 1] < 0 and gradient[0, 2] == 0


def test_ties_at_the_threshold_are_halves():
    found = mask_of(torch.tensor([[2.0, 1.0, 1.0, 0.0]]), 2, 1e-3)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.5, 0.5, 0.0]]))


def test_what_it_has_not_is_an_error():
    with pytest.raises(ValueError, match="soft_sort with method=DFTopK is not defined"):
        soft_sort(items(), DFTopK(0.1))
    with pytest.raises(ValueError, match=r"DFTopK\(temperature\) must be positive"):
        DFTopK(0.0)
