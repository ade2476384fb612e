"""NeuralNDCG and PiRank against NDCG by a plain loop."""

import math
import pickle

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.distributions import Logistic
from algonets.losses import NeuralNDCG, PiRank
from algonets.sort import DFTopK, Hard, LapSum, NeuralSort, OddEven, Sinkhorn, soft_argsort

each_loss = pytest.mark.parametrize("loss", [NeuralNDCG, PiRank])
HARD = (Hard(), NeuralSort(1e-4), LapSum(1e-4), Sinkhorn(1e-5), OddEven(Logistic(1e-3)))


def ndcg(scores: list[float], relevance: list[float], k: int | None, gain: str = "exponential") -> float:
    """Exact NDCG@k in the definition's own words; 1 without a relevant document."""

    def dcg(ranking: list[float]) -> float:
        gains = [2**r - 1 if gain == "exponential" else r for r in ranking[:k]]
        return sum(g / math.log2(position + 2) for position, g in enumerate(gains))

    ranked = [r for _, r in sorted(zip(scores, relevance, strict=True), key=lambda pair: -pair[0])]
    ideal = dcg(sorted(relevance, reverse=True))
    return dcg(ranked) / ideal if ideal else 1.0


def lists(batch: int = 6, n: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(batch, n, generator=generator).argsort(-1).double()
    return scores, torch.randint(5, (batch, n), generator=generator)


@each_loss
@pytest.mark.parametrize("method", HARD, ids=repr)
@pytest.mark.parametrize(("k", "gain"), [(None, "exponential"), (3, "exponential"), (1, "linear"), (99, "linear")])
def test_the_hard_limit_is_ndcg(loss, method, k, gain):
    scores, relevance = lists()
    found = loss(method, k, gain=gain, reduction="none")(scores, relevance)
    expected = [1 - ndcg(s, r, k, gain) for s, r in zip(scores.tolist(), relevance.tolist(), strict=True)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6)


@each_loss
@pytest.mark.parametrize("method", [NeuralSort(2.0), LapSum(0.7), OddEven(Logistic(1.0))], ids=repr)
def test_equals_the_formula(loss, method):
    scores, relevance = lists(3, 5)
    found = loss(method, 3, reduction="none")(scores, relevance)
    for row in range(3):
        p = soft_argsort(scores[row], method, descending=True)
        if loss is NeuralNDCG and not method.properties.columns:
            for _ in range(50):
                p = p / p.sum(0, keepdim=True)
                p = p / p.sum(1, keepdim=True)
        gains = 2.0 ** relevance[row].double() - 1
        discounts = 1 / torch.log2(torch.arange(2, 5, dtype=torch.float64))
        ideal = (gains.sort(descending=True).values[:3] * discounts).sum()
        expected = 1 - ((p @ gains)[:3] * discounts).sum() / ideal
        torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-5)


@each_loss
def test_lists_of_unequal_length(loss):
    scores, relevance = lists(4, 6)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [1] * 6, [0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]], dtype=torch.bool)
    criterion = loss(NeuralSort(1.5), 3, reduction="none")
    padded = scores.masked_fill(~mask, math.nan).requires_grad_()
    found = criterion(padded, relevance.masked_fill(~mask, -7), mask)
    for row in range(4):
        torch.testing.assert_close(found[row], criterion(scores[row][mask[row]], relevance[row][mask[row]]))
    gradient = torch.autograd.grad(found.sum(), padded)[0]
    assert gradient.isfinite().all() and bool((gradient[~mask] == 0).all())


@each_loss
def test_lists_without_a_relevant_item_cost_nothing(loss):
    scores = lists(2, 4)[0].requires_grad_()
    value = loss(NeuralSort(1.0))(scores, torch.zeros(2, 4))
    assert value.item() == 0 and bool((torch.autograd.grad(value, scores)[0] == 0).all())


@each_loss
@pytest.mark.parametrize("method", [NeuralSort(2.0), LapSum(0.7)], ids=repr)
def test_gradients(loss, method):
    scores, relevance = lists(2, 4)
    scores = (scores + 0.1 * torch.randn(2, 4, generator=torch.Generator().manual_seed(0))).requires_grad_()
    criterion = loss(method, 2)
    assert gradcheck(lambda s: criterion(s, relevance), (scores,))
    assert gradgradcheck(lambda s: criterion(s, relevance), (scores,))


@pytest.mark.parametrize(("loss", "method"), [(NeuralNDCG, NeuralSort(1.0)), (PiRank, LapSum(0.5))])
def test_it_teaches_a_ranking(loss, method):
    relevance = torch.tensor([[0, 3, 1, 2, 0, 1]])
    scores = torch.randn(1, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimiser = torch.optim.Adam([scores], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        loss(method)(scores, relevance).backward()
        optimiser.step()
    assert loss(Hard())(scores, relevance) < 1e-6


@each_loss
def test_shapes_dtypes_and_reductions(loss):
    scores, relevance = lists(6, 5)
    scores, relevance = scores.reshape(2, 3, 5), relevance.reshape(2, 3, 5)
    single = loss(NeuralSort(1.0), reduction="none")(scores, relevance)
    assert single.shape == (2, 3)
    torch.testing.assert_close(loss(NeuralSort(1.0))(scores, relevance), single.mean())
    torch.testing.assert_close(loss(NeuralSort(1.0), reduction="sum")(scores, relevance), single.sum())
    criterion = loss(NeuralSort(torch.nn.Parameter(torch.tensor(1.0))), 3, gain="linear")
    assert criterion(scores.bfloat16(), relevance.float()).dtype == torch.float32
    assert criterion(scores[:0], relevance[:0]) == 0 and list(criterion.state_dict()) == ["temperature"]
    assert repr(pickle.loads(pickle.dumps(criterion))) == repr(criterion)
    assert "k=3" in repr(criterion) and "gain='linear'" in repr(criterion)


@each_loss
@pytest.mark.parametrize(
    ("relevance", "error"),
    [
        (torch.tensor([1, 2]), ValueError),
        (torch.tensor([1, -1, 0]), ValueError),
        (torch.tensor([1.0, 101.0, 0.0]), ValueError),
        (torch.tensor([1.0, math.nan, 0.0]), ValueError),
        (torch.tensor([True, False, True]), TypeError),
        ([1, 2, 3], TypeError),
    ],
)
def test_bad_relevance(loss, relevance, error):
    with pytest.raises(error, match=rf"{loss.__name__}\(relevance\) must "):
        loss(NeuralSort(1.0))(torch.zeros(3), relevance)


@each_loss
@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"k": 0}, ValueError, "k"),
        ({"k": 1.5}, TypeError, "k"),
        ({"gain": "log"}, ValueError, "gain"),
        ({"reduction": "avg"}, ValueError, "reduction"),
        ({"method": DFTopK(1.0)}, ValueError, "method"),
        ({"method": None}, TypeError, "method"),
    ],
)
def test_bad_options(loss, options, error, word):
    with pytest.raises(error, match=rf"{loss.__name__}\({word}\) must "):
        loss(**{"method": NeuralSort(1.0), **options})
    if loss is NeuralNDCG:
        with pytest.raises(ValueError, match=r"NeuralNDCG\(scaling\)"):
            NeuralNDCG(NeuralSort(1.0), scaling=-1)
