"""Spearman loss against SciPy in the hard limit and a plain correlation."""

import math
import pickle

import pytest
import torch
from scipy.stats import spearmanr
from torch.autograd import gradcheck, gradgradcheck

from algonets.distributions import Logistic
from algonets.losses import Spearman
from algonets.sort import DFTopK, Hard, LapSum, NeuralSort, OddEven, soft_rank


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("method", [Hard(), LapSum(1e-5), NeuralSort(1e-5), OddEven(Logistic(1e-6))], ids=repr)
@pytest.mark.parametrize("tied", [False, True])
def test_the_hard_limit_is_one_minus_the_correlation(method, tied):
    scores, targets = randn(5, 8), randn(5, 8, seed=1)
    targets = targets.round() if tied else targets
    found = Spearman(method, reduction="none")(scores, targets)
    for row in range(5):
        expected = 1 - float(spearmanr(scores[row].numpy(), targets[row].numpy())[0])  # pyright: ignore
        assert found[row].item() == pytest.approx(expected, abs=1e-6)


def test_equals_the_correlation_of_soft_ranks():
    scores, targets, method = randn(3, 6), randn(3, 6, seed=1), LapSum(0.5)
    found = Spearman(method, reduction="none")(scores, targets)
    for row in range(3):
        both = torch.stack([soft_rank(scores[row], method), targets[row].argsort().argsort().double()])
        torch.testing.assert_close(found[row], 1 - torch.corrcoef(both)[0, 1])


def test_right_and_reversed_orders():
    scores = randn(1, 6)
    loss = Spearman(LapSum(1e-6))
    torch.testing.assert_close(loss(scores, scores), torch.tensor(0.0, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(loss(scores, -scores), torch.tensor(2.0, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("scores", "targets"), [(randn(4), torch.ones(4)), (torch.ones(4).double(), randn(4)), (randn(1), randn(1))]
)
def test_without_variation_there_is_no_correlation(scores, targets):
    scores.requires_grad_()
    value = Spearman(LapSum(0.5))(scores, targets)
    assert value.item() == 1 and bool((torch.autograd.grad(value, scores)[0] == 0).all())


def test_very_soft_ranks_still_correlate():
    scores, targets = randn(2, 5).float().requires_grad_(), randn(2, 5, seed=1)
    value = Spearman(LapSum(1e4))(scores, targets)
    pearson = torch.stack(
        [
            torch.corrcoef(torch.stack([s, t.argsort().argsort().float()]))[0, 1]
            for s, t in zip(scores, targets, strict=True)
        ]
    )
    torch.testing.assert_close(value, 1 - pearson.mean(), rtol=0, atol=1e-2)
    assert torch.autograd.grad(value, scores)[0].isfinite().all()


@pytest.mark.parametrize("method", [NeuralSort(0.8), LapSum(0.4)], ids=repr)
def test_gradients(method):
    scores, targets = randn(2, 4).requires_grad_(), torch.tensor([[1, 0, 2, 2], [3, 1, 0, 2]])
    loss = Spearman(method)
    assert gradcheck(lambda s: loss(s, targets), (scores,))
    assert gradgradcheck(lambda s: loss(s, targets), (scores,))


def test_lists_of_unequal_length():
    scores, targets = randn(3, 6), randn(3, 6, seed=2)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0]], dtype=torch.bool)
    loss = Spearman(LapSum(0.3), reduction="none")
    padded = scores.masked_fill(~mask, math.nan).requires_grad_()
    found = loss(padded, targets.masked_fill(~mask, math.nan), mask)
    for row in range(3):
        torch.testing.assert_close(found[row], loss(scores[row][mask[row]], targets[row][mask[row]]))
    gradient = torch.autograd.grad(found.sum(), padded)[0]
    assert gradient.isfinite().all() and bool((gradient[~mask] == 0).all())


def test_shapes_dtypes_and_reductions():
    scores, targets = randn(2, 3, 4), randn(2, 3, 4, seed=1)
    single = Spearman(LapSum(1.0), reduction="none")(scores, targets)
    assert single.shape == (2, 3)
    torch.testing.assert_close(Spearman(LapSum(1.0))(scores, targets), single.mean())
    loss = Spearman(LapSum(torch.nn.Parameter(torch.tensor(1.0))), reduction="sum")
    torch.testing.assert_close(loss(scores, targets), single.sum())
    assert loss(scores.half(), targets).dtype == torch.float32
    assert loss(scores[:0], targets[:0]) == 0 and list(loss.state_dict()) == ["alpha"]
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)


@pytest.mark.parametrize(
    ("scores", "targets", "error", "word"),
    [
        (torch.zeros(3).long(), torch.zeros(3), TypeError, "scores"),
        (torch.full((3,), math.nan), torch.zeros(3), ValueError, "scores"),
        (torch.zeros(3), torch.zeros(2), ValueError, "targets"),
        (torch.zeros(3), "order", TypeError, "targets"),
    ],
)
def test_bad_input(scores, targets, error, word):
    with pytest.raises(error, match=rf"Spearman\({word}\) must "):
        Spearman(NeuralSort(1.0))(scores, targets)


def test_bad_methods():
    with pytest.raises(ValueError, match=r"Spearman\(method\) must have the ability rank"):
        Spearman(DFTopK(1.0))
