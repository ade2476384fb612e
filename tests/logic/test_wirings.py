"""Wirings: what they promise, and what is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.logic import LogicLayer, LookupLayer, draw_wiring, harden


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(1, 60), st.integers(0, 99), st.sampled_from(["balanced", "random"]))
def test_gates_have_different_inputs(n, out, seed, kind):
    wiring = draw_wiring(n, out, kind, generator=seeded(seed))
    assert wiring.shape == (2, out) and wiring.dtype == torch.int32
    assert int(wiring.min()) >= 0 and int(wiring.max()) < n
    assert (wiring[0] != wiring[1]).all()


@pytest.mark.parametrize(("n", "out"), [(10, 5), (10, 10), (784, 1000), (8000, 8000)])
def test_balanced_uses_every_signal_equally_often(n, out):
    uses = draw_wiring(n, out, "balanced", generator=seeded()).flatten().bincount(minlength=n)
    assert int(uses.max() - uses.min()) <= 1


@pytest.mark.parametrize(("n", "out"), [(2, 1), (5, 10), (9, 20), (300, 400)])
def test_unique_pairs(n, out):
    wiring = draw_wiring(n, out, "unique", generator=seeded()).sort(0).values
    assert (wiring[0] < wiring[1]).all() and int(wiring.max()) < n
    assert len({tuple(pair) for pair in wiring.T.tolist()}) == out


def test_one_signal_is_wired_twice():
    assert draw_wiring(1, 3).tolist() == [[0, 0, 0]] * 2


def test_generators_decide():
    assert torch.equal(draw_wiring(9, 9, generator=seeded(1)), draw_wiring(9, 9, generator=seeded(1)))
    assert not torch.equal(draw_wiring(9, 9, generator=seeded(1)), draw_wiring(9, 9, generator=seeded(2)))


def test_refused():
    with pytest.raises(ValueError, match="at most 3 gates"):
        draw_wiring(3, 4, "unique")
    with pytest.raises(ValueError, match="must be one of balanced"):
        LogicLayer(4, 4, wiring="dense")
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        LogicLayer(4, 3, wiring=torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="from 0 to 3"):
        LogicLayer(4, 1, wiring=torch.tensor([[4], [0]]))
    with pytest.raises(TypeError, match="integers"):
        LogicLayer(4, 1, wiring=torch.zeros(2, 1))
    with pytest.raises(ValueError, match="at least 1"):
        LogicLayer(0, 1)
    with pytest.raises(ValueError, match="at most 8"):
        LookupLayer(20, 1, inputs=9)


def test_a_loaded_wiring_that_is_out_of_range_is_no_wild_read():
    layer = LogicLayer(3, 2)
    state = layer.state_dict()
    state["wiring"] = torch.full((2, 2), 7, dtype=torch.int32)
    layer.load_state_dict(state)
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        layer(torch.rand(1, 3))


def test_wiring_is_in_the_state():
    one, other = LogicLayer(9, 9, generator=seeded(1)), LogicLayer(9, 9, generator=seeded(2))
    x = torch.rand(2, 9)
    assert not torch.equal(one(x), other(x))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))


def test_learnable_wiring_finds_the_right_signal():
    """One gate of four candidates each; the target is signal 2."""
    layer = LogicLayer(4, 1, wiring="learnable", candidates=4, generator=seeded(0))
    optimiser = torch.optim.Adam(layer.parameters(), 0.1)
    x = torch.rand(64, 4, generator=seeded(1)).round()
    for _ in range(150):
        loss = (layer(x)[:, 0] - x[:, 2]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    hard = harden(layer)
    assert torch.equal(hard(x)[:, 0], x[:, 2])
    assert hard.wiring.shape == (2, 1) and hard.routing is None
