"""Online learning: RTRL equals backpropagation through time; UORO and NoBackTrack do on average; memory is constant."""

import pytest
import torch
from torch import nn

from algonets.training import RTRL, UORO, NoBackTrack, learn_online
from tests.training.networks import random

CELLS = {
    "rnn": lambda: nn.RNNCell(2, 3).double(),
    "gru": lambda: nn.GRUCell(2, 3).double(),
    "lstm": lambda: nn.LSTMCell(2, 3).double(),
}


def start(name, *batch):
    zeros = 0.1 * random(*batch, 3, seed=5)
    return (zeros, -zeros) if name == "lstm" else zeros


def merged(state):
    return torch.cat(state, -1) if isinstance(state, tuple) else state


def backpropagation(cell, state, inputs, weights):
    """Gradient of ``<weights, last state>`` through all of time."""
    for x in inputs:
        state = cell(x, state)
    names = [name for name, _ in cell.named_parameters()]
    return dict(zip(names, torch.autograd.grad((merged(state) * weights).sum(), list(cell.parameters())), strict=True))


def online(learner, inputs, weights):
    for x in inputs:
        state = learner.advance(x)
    return learner.gradient(weights.split([p.shape[-1] for p in state], -1) if isinstance(state, tuple) else weights)


@pytest.mark.parametrize("batch", [(), (2,), (2, 2)])
@pytest.mark.parametrize("name", CELLS)
def test_rtrl_equals_backpropagation_through_time(name, batch):
    torch.manual_seed(0)
    cell, inputs = CELLS[name](), random(6, *batch, 2)
    state = start(name, *batch)
    weights = random(*batch, merged(state).shape[-1], seed=7)
    found = online(RTRL(cell, state), inputs, weights)
    flat = tuple(s.reshape(-1, 3) for s in state) if isinstance(state, tuple) else state.reshape(-1, 3)
    wanted = backpropagation(cell, flat, inputs.reshape(6, -1, 2), weights.reshape(-1, weights.shape[-1]))
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value)


@pytest.mark.parametrize("method", [UORO, NoBackTrack])
@pytest.mark.parametrize("name", ["rnn", "gru"])
def test_unbiased(method, name):
    """The mean over samples is the gradient of backpropagation within its standard error, at two counts."""
    torch.manual_seed(0)
    cell, inputs, state = CELLS[name](), random(5, 2, 2), start(name, 2)
    weights = random(2, 3, seed=7)
    wanted = torch.cat([g.reshape(-1) for g in backpropagation(cell, state, inputs, weights).values()])
    errors = []
    for samples in (100, 10_000):
        learner = method(cell, state, samples=samples, generator=torch.Generator().manual_seed(0))
        online(learner, inputs, weights)
        signal = torch.einsum("bs,kbs->kb", weights, learner._estimate.state)
        draws = torch.einsum("kb,kbp->kp", signal, learner._estimate.theta)
        deviations = (draws.mean(0) - wanted).abs() / (draws.std(0) / samples**0.5).clamp_min(1e-12)
        assert (deviations < 4.5).all() and deviations.mean() < 1.5
        errors.append((draws.mean(0) - wanted).norm())
    assert errors[1] < 0.3 * errors[0]


def test_variance_of_the_estimators():
    """One sign a unit has less variance than one vector of signs; a batch and samples divide it."""
    torch.manual_seed(0)
    cell, inputs, state, weights = CELLS["rnn"](), random(8, 2), start("rnn"), random(3, seed=7)
    variance = {}
    for method in (UORO, NoBackTrack):
        learner = method(cell, state, samples=4000, generator=torch.Generator().manual_seed(0))
        online(learner, inputs, weights)
        draws = torch.einsum("s,kbs->kb", weights, learner._estimate.state)[..., None] * learner._estimate.theta
        variance[method] = draws[:, 0].var(0).sum().item()
    assert variance[NoBackTrack] < 0.9 * variance[UORO]


def test_one_example_takes_the_short_way():
    """Without vmap the same signs give the same estimate."""
    torch.manual_seed(0)
    for name, make in CELLS.items():
        cell, state = make(), start(name)
        quick, slow = (UORO(cell, state, generator=torch.Generator().manual_seed(3)) for _ in range(2))
        slow._products_of_one = slow._products
        for x in random(6, 2):
            torch.testing.assert_close(quick.advance(x), slow.advance(x))
        for a, b in zip(quick._estimate, slow._estimate, strict=True):
            torch.testing.assert_close(a, b)


def test_functions_without_input():
    """A function of named parameters; a parameter that it does not use gets zero."""

    def decay(parameters, x, s):
        return parameters["keep"] * s + 1

    keep, idle = (torch.tensor(0.5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for method in (RTRL, UORO, NoBackTrack):
        many = {} if method is RTRL else {"samples": 40_000, "generator": torch.Generator().manual_seed(0)}
        learner = method(decay, torch.zeros(1, dtype=torch.float64), {"keep": keep, "idle": idle}, **many)
        for _ in range(3):
            learner.advance()
        assert learner.state.item() == pytest.approx(1.75)
        found = learner.gradient(torch.ones(1, dtype=torch.float64))
        assert (
            found["keep"].item() == pytest.approx(2.0, abs=1e-9 if method is RTRL else 0.05)
            and found["idle"].item() == 0
        )
        learner.reset(torch.zeros(1, dtype=torch.float64))
        learner.advance()
        assert learner.gradient(torch.ones(1, dtype=torch.float64))["keep"].item() == 0


@pytest.mark.parametrize("method", [RTRL, UORO, NoBackTrack])
def test_it_learns_while_it_streams(method):
    """A leaky integrator finds its leak, in constant memory."""
    generator = torch.Generator().manual_seed(0)
    keep = torch.tensor([0.2, 0.3], requires_grad=True)

    def leaky(parameters, x, s):
        return parameters["keep"].clamp(0, 0.95) * s + x

    def stream():
        true = torch.zeros(4, 2)
        for _ in range(700):
            x = torch.randn(4, 2, generator=generator)
            true = torch.tensor([0.7, 0.5]) * true + x
            yield x, true

    learner = method(leaky, torch.zeros(4, 2), {"keep": keep})
    if method is not RTRL:
        learner.generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD([keep], 0.02)
    losses = list(learn_online(learner, lambda s, y: (s - y).square().mean(), optimizer, stream()))
    assert torch.stack(losses[-50:]).mean() < 0.02 * torch.stack(losses[:50]).mean()
    torch.testing.assert_close(keep.detach(), torch.tensor([0.7, 0.5]), atol=0.08, rtol=0)
    assert not any(t.requires_grad for t in vars(learner).values() if isinstance(t, torch.Tensor))


def test_losses_with_parameters_and_steps_without_loss():
    torch.manual_seed(0)
    cell, readout = nn.LSTMCell(1, 2), nn.Linear(2, 1)
    parameters = [*cell.parameters(), *readout.parameters()]
    before = [p.detach().clone() for p in parameters]
    stream = [(torch.ones(3, 1), None if k % 2 else torch.ones(3, 1)) for k in range(8)]
    learner = UORO(cell, (torch.zeros(3, 2), torch.zeros(3, 2)))
    losses = learn_online(
        learner,
        lambda state, y: (readout(state[0]) - y).square().mean(),
        torch.optim.SGD(parameters, 0.1),
        stream,
        trainable=list(readout.parameters()),
        every=2,
    )
    assert len(list(losses)) == 4
    assert all(not torch.equal(p, q) for p, q in zip(parameters, before, strict=True))


@pytest.mark.parametrize(
    ("make", "error", "rule"),
    [
        (lambda: UORO("cell", torch.zeros(3)), TypeError, "must be a module or a function"),
        (lambda: UORO(lambda p, x, s: s, torch.zeros(3)), ValueError, "must not be empty"),
        (lambda: RTRL(nn.RNNCell(1, 3), torch.zeros(3, dtype=torch.int64)), TypeError, "floating"),
        (lambda: RTRL(nn.LSTMCell(1, 3), (torch.zeros(3), torch.zeros(2, 3))), ValueError, "one batch"),
        (lambda: UORO(nn.RNNCell(1, 3), torch.zeros(3), samples=0), ValueError, "at least 1"),
        (lambda: UORO(nn.RNNCell(1, 3), torch.zeros(2, 3)).advance(torch.ones(3, 1)), ValueError, "batch"),
        (lambda: UORO(nn.RNNCell(1, 3), torch.zeros(2, 3)).gradient(torch.ones(3)), ValueError, "shapes"),
        (lambda: UORO(nn.RNNCell(1, 3), torch.zeros(3)).reset(torch.zeros(2)), ValueError, "shapes"),
        (lambda: list(learn_online(None, None, None, [], every=0)), ValueError, "at least 1"),
        (
            lambda: RTRL(
                lambda p, x, s: s[:1] * p["a"], torch.zeros(2), {"a": torch.ones(1, requires_grad=True)}
            ).advance(),
            ValueError,
            "must return a state of size 2",
        ),
    ],
)
def test_wrong_arguments(make, error, rule):
    with pytest.raises(error, match=rule):
        make()
