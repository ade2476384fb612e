"""Quantile loss against its minimiser, and rearranged quantiles."""

import math
import pickle

import pytest
import torch
from torch.autograd import gradcheck

from algonets.losses import QuantileLoss
from algonets.sort import DFTopK, Hard, LapSum


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.93])
def test_equals_a_plain_loop(q):
    prediction, target = randn(20), randn(20, seed=1)
    found = QuantileLoss(q, reduction="none")(prediction, target)
    for p, y, value in zip(prediction.tolist(), target.tolist(), found.tolist(), strict=True):
        assert value == pytest.approx(q * (y - p) if y >= p else (1 - q) * (p - y))


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_it_is_least_at_the_quantile(q):
    sample = randn(2001)
    candidates = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    loss = QuantileLoss(q)
    values = torch.stack([loss(c.expand_as(sample), sample) for c in candidates])
    assert candidates[values.argmin()].item() == pytest.approx(torch.quantile(sample, q).item(), abs=0.02)


def test_half_the_absolute_error():
    prediction, target = randn(9), randn(9, seed=1)
    torch.testing.assert_close(QuantileLoss(0.5)(prediction, target), (target - prediction).abs().mean() / 2)


def test_many_quantiles_are_the_mean_of_each():
    levels, prediction, target = [0.1, 0.5, 0.9], randn(2, 4, 3), randn(2, 4, seed=1)
    found = QuantileLoss(levels, reduction="none")(prediction, target)
    each = [QuantileLoss(q, reduction="none")(prediction[..., i], target) for i, q in enumerate(levels)]
    torch.testing.assert_close(found, torch.stack(each).mean(0))


def test_rearranged_quantiles_never_lose():
    levels, prediction, target = [0.05, 0.3, 0.5, 0.8], randn(500, 4), randn(500, seed=1)
    plain = QuantileLoss(levels, reduction="none")(prediction, target)
    rearranged = QuantileLoss(levels, Hard(), reduction="none")(prediction, target)
    assert bool((rearranged <= plain + 1e-12).all()) and bool((rearranged < plain - 1e-6).any())
    ordered = prediction.sort(-1).values
    torch.testing.assert_close(rearranged, QuantileLoss(levels, reduction="none")(ordered, target))
    soft = QuantileLoss(levels, LapSum(1e-5), reduction="none")(prediction, target)
    torch.testing.assert_close(soft, rearranged, rtol=0, atol=1e-3)


def test_gradients_and_a_learnt_scale():
    prediction, target = randn(3, 3).requires_grad_(), randn(3, seed=1).requires_grad_()
    for method in (None, Hard(), LapSum(0.5)):
        assert gradcheck(QuantileLoss([0.2, 0.5, 0.7], method), (prediction, target))
    loss = QuantileLoss([0.2, 0.8], LapSum(torch.nn.Parameter(torch.tensor(1.0))))
    assert list(loss.state_dict()) == ["alpha"]


def test_shapes_dtypes_and_reductions():
    prediction, target = randn(2, 3), randn(2, 3, seed=1)
    single = QuantileLoss(0.3, reduction="none")(prediction, target)
    assert single.shape == (2, 3)
    torch.testing.assert_close(QuantileLoss(0.3)(prediction, target), single.mean())
    torch.testing.assert_close(QuantileLoss(0.3, reduction="sum")(prediction, target), single.sum())
    assert QuantileLoss(0.3)(prediction.bfloat16(), target.bfloat16()).dtype == torch.float32
    assert QuantileLoss(0.3)(prediction[:0], target[:0]) == 0
    loss = QuantileLoss([0.1, 0.9], Hard())
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss) and "q=(0.1, 0.9)" in repr(loss)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ((0.0,), ValueError, "q"),
        ((1.0,), ValueError, "q"),
        (([],), ValueError, "q"),
        (([0.9, 0.1],), ValueError, "q"),
        (([0.5, 0.5],), ValueError, "q"),
        (("half",), TypeError, "q"),
        ((True,), TypeError, "q"),
        ((0.5, Hard()), ValueError, "method"),
        (([0.1, 0.9], DFTopK(1.0)), ValueError, "method"),
        (([0.1, 0.9], "sort"), TypeError, "method"),
    ],
)
def test_bad_options(arguments, error, word):
    with pytest.raises(error, match=rf"QuantileLoss\({word}\) must "):
        QuantileLoss(*arguments)
    with pytest.raises(ValueError, match=r"QuantileLoss\(reduction\) must be one of none, sum, mean"):
        QuantileLoss(0.5, reduction="avg")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("prediction", "target", "error", "word"),
    [
        (torch.zeros(3, 2), torch.zeros(2), ValueError, "prediction"),
        (torch.zeros(2, 3), torch.zeros(2), ValueError, "prediction"),
        (torch.zeros(2, 2).long(), torch.zeros(2), TypeError, "prediction"),
        (torch.zeros(2, 2), torch.zeros(2).long(), TypeError, "target"),
        (torch.full((2, 2), math.nan), torch.zeros(2), ValueError, "prediction"),
        (torch.zeros(2, 2), torch.full((2,), math.inf), ValueError, "target"),
    ],
)
def test_bad_input(prediction, target, error, word):
    with pytest.raises(error, match=rf"QuantileLoss\({word}\) must "):
        QuantileLoss([0.1, 0.9])(prediction, target)
