"""Bits of a network: by hand, by entropy, with tied, pruned and rounded weights."""

import math

import pytest
import torch
from torch import nn

from algonets.training import description_length, prune_magnitude, round_weights


def test_by_hand():
    found = description_length([torch.tensor([0.0, 0.0, 0.0, 0.5])], step=0.5)
    entropy = 3 * math.log2(4 / 3) + 2
    tables = 2 * (math.log2(3) + math.log2(5)) + 3  # two symbols in -1 .. 1, counts 0 .. 4, Elias code of 1
    assert found.values == pytest.approx(entropy) and found.tables == pytest.approx(tables) and found.weights == 4
    assert found.bits == found.values + found.tables


def test_a_million_coins():
    coins = torch.randint(0, 2, (1_000_000,), generator=torch.Generator().manual_seed(0)).float()
    assert description_length([coins], step=1.0).bits == pytest.approx(1_000_000, rel=1e-3)


def test_tied_weights_are_stored_once():
    one = nn.Linear(20, 20)
    tied, free = nn.Sequential(one, one), nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))
    assert description_length(tied) == description_length(one)
    assert description_length(free).bits > 1.5 * description_length(one).bits
    alias = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    alias[1].weight = alias[0].weight
    assert description_length(alias).weights == 9 + 3 + 3


def test_pruned_and_rounded():
    torch.manual_seed(0)
    model = nn.Linear(50, 50)
    full = description_length(model)
    assert description_length(prune_magnitude(model, 0.9)).bits < 0.4 * full.bits
    coarse = round_weights(nn.Linear(50, 50), 0.125)
    assert torch.equal(coarse.weight, (coarse.weight / 0.125).round() * 0.125)
    assert description_length(coarse, 2**-6).bits == pytest.approx(description_length(coarse, 0.125).bits, rel=0.1)


def test_edges():
    assert description_length([]).bits == 0 and description_length([torch.zeros(0)]).bits == 0
    with pytest.raises(ValueError):
        description_length([torch.ones(2)], step=0.0)
    with pytest.raises(TypeError):
        description_length([torch.ones(2, dtype=torch.int64)])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite(value):
    with pytest.raises(ValueError, match="finite"):
        description_length([torch.tensor([1.0, value])])
