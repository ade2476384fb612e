"""From soft to hard."""

import pytest
import torch
from torch import nn

from algonets.logic import GroupSum, Light4, LogicLayer, LookupLayer, Sequential, discretization_gap, harden


def network() -> Sequential:
    g = torch.Generator().manual_seed(0)
    return Sequential(
        LogicLayer(6, 12, initialization="normal", generator=g),
        LookupLayer(12, 10, 3, initialization="normal", generator=g),
        GroupSum(2, 1.0),
    )


def test_the_original_stays():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    hard = harden(net)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.training and not hard.training
    assert not any(p.requires_grad for p in hard.parameters())


def test_bits_in_counts_out():
    y = harden(network())(torch.rand(50, 6).round())
    assert torch.equal(y, y.round())


def test_strong_weights_have_no_gap():
    net, x = network(), torch.rand(50, 6).round()
    assert discretization_gap(net, x) > 0.01
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1e3)
    assert discretization_gap(net, x) < 0.05
    assert abs(discretization_gap(net, x, torch.randint(2, (50,)))) <= 1


def test_refused():
    with pytest.raises(ValueError, match="must have logic layers"):
        harden(nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        harden("net")


def test_hard_twice_is_hard_once():
    hard = harden(LogicLayer(4, 9, Light4(), "normal"))
    assert torch.equal(harden(hard).gates(), hard.gates())
