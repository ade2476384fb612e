"""Permutation cross entropy against a plain loop; ties, masks, blocks."""

import math
import pickle

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

import algonets as an
from algonets.distributions import Cauchy, Levy, Logistic, Reciprocal
from algonets.losses import PermutationCrossEntropy, permutation
from algonets.sort import Batcher, Bitonic, DFTopK, Hard, LapSum, NeuralSort, OddEven, Sinkhorn, soft_argsort
from tests.conformance.cases import needs_native


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def truth_of(targets: list[float]) -> torch.Tensor:
    """The average of all permutation matrices that sort the targets."""
    n, ordered = len(targets), sorted(targets)
    q = torch.zeros(n, n, dtype=torch.float64)
    for rank in range(n):
        for item in range(n):
            if ordered[rank] == targets[item]:
                q[rank, item] = 1 / targets.count(targets[item])
    return q


METHODS = (NeuralSort(0.8), LapSum(0.4), Sinkhorn(0.1), OddEven(Cauchy(0.3)), Bitonic(Logistic(0.5)))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_equals_a_plain_loop(method):
    scores, targets = randn(4, 6), randn(4, 6, seed=1).mul(2).round()
    found = PermutationCrossEntropy(method, reduction="none")(scores, targets)
    for row in range(4):
        p, q = soft_argsort(scores[row], method), truth_of(targets[row].tolist())
        expected = -(q * p.log() + (1 - q) * (1 - p).log()).mean()
        torch.testing.assert_close(found[row], expected)


def test_right_orders_cost_nothing_and_wrong_ones_a_hundred_each_entry():
    scores = torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    targets = torch.tensor([[2, 0, 1], [1, 0, 2]])
    found = PermutationCrossEntropy(Hard(), reduction="none")(scores, targets)
    torch.testing.assert_close(found, torch.tensor([0.0, 400 / 9]))


def test_only_the_order_of_the_targets_counts():
    scores, targets = randn(3, 5), randn(3, 5, seed=1)
    loss = PermutationCrossEntropy(LapSum(0.5))
    ranks = targets.argsort(-1).argsort(-1)
    for same in (ranks, ranks + 1, targets.exp(), targets.float(), (1000 * ranks + 10**9)):
        torch.testing.assert_close(loss(scores, same), loss(scores, targets))


def test_large_integers_keep_their_order():
    targets = torch.tensor([2**60 + 1, 2**60, 2**60 + 2])
    loss = PermutationCrossEntropy(Hard())
    assert loss(torch.tensor([1.0, 0.0, 2.0]), targets) == 0


@pytest.mark.parametrize("method", [NeuralSort(0.8), LapSum(0.4), OddEven(Logistic(0.4))], ids=repr)
def test_gradients(method):
    scores, targets = randn(2, 4).requires_grad_(), torch.tensor([[1, 0, 2, 2], [3, 1, 0, 2]])
    loss = PermutationCrossEntropy(method)
    assert gradcheck(lambda s: loss(s, targets), (scores,))
    assert gradgradcheck(lambda s: loss(s, targets), (scores,))


def test_lists_of_unequal_length():
    scores, targets = randn(3, 6), randn(3, 6, seed=2)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0]], dtype=torch.bool)
    loss = PermutationCrossEntropy(OddEven(Cauchy(0.2)), reduction="none")
    padded = scores.masked_fill(~mask, math.nan).requires_grad_()
    found = loss(padded, targets.masked_fill(~mask, math.nan), mask)
    for row in range(3):
        torch.testing.assert_close(found[row], loss(scores[row][mask[row]], targets[row][mask[row]]))
    gradient = torch.autograd.grad(found.sum(), padded)[0]
    assert gradient.isfinite().all() and bool((gradient[~mask] == 0).all())


NETWORKS = (Batcher(Cauchy(0.2)), OddEven(Logistic(0.3)), Bitonic(Reciprocal(0.1)), Bitonic(Levy(0.5)))
each_network = pytest.mark.parametrize("method", NETWORKS, ids=repr)


@each_network
def test_blocks_of_columns_equal_the_matrix(method, monkeypatch):
    scores, targets = randn(2, 23).requires_grad_(), randn(2, 23, seed=1).mul(4).round()
    results = []
    for dense, block in ((100, 64), (10, 8)):
        monkeypatch.setattr(permutation, "_DENSE", dense)
        monkeypatch.setattr(permutation, "_BLOCK", block)
        loss = PermutationCrossEntropy(method)(scores, targets)
        results.append((loss, torch.autograd.grad(loss, scores)[0]))
    for whole, blocks in zip(*results, strict=True):
        torch.testing.assert_close(blocks, whole, rtol=1e-12, atol=1e-14)


@needs_native
@each_network
@pytest.mark.parametrize("n", [1, 2, 7, 64])
@pytest.mark.parametrize("tied", [(), (1,), (0, 1, 2)])
def test_the_fused_kernel_equals_the_matrix(method, n, tied):
    """With lists that have ties, which go another way, among the others."""
    scores = randn(3, n).requires_grad_()
    targets = torch.stack([torch.randperm(n, generator=torch.Generator().manual_seed(row)) for row in range(3)])
    targets[list(tied)] //= 2
    results = []
    for name in ("native", "torch"):
        with an.backend(name):
            loss = PermutationCrossEntropy(method, reduction="none")(scores, targets)
            p = soft_argsort(scores, method).clamp(0, 1)
        gradient = torch.autograd.grad(loss.dot(torch.tensor([1.0, -2.0, 0.5], dtype=loss.dtype)), scores)[0]
        results.append((loss, gradient))
    truth = torch.stack([truth_of(row.tolist()) for row in targets])
    expected = functional.binary_cross_entropy(p, truth, reduction="none").mean((-1, -2))
    torch.testing.assert_close(results[0][0], expected, rtol=1e-10, atol=1e-10)
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-10, atol=1e-10)


def test_float32_at_the_edges():
    """Entries that round beyond 0 or 1 neither raise nor make NaN."""
    scores = (1e4 * torch.randn(8, 16, generator=torch.Generator().manual_seed(0))).requires_grad_()
    targets = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
    for method in (Bitonic(Cauchy(0.1)), NeuralSort(1.0), LapSum(0.1), Sinkhorn(1e-3)):
        loss = PermutationCrossEntropy(method)(scores, targets)
        assert loss.isfinite() and torch.autograd.grad(loss, scores)[0].isfinite().all()


@pytest.mark.parametrize("backend", ["torch", "native"])
@pytest.mark.parametrize("method", [NeuralSort(0.1), OddEven(Logistic(0.05)), Bitonic(Cauchy(0.01))], ids=repr)
def test_saturated_orders_have_no_exploding_gradient_in_float32(method, backend):
    """1 - P of a P that rounds to 1 is nothing but rounding, and so would be the slope of its logarithm."""
    if backend == "native" and not an.native_status()[0]:
        pytest.skip("no native module")
    generator = torch.Generator().manual_seed(0)
    x, targets = (
        2 * torch.randn(64, 8, generator=generator, dtype=torch.float64),
        torch.rand(64, 8, generator=generator),
    )
    norms = []
    for dtype in (torch.float32, torch.float64):
        scores = x.to(dtype).requires_grad_()
        with an.backend(backend):
            PermutationCrossEntropy(method)(scores, targets).backward()
        norms.append(scores.grad.norm().item())
    assert norms[0] == pytest.approx(norms[1], rel=0.3)


def test_it_teaches_an_order():
    scores = randn(1, 8).requires_grad_()
    targets = torch.randperm(8, generator=torch.Generator().manual_seed(3))[None]
    optimiser = torch.optim.Adam([scores], lr=0.1)
    loss = PermutationCrossEntropy(OddEven(Cauchy(0.3)))
    for _ in range(200):
        optimiser.zero_grad()
        loss(scores, targets).backward()
        optimiser.step()
    assert torch.equal(scores.argsort(-1), targets.argsort(-1))


def test_shapes_dtypes_and_reductions():
    scores, targets = randn(2, 3, 4), randn(2, 3, 4, seed=1)
    single = PermutationCrossEntropy(NeuralSort(1.0), reduction="none")(scores, targets)
    assert single.shape == (2, 3)
    torch.testing.assert_close(PermutationCrossEntropy(NeuralSort(1.0))(scores, targets), single.mean())
    loss = PermutationCrossEntropy(NeuralSort(1.0), reduction="sum")
    torch.testing.assert_close(loss(scores, targets), single.sum())
    assert loss(scores.half(), targets).dtype == torch.float32
    assert loss(scores[:0], targets[:0]) == 0
    assert loss(scores[..., :1], targets[..., :1]).abs() < 1e-9
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)
    learnt = PermutationCrossEntropy(NeuralSort(torch.nn.Parameter(torch.tensor(1.0))))
    assert list(learnt.state_dict()) == ["temperature"]
    bce = functional.binary_cross_entropy(soft_argsort(scores[0, 0], NeuralSort(1.0)), truth_of(targets[0, 0].tolist()))
    torch.testing.assert_close(single[0, 0], bce)


@pytest.mark.parametrize(
    ("scores", "targets", "mask", "error", "words"),
    [
        (torch.zeros(3).long(), torch.zeros(3), None, TypeError, ["(scores)", "floating"]),
        (torch.zeros(3), [1, 2, 3], None, TypeError, ["(targets)", "list"]),
        (torch.zeros(3), torch.zeros(4), None, ValueError, ["(targets)", "shape"]),
        (torch.zeros(3), torch.zeros(3).bool(), None, TypeError, ["(targets)", "numbers"]),
        (torch.zeros(3), torch.full((3,), math.nan), None, ValueError, ["(targets)", "NaN"]),
        (torch.full((3,), math.inf), torch.zeros(3), None, ValueError, ["(scores)", "finite"]),
        (torch.zeros(3), torch.zeros(3), torch.ones(3), TypeError, ["(mask)", "boolean"]),
        (torch.zeros(3), torch.zeros(3), torch.zeros(3).bool(), ValueError, ["(mask)", "at least one item"]),
    ],
)
def test_bad_input(scores, targets, mask, error, words):
    with pytest.raises(error) as caught:
        PermutationCrossEntropy(NeuralSort(1.0))(scores, targets, mask)
    message = str(caught.value)
    assert message.startswith("PermutationCrossEntropy") and all(word in message for word in words), message


def test_bad_methods():
    with pytest.raises(ValueError, match=r"PermutationCrossEntropy\(method\) must have the ability matrix.*NeuralSort"):
        PermutationCrossEntropy(DFTopK(1.0))
    with pytest.raises(TypeError, match=r"PermutationCrossEntropy\(method\) must be a SortMethod"):
        PermutationCrossEntropy(NeuralSort)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"PermutationCrossEntropy\(reduction\) must be one of none, sum, mean"):
        PermutationCrossEntropy(NeuralSort(1.0), reduction="avg")  # pyright: ignore[reportArgumentType]
