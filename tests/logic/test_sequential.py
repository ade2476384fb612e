"""Fused runs of layers equal the layers one by one, on both backends; recurrence; training."""

import pytest
import torch
from torch import nn

import algonets as an
from algonets._core import backend as backend_of
from algonets.logic import GroupSum, Light4, LogicLayer, LookupLayer, Sequential, Walsh4
from algonets.logic import _stack as stack_module


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(dtype=torch.float64) -> Sequential:
    g = seeded()
    return Sequential(
        LogicLayer(7, 40, initialization="normal", generator=g),
        LogicLayer(40, 33, Walsh4(), "normal", "random", generator=g),
        LogicLayer(33, 30, Light4(), "normal", generator=g),
        GroupSum(3),
    ).to(dtype)


def results(function, inputs):
    y = function()
    return [y.detach(), *torch.autograd.grad(y.sin().sum(), inputs)]


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("batch", [1, 5, 16, 37])
def test_fused_is_one_after_the_other(backend, batch, monkeypatch):
    net, x = network(), torch.rand(batch, 7, generator=seeded(1), dtype=torch.float64).requires_grad_()
    inputs = [x, *net.parameters()]
    with an.backend("torch"), monkeypatch.context() as only_reference:
        only_reference.setattr(stack_module, "wrapped", lambda *tensors: True)
        plain = results(lambda: nn.Sequential(*net)(x), inputs)
    with an.backend(backend):
        fused = results(lambda: net(x), inputs)
    for ours, theirs in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")
def test_threads_and_instruction_sets_agree():
    net = Sequential(LogicLayer(20, 3000, generator=seeded()), LogicLayer(3000, 3000, generator=seeded()), GroupSum(10))
    x = torch.rand(600, 20, generator=seeded(1)).requires_grad_()
    inputs = [x, *net.parameters()]
    with an.backend("torch"):
        plain = results(lambda: net(x), inputs)
    native = backend_of.native()
    best, before = native.isa(), an.get_num_threads()
    try:
        for isa in ["baseline", "avx2", "avx512"][: ["baseline", "avx2", "avx512"].index(best) + 1]:
            native.select_isa(isa)
            for threads in (1, 2):
                an.set_num_threads(threads)
                for ours, theirs in zip(results(lambda: net(x), inputs), plain, strict=True):
                    assert float((ours - theirs).abs().max()) <= 1e-4 * float(theirs.abs().max())
    finally:
        native.select_isa(best)
        an.set_num_threads(None)
    assert an.get_num_threads() == before


def test_other_modules_between():
    net = Sequential(nn.Flatten(), LogicLayer(4, 6), LookupLayer(6, 6, 3), Sequential(LogicLayer(6, 4), GroupSum(2)))
    x = torch.rand(3, 2, 2)
    torch.testing.assert_close(net(x), nn.Sequential(*net)(x))
    assert [len(part) if isinstance(part, list) else 1 for part in net._parts()] == [1, 1, 1, 1]


def test_layers_that_do_not_fit():
    with pytest.raises(ValueError, match="must be 6 in this sequence"):
        Sequential(LogicLayer(4, 6), LogicLayer(5, 2))(torch.rand(1, 4))
    with pytest.raises(ValueError, match="multiple of 4"):
        Sequential(LogicLayer(4, 6), GroupSum(4))(torch.rand(1, 4))
    with pytest.raises(ValueError, match="4 features"):
        Sequential(LogicLayer(4, 6), LogicLayer(6, 2))(torch.rand(1, 5))
    with pytest.raises(ValueError, match="positive"):
        GroupSum(2, temperature=0.0)


def test_the_temperature_of_the_papers():
    assert GroupSum(10).scale(8000) == 10.0
    assert GroupSum(10).scale(64_000) == pytest.approx(28.3, abs=0.1)


def test_sampling_needs_no_global_state():
    net = Sequential(*[LogicLayer(5, 5, Light4(), "normal", sampling="gumbel") for _ in range(2)])
    x = torch.rand(3, 5)
    state = torch.get_rng_state()
    assert torch.equal(net(x, seeded(3)), net(x, seeded(3)))
    assert torch.equal(torch.get_rng_state(), state)


def test_xor_is_learned():
    net = Sequential(LogicLayer(2, 8, initialization="normal", generator=seeded(4)), GroupSum(1, 8.0))
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    wanted = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimiser = torch.optim.Adam(net.parameters(), 0.1)
    for _ in range(200):
        loss = (net(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert an.logic.harden(net)(x).round().tolist() == wanted.tolist()


def life_rule() -> tuple[Sequential, torch.Tensor]:
    """A circuit of gates for one step of the Game of Life: sum of eight neighbours by half adders, then the rule."""
    # Signals: 8 neighbours, the cell. Running count in 4 bits, one neighbour after the other; each layer passes all on.
    layers, width = [], 9
    copy = lambda i: (3, i, i)  # noqa: E731
    gates = [[copy(i) for i in range(9)] + [(0, 0, 0)] * 4]
    at = {"bits": [9, 10, 11, 12]}
    for neighbour in range(8):
        carry = neighbour
        for place in range(4):
            base = [copy(i) for i in range(13)]
            bit = at["bits"][place]
            base[bit] = (6, bit, carry)  # xor
            base.append((1, bit, carry))  # and: the next carry, signal 13
            gates.append(base)
            carry = 13
    # alive = not count3 and not count2... (count = 2 and cell) or count = 3: bit 1 and not bit 2 and not bit 3
    gates.append([(2, 10, 11), (7, 9, 8), (3, 12, 12)])
    gates.append([(1, 0, 1), (3, 2, 2)])
    gates.append([(2, 0, 1)])
    for rows in gates:
        table = torch.tensor(rows)
        layer = LogicLayer(width, len(rows), wiring=table[:, 1:].T.contiguous())
        with torch.no_grad():
            layer.weights.zero_()
            layer.weights[torch.arange(len(rows)), table[:, 0]] = 50.0
        layers.append(layer)
        width = len(rows)
    return Sequential(*layers), table


def test_game_of_life_is_stepped():
    """A layer used again and again: a glider moves by one cell in four steps."""
    rule = an.logic.harden(life_rule()[0])
    world = torch.zeros(8, 8)
    for y, x in ((0, 1), (1, 2), (2, 0), (2, 1), (2, 2)):
        world[y, x] = 1.0
    state = world
    for _ in range(4):
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        signals = torch.stack([state.roll(shift, (0, 1)) for shift in shifts] + [state], -1)
        count = signals[..., :8].sum(-1)
        wanted = ((count == 3) | ((count == 2) & (state == 1))).float()
        state = rule(signals)[..., 0]
        assert torch.equal(state, wanted)
    assert torch.equal(state, world.roll((1, 1), (0, 1)))
