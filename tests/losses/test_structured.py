"""Structured losses against enumeration of all label sequences, and what each promises."""

import math

import pytest
import torch

from algonets.dp import LinearChain
from algonets.losses import nll, perceptron, structured_hinge
from tests.oracles.chain_enumeration import Enumeration

MARGIN = 0.7
LENGTHS = torch.tensor([4, 1, 3, 4])
each_loss = pytest.mark.parametrize("loss", [nll, perceptron, structured_hinge])


def make(seed=0, batch=4, steps=4, states=3, scale=1.0):
    """Random factors (start and end too), and labels with nonsense beyond the lengths."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((batch, steps, states), (states, states), (states,), (states,))
    factors = [scale * torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes]
    labels = torch.randint(states, (batch, steps), generator=g)
    return factors, torch.where(torch.arange(steps) < LENGTHS[:batch, None], labels, -7)


def right_and_costs(oracle: Enumeration, labels: torch.Tensor) -> tuple[int, torch.Tensor]:
    """Index of the right sequence, and the Hamming distance of every one to it."""
    truth = tuple(labels[: oracle.length].tolist())
    wrong = [sum(a != b for a, b in zip(y, truth, strict=True)) for y in oracle.sequences]
    return oracle.sequences.index(truth), torch.tensor(wrong, dtype=torch.float64)


def by_enumeration(loss, factors, labels) -> torch.Tensor:
    unary, *shared = factors
    values = []
    for b in range(len(unary)):
        oracle = Enumeration(unary[b], *shared, length=LENGTHS[b])
        index, wrong = right_and_costs(oracle, labels[b])
        best = {
            nll: oracle.log_partition(),
            perceptron: oracle.scores.max(),
            structured_hinge: (oracle.scores + MARGIN * wrong).max(),
        }[loss]
        values.append(best - oracle.scores[index])
    return torch.stack(values)


def settings(loss) -> dict:
    return {"margin": MARGIN} if loss is structured_hinge else {}


def hamming(a: torch.Tensor, b: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return ((a != b) & (torch.arange(a.shape[-1]) < lengths[:, None])).sum(-1)


@each_loss
@pytest.mark.parametrize("seed", range(4))
def test_values_and_gradients_equal_enumeration(any_backend, loss, seed):
    factors, labels = make(seed)
    inputs = [f.requires_grad_() for f in factors]
    ours = loss(LinearChain(*inputs, lengths=LENGTHS), labels, reduction="none", **settings(loss))
    theirs = by_enumeration(loss, inputs, labels)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    gradients = (torch.autograd.grad((value * weight).sum(), inputs) for value in (ours, theirs))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_nll_is_twice_differentiable(any_backend):
    factors, labels = make(5, batch=2, states=2)
    inputs = tuple(f.requires_grad_() for f in factors)
    assert torch.autograd.gradgradcheck(lambda *x: nll(LinearChain(*x, lengths=LENGTHS[:2]), labels), inputs)


@each_loss
def test_reductions(loss):
    factors, labels = make(1)
    chain = LinearChain(*factors, lengths=LENGTHS)
    single = loss(chain, labels, reduction="none")
    assert single.shape == (4,)
    torch.testing.assert_close(loss(chain, labels, reduction="sum"), single.sum())
    torch.testing.assert_close(loss(chain, labels, reduction="mean"), single.mean())
    assert torch.equal(loss(chain, labels), loss(chain, labels, reduction="mean"))


@each_loss
def test_batch_shapes(loss):
    factors, labels = make(1)
    whole = loss(LinearChain(*factors, lengths=LENGTHS), labels, reduction="none")
    grid = LinearChain(factors[0].reshape(2, 2, 4, 3), *factors[1:], lengths=LENGTHS.reshape(2, 2))
    torch.testing.assert_close(loss(grid, labels.reshape(2, 2, 4), reduction="none"), whole.reshape(2, 2))
    alone = LinearChain(factors[0][2, :3], *factors[1:])
    torch.testing.assert_close(loss(alone, labels[2, :3]), whole[2])


@each_loss
def test_empty_batch(any_backend, loss):
    unary = torch.zeros(0, 4, 3, requires_grad=True)
    chain, labels = LinearChain(unary, torch.zeros(3, 3)), torch.zeros(0, 4, dtype=torch.int64)
    assert loss(chain, labels, reduction="none").shape == (0,)
    assert loss(chain, labels) == 0 and loss(chain, labels, reduction="sum") == 0
    loss(chain, labels).backward()
    assert unary.grad.shape == (0, 4, 3)


@each_loss
def test_what_lies_beyond_the_length_is_ignored(any_backend, loss):
    factors, labels = make(2)
    outside = torch.arange(4) >= LENGTHS[:, None]
    unary = factors[0].masked_fill(outside.unsqueeze(-1), math.nan).requires_grad_()
    garbage = loss(LinearChain(unary, *factors[1:], lengths=LENGTHS), labels.masked_fill(outside, 99))
    torch.testing.assert_close(garbage, loss(LinearChain(*factors, lengths=LENGTHS), labels))
    garbage.backward()
    assert (unary.grad[outside] == 0).all() and unary.grad.isfinite().all()


def test_perceptron_is_zero_only_where_right(any_backend):
    factors, labels = make(3, batch=4)
    chain = LinearChain(*factors, lengths=LENGTHS)
    labels[:2] = chain.argmax()[:2]
    wrong = hamming(chain.argmax(), labels, LENGTHS)
    assert wrong[:2].tolist() == [0, 0] and (wrong[2:] > 0).all()
    value = perceptron(chain, labels, reduction="none")
    assert (value[:2] == 0).all() and (value[2:] > 0).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_hinge_bounds(seed, scale):
    """Above the margin times the Hamming loss of the decoded sequence, and above the perceptron; grows with it."""
    factors, labels = make(seed, scale=scale)
    chain = LinearChain(*factors, lengths=LENGTHS)
    wrong = hamming(chain.argmax(), labels, LENGTHS)
    plain = lower = perceptron(chain, labels, reduction="none")
    for margin in (0.01, 0.7, 3.0):
        value = structured_hinge(chain, labels, margin, reduction="none")
        assert (value >= margin * wrong - 1e-12).all() and (value >= lower - 1e-12).all()
        assert (value <= plain + margin * LENGTHS.double() + 1e-12).all()
        lower = value


def test_hinge_tends_to_the_perceptron():
    factors, labels = make(4)
    chain = LinearChain(*factors, lengths=LENGTHS)
    torch.testing.assert_close(structured_hinge(chain, labels, 1e-13), perceptron(chain, labels), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("lead", "wanted"), [(2.0, 0.0), (1.01, 0.0), (0.99, 3 * 0.01), (0.0, 3.0)])
def test_hinge_is_zero_where_the_right_labels_win_by_the_margin(lead, wanted):
    """Three letters, each ahead of its rivals by ``lead`` against a margin of 1."""
    labels = torch.tensor([0, 2, 1])
    unary = torch.zeros(3, 3, dtype=torch.float64)
    unary[torch.arange(3), labels] = lead
    value = structured_hinge(LinearChain(unary, torch.zeros(3, 3, dtype=torch.float64)), labels)
    assert value.item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_nll_is_above_the_perceptron(seed):
    factors, labels = make(seed)
    chain = LinearChain(*factors, lengths=LENGTHS)
    assert (nll(chain, labels, "none") > perceptron(chain, labels, "none")).all()
    assert (nll(chain, labels, "none") <= perceptron(chain, labels, "none") + LENGTHS * math.log(3) + 1e-12).all()


@each_loss
def test_forbidden_right_labels_cost_infinity(any_backend, loss):
    transition = torch.zeros(2, 2)
    transition[0, 1] = -math.inf
    chain = LinearChain(torch.zeros(2, 3, 2), transition)
    value = loss(chain, torch.tensor([[0, 1, 0], [0, 0, 0]]), reduction="none")
    assert value[0] == math.inf and value[1].isfinite()


@pytest.mark.parametrize(
    "loss",
    [
        nll,
        perceptron,
        structured_hinge,
    ],
)
def test_nothing_allowed_costs_infinity(any_backend, loss):
    transition = torch.zeros(2, 2, 2)
    transition[0] = -math.inf
    value = loss(LinearChain(torch.zeros(2, 3, 2), transition), torch.zeros(2, 3).long(), reduction="none")
    assert value[0] == math.inf and value[1].isfinite()


@each_loss
def test_half_types_are_computed_in_float32(loss):
    chain = LinearChain(torch.zeros(2, 3, 2, dtype=torch.bfloat16), torch.zeros(2, 2, dtype=torch.bfloat16))
    assert loss(chain, torch.zeros(2, 3).long()).dtype == torch.float32


@each_loss
@pytest.mark.parametrize(
    ("labels", "options", "error", "words"),
    [
        (torch.zeros(2, 4).long(), {"reduction": "avg"}, ValueError, ["(reduction)", "none, sum, mean", "'avg'"]),
        (torch.zeros(2, 4).long(), {"reduction": None}, ValueError, ["(reduction)", "got None"]),
        (torch.full((2, 4), 3), {}, ValueError, ["labels", "0 .. 2", "got 3"]),
        (torch.full((2, 4), -1), {}, ValueError, ["labels", "0 .. 2", "got -1"]),
        (torch.zeros(2, 3).long(), {}, ValueError, ["labels", "(2, 4)", "(2, 3)"]),
        (torch.zeros(2, 4), {}, TypeError, ["labels", "integer"]),
        ([[0] * 4] * 2, {}, TypeError, ["labels", "integer tensor", "list"]),
    ],
)
def test_error_says_what_is_wrong(loss, labels, options, error, words):
    with pytest.raises(error) as caught:
        loss(LinearChain(torch.zeros(2, 4, 3), torch.zeros(3, 3)), labels, **options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    if options:
        assert message.startswith(f"{loss.__name__}(reduction)")


@pytest.mark.parametrize(
    ("margin", "error"), [(0.0, ValueError), (-1.0, ValueError), (math.nan, ValueError), ("wide", TypeError)]
)
def test_margin_must_be_positive(margin, error):
    with pytest.raises(error, match=r"structured_hinge\(margin\).*positive.*perceptron\(\)"):
        structured_hinge(LinearChain(torch.zeros(3, 2), torch.zeros(2, 2)), torch.zeros(3).long(), margin)
