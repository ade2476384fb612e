"""Top-k cross entropy against golden vectors and a plain sum."""

import math
import pickle

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from algonets import sort
from algonets.distributions import Cauchy, Logistic
from algonets.losses import TopKCrossEntropy
from algonets.sort import Hard, LapSum, NeuralSort, SparseTopK
from tests.golden import select

LAWS = {"cauchy": Cauchy, "logistic": Logistic}


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def method_of(meta: dict):
    scale = 1 / meta["inverse_temperature"]
    if meta["distribution"]:
        network = {"odd_even": sort.OddEven, "bitonic__non_sparse": sort.Bitonic}[meta["method"]]
        return network(LAWS[meta["distribution"]](scale))
    name = {"neuralsort": "NeuralSort", "softsort": "SoftSort"}[meta["method"]]
    return getattr(sort, name)(scale)


@pytest.mark.parametrize("case", select("topk", "topk_cross_entropy"))
def test_equals_the_golden_vectors(case):
    meta = case.meta
    inputs = {"x": case.inputs["x"].clone().requires_grad_()}
    loss = TopKCrossEntropy(method_of(meta), meta["p_k"], mode=meta["top1_mode"], m=meta["m"])
    ours = {"loss": loss(inputs["x"], case.inputs["label"].long())}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("method", [NeuralSort(0.7), LapSum(0.4), SparseTopK(2.0)], ids=repr)
@pytest.mark.parametrize("mode", ["sm", "sort", "smce"])
def test_equals_a_plain_sum_of_memberships(mode, method):
    p, x, labels = (0.2, 0.0, 0.5, 0.3), randn(5, 6), torch.tensor([0, 5, 2, 3, 3])
    found = TopKCrossEntropy(method, p, mode=mode, reduction="none")(x, labels)
    for row, label in enumerate(labels.tolist()):
        d = 0.0
        for j, share in enumerate(p, 1):
            if j > 1 or mode == "sort":
                d += share * sort.soft_topk(x[row], j, method, output="mask")[label].item()
        if mode == "sm":
            d += p[0] * torch.softmax(x[row], 0)[label].item()
        expected = -math.log(d * (1 - 2e-7) + 1e-7)
        if mode == "smce":
            expected = 0.8 * expected + 0.2 * functional.cross_entropy(x[row], labels[row]).item()
        assert found[row].item() == pytest.approx(expected, rel=1e-9)


def test_the_hard_limit_is_the_error_of_the_first_k():
    x, labels = randn(20, 6), torch.randint(6, (20,), generator=torch.Generator().manual_seed(1))
    missed = ~(x.topk(3).indices == labels[:, None]).any(-1)
    found = TopKCrossEntropy(Hard(), 3, reduction="none")(x, labels)
    torch.testing.assert_close(found, missed.double() * -math.log(1e-7), rtol=0, atol=1e-6)


def test_top_one_by_softmax_is_the_ordinary_cross_entropy():
    x, labels = randn(4, 5), torch.tensor([0, 1, 4, 4])
    expected = functional.cross_entropy(x, labels)
    for mode in ("sm", "smce"):
        found = TopKCrossEntropy(NeuralSort(1.0), [1.0], mode=mode)(x, labels)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_several_labels():
    x = randn(3, 6)
    positive = torch.tensor([[1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0]], dtype=torch.bool)
    loss = TopKCrossEntropy(LapSum(0.5), [0.3, 0.0, 0.7], reduction="none")
    found = loss(x, positive)
    for row in range(3):
        each = [loss(x[row], torch.tensor(i)) for i in positive[row].nonzero().flatten().tolist()]
        torch.testing.assert_close(found[row], torch.stack(each).mean())
    few = TopKCrossEntropy(LapSum(0.5), 3, m=4, reduction="none")(x, positive)
    for row in range(3):
        others = x[row][~positive[row]].sort(descending=True).values
        count = int(positive[row].sum())
        kept = torch.cat([x[row][positive[row]], others[: 4 - count]])
        truth = torch.arange(4) < count
        torch.testing.assert_close(few[row], TopKCrossEntropy(LapSum(0.5), 3)(kept, truth))


def test_classes_left_out_have_no_gradient():
    x = randn(2, 8).requires_grad_()
    loss = TopKCrossEntropy(NeuralSort(0.5), 2, m=3)(x, torch.tensor([0, 1]))
    gradient = torch.autograd.grad(loss, x)[0]
    assert int((gradient != 0).sum()) == 6 and bool((gradient[[0, 1], [0, 1]] < 0).all())


@pytest.mark.parametrize("mode", ["sm", "sort", "smce"])
def test_gradients_and_a_learnt_scale(mode):
    scale = torch.nn.Parameter(torch.tensor(0.8, dtype=torch.float64))
    loss = TopKCrossEntropy(NeuralSort(scale), [0.25, 0.25, 0.5], mode=mode)
    assert dict(loss.named_parameters()).keys() == {"temperature"}
    x, labels = randn(2, 4).requires_grad_(), torch.tensor([3, 0])

    def of(x, s):
        return TopKCrossEntropy(NeuralSort(s), [0.25, 0.25, 0.5], mode=mode)(x, labels)

    assert gradcheck(of, (x, scale)) and gradgradcheck(of, (x, scale))


def test_shapes_dtypes_and_reductions():
    x, labels = randn(2, 3, 7), torch.randint(7, (2, 3), generator=torch.Generator().manual_seed(0))
    single = TopKCrossEntropy(NeuralSort(1.0), 2, reduction="none")(x, labels)
    assert single.shape == (2, 3)
    torch.testing.assert_close(TopKCrossEntropy(NeuralSort(1.0), 2)(x, labels), single.mean())
    torch.testing.assert_close(TopKCrossEntropy(NeuralSort(1.0), 2, reduction="sum")(x, labels), single.sum())
    loss = TopKCrossEntropy(NeuralSort(1.0), 2)
    assert loss(x.bfloat16(), labels).dtype == torch.float32
    assert loss(x[:0], labels[:0]) == 0
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)
    assert "k=2" in repr(loss) and "mode='sm'" in repr(loss)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"k": 0}, ValueError, "k"),
        ({"k": [0.5, 0.2]}, ValueError, "k"),
        ({"k": []}, ValueError, "k"),
        ({"k": ["a"]}, TypeError, "k"),
        ({"k": 2.5}, TypeError, "k"),
        ({"mode": "hard"}, ValueError, "mode"),
        ({"k": 5, "m": 3}, ValueError, "m"),
        ({"reduction": "avg"}, ValueError, "reduction"),
        ({"method": "NeuralSort"}, TypeError, "method"),
        ({"method": NeuralSort}, TypeError, "method"),
    ],
)
def test_bad_options(options, error, word):
    with pytest.raises(error, match=rf"TopKCrossEntropy\({word}\)"):
        TopKCrossEntropy(**{"method": NeuralSort(1.0), **options})


@pytest.mark.parametrize(
    ("x", "labels", "error", "word"),
    [
        (torch.zeros(2, 4), torch.tensor([0, 4]), ValueError, "labels"),
        (torch.zeros(2, 4), torch.tensor([-1, 0]), ValueError, "labels"),
        (torch.zeros(2, 4), torch.tensor([0]), ValueError, "labels"),
        (torch.zeros(2, 4), torch.tensor([0.0, 1.0]), TypeError, "labels"),
        (torch.zeros(2, 4), torch.zeros(2, 4, dtype=torch.bool), ValueError, "labels"),
        (torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.bool), ValueError, "labels"),
        (torch.zeros(2, 2), torch.tensor([0, 1]), ValueError, "scores"),
        (torch.full((2, 4), math.nan), torch.tensor([0, 1]), ValueError, "scores"),
        (torch.zeros(2, 4).long(), torch.tensor([0, 1]), TypeError, "scores"),
    ],
)
def test_bad_input(x, labels, error, word):
    with pytest.raises(error, match=rf"TopKCrossEntropy\({word}\) must "):
        TopKCrossEntropy(NeuralSort(1.0), 3)(x, labels)
