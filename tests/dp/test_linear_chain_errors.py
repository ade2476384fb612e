"""Bad input to the chain: a clear error that names the call, the rule and what was given."""

import math

import pytest
import torch

from algonets.dp import CRF, LinearChain
from algonets.losses import nll, structured_hinge
from algonets.semirings import KMax

U, A = torch.zeros(2, 4, 3), torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: LinearChain(torch.zeros(3), A), ValueError, ["unary", "(*batch, T, S)", "(3,)"]),
        (lambda: LinearChain([[0.0]], A), TypeError, ["unary", "torch.Tensor", "list"]),
        (lambda: LinearChain(U.long(), A), TypeError, ["unary", "floating-point", ".float()"]),
        (lambda: LinearChain(U, A.long()), TypeError, ["transition", "floating-point"]),
        (lambda: LinearChain(U, A.double()), TypeError, ["transition", "dtype of unary"]),
        (lambda: LinearChain(U, torch.zeros(4, 4)), ValueError, ["transition", "(S, S)", "S = 3", "(4, 4)"]),
        (lambda: LinearChain(U, torch.zeros(5, 3, 3)), ValueError, ["transition", "broadcast", "(2,)"]),
        (lambda: LinearChain(U, torch.zeros(2, 4, 3, 3)), ValueError, ["transition", "T - 1", "T = 4"]),
        (lambda: LinearChain(U[:, :0], A), ValueError, ["unary", "at least one step"]),
        (lambda: LinearChain(U[..., :0], A), ValueError, ["unary", "one state"]),
        (lambda: LinearChain(U * math.nan, A), ValueError, ["unary", "finite scores or -inf", "NaN"]),
        (lambda: LinearChain(U + math.inf, A), ValueError, ["unary", "+inf"]),
        (lambda: LinearChain(U, A * math.nan), ValueError, ["transition", "NaN"]),
        (lambda: LinearChain(U, A, start=torch.zeros(4)), ValueError, ["start", "S = 3", "(4,)"]),
        (lambda: LinearChain(U, A, end=torch.full((3,), math.nan)), ValueError, ["end", "NaN"]),
        (lambda: LinearChain(U, A, lengths=torch.tensor([0, 4])), ValueError, ["lengths", "at least 1", "got 0"]),
        (lambda: LinearChain(U, A, lengths=torch.tensor([5, 4])), ValueError, ["lengths", "T = 4", "got 5"]),
        (lambda: LinearChain(U, A, lengths=torch.tensor([4])), ValueError, ["lengths", "batch shape (2,)"]),
        (lambda: LinearChain(U, A, lengths=torch.tensor([4.0, 2.0])), TypeError, ["lengths", "integer"]),
        (lambda: LinearChain(U, A).topk(0), ValueError, ["topk(k)", "at least 1", "got 0"]),
        (lambda: LinearChain(U, A).topk(1.5), TypeError, ["topk(k)", "integer"]),
        (lambda: LinearChain(U, A).sample(0), ValueError, ["sample(n)", "at least 1"]),
        (lambda: LinearChain(U, A).messages(-1), ValueError, ["messages(iterations)", "at least 0"]),
        (lambda: LinearChain(U, A).log_partition(0.0), ValueError, ["temperature", "positive"]),
        (lambda: LinearChain(U, A).marginals(-1.0), ValueError, ["temperature", "positive", "-1.0"]),
        (lambda: LinearChain(U, A).reduce("max"), TypeError, ["reduce(semiring)", "Semiring", "algonets.semirings"]),
        (lambda: LinearChain(U, A).kl(LinearChain(U[:1], A)), ValueError, ["cross_entropy(other)", "shape"]),
        (lambda: LinearChain(U, A).score(torch.zeros(2, 4)), TypeError, ["score(labels)", "integer"]),
        (lambda: LinearChain(U, A).score(torch.zeros(2, 3).long()), ValueError, ["labels", "(2, 4)", "(2, 3)"]),
        (lambda: LinearChain(U, A).score(torch.full((2, 4), 3)), ValueError, ["labels", "0 .. 2", "got 3"]),
        (lambda: LinearChain(U, A).log_prob(torch.full((2, 4), -1)), ValueError, ["labels", "0 .. 2", "got -1"]),
        (lambda: nll(LinearChain(U, A), torch.full((2, 4), 9)), ValueError, ["labels", "got 9"]),
        (lambda: nll(LinearChain(U, A), torch.zeros(2, 4).long(), "avg"), ValueError, ["reduction", "'avg'"]),
        (
            lambda: structured_hinge(LinearChain(U, A), torch.zeros(2, 4).long(), 0.0),
            ValueError,
            ["margin", "positive"],
        ),
        (lambda: KMax(0), ValueError, ["KMax(k)", "at least 1"]),
        (lambda: CRF(0), ValueError, ["CRF(num_states)", "at least 1"]),
        (lambda: CRF(3).decode(U, mask=torch.tensor([[1, 0, 1, 1]] * 2).bool()), ValueError, ["mask", "hole"]),
        (lambda: CRF(3).decode(U, mask=torch.zeros(2, 4).bool()), ValueError, ["at least 1"]),
        (lambda: CRF(3).decode(U, mask=torch.ones(2, 4)), TypeError, ["mask", "Boolean"]),
        (lambda: CRF(3).decode(U, torch.tensor([4, 4]), torch.ones(2, 4).bool()), ValueError, ["one of the two"]),
        (lambda: CRF(3)(U, torch.zeros(2, 4).long(), reduction="avg"), ValueError, ["reduction", "'avg'"]),
    ],
)
def test_error_says_what_is_wrong(build, error, words):
    with pytest.raises(error) as caught:
        build()
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "got" in message
