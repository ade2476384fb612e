"""Exact assignments against SciPy, enumeration and golden vectors."""

import itertools
import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from algonets.sort import hungarian, sinkhorn
from tests.golden import select


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def is_permutation(p: torch.Tensor) -> bool:
    ones = bool((p.sum(-1) == 1).all()) and bool((p.sum(-2) == 1).all())
    return ones and bool(((p == 0) | (p == 1)).all())


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("kind", ["real", "tied", "huge"])
def test_equals_enumeration(n, kind):
    scores = {"real": randn(8, n, n), "tied": randn(8, n, n).round(), "huge": randn(8, n, n) * 1e12}[kind]
    p = hungarian(scores)
    assert is_permutation(p)
    rows = torch.arange(n)
    best = torch.stack([scores[:, rows, list(order)].sum(-1) for order in itertools.permutations(range(n))]).amax(0)
    torch.testing.assert_close((scores * p).sum((-1, -2)), best)


@pytest.mark.parametrize("n", [20, 100, 200])
def test_equals_scipy(n):
    scores = randn(2, n, n)
    p = hungarian(scores)
    for example in range(2):
        rows, columns = linear_sum_assignment(scores[example].numpy(), maximize=True)
        assert torch.equal(p[example][rows].argmax(-1), torch.from_numpy(columns))


@pytest.mark.parametrize("case", select("structures", "assignment"))
def test_equals_the_golden_vectors(case):
    cost = next(value for value in case.inputs.values() if value.ndim == 3)
    found = hungarian(-cost).argmax(-1)
    assert torch.equal(found, case.outputs["permutation"].long())


def test_forbidden_pairs_are_avoided():
    scores = randn(20, 6, 6)
    forbidden = torch.rand(20, 6, 6, generator=torch.Generator().manual_seed(1)) < 0.3
    forbidden &= ~torch.eye(6, dtype=torch.bool)
    scores = scores.masked_fill(forbidden, -math.inf).requires_grad_()
    p = hungarian(scores)
    assert is_permutation(p.detach()) and not bool((p.detach().bool() & forbidden).any())
    for example in range(20):
        rows, columns = linear_sum_assignment(scores[example].detach().numpy(), maximize=True)
        assert torch.equal(p[example][rows].argmax(-1), torch.from_numpy(columns))
    assert torch.autograd.grad(p.sum(), scores)[0].isfinite().all()


def test_nothing_allowed_is_an_error():
    scores = torch.zeros(2, 3, 3)
    scores[1, :2, 1:] = -math.inf
    with pytest.raises(ValueError, match=r"hungarian\(scores\) must leave a perfect matching.*example 1"):
        hungarian(scores)


def test_gradients():
    scores, weight = randn(2, 4, 4).requires_grad_(), randn(2, 4, 4, seed=1)
    assert torch.equal(torch.autograd.grad((hungarian(scores) * weight).sum(), scores)[0], weight)
    expected = torch.autograd.grad((sinkhorn(scores, 0.3) * weight).sum(), scores)[0]
    p = hungarian(scores, gradient="sinkhorn", temperature=0.3)
    assert is_permutation(p.detach().round())
    torch.testing.assert_close(torch.autograd.grad((p * weight).sum(), scores)[0], expected)
    assert not hungarian(scores, gradient="none").requires_grad
    with pytest.raises(ValueError, match=r"hungarian\(gradient\) must be one of identity, sinkhorn, none"):
        hungarian(scores, gradient="soft")  # pyright: ignore[reportArgumentType]


def test_batches_dtypes_vmap_and_empty():
    scores = randn(2, 3, 4, 4)
    whole = hungarian(scores)
    assert torch.equal(hungarian(scores[1, 2]), whole[1, 2])
    assert torch.equal(torch.func.vmap(hungarian)(scores), whole)
    assert torch.equal(torch.func.vmap(torch.func.vmap(hungarian), in_dims=1)(scores), whole.transpose(0, 1))
    assert hungarian(scores.bfloat16()).dtype == torch.bfloat16
    assert hungarian(scores[:0]).shape == (0, 3, 4, 4)
    assert hungarian(torch.zeros(2, 0, 0)).shape == (2, 0, 0)


@pytest.mark.parametrize(
    ("scores", "error"),
    [
        (torch.zeros(2, 3), ValueError),
        (torch.zeros(2, 2).long(), TypeError),
        (torch.full((2, 2), math.nan), ValueError),
        (torch.full((2, 2), math.inf), ValueError),
    ],
)
def test_bad_scores(scores, error):
    with pytest.raises(error, match=r"hungarian\(scores\)"):
        hungarian(scores)
