"""Wiring: the three families and one's own networks."""

import itertools
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.sort.networks import batcher, bitonic, first_wires, from_pairs, odd_even

FAMILIES = (odd_even, bitonic, batcher)
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


def run_hard(network, items):
    """A plain loop over the comparators."""
    wires = list(items)
    for low, high in network.pairs():
        wires[low], wires[high] = min(wires[low], wires[high]), max(wires[low], wires[high])
    return wires


@each_family
@pytest.mark.parametrize("n", range(1, 13))
def test_every_sequence_of_zeros_and_ones_is_sorted(family, n):
    network = family(n)
    for items in itertools.product((0, 1), repeat=n):
        assert run_hard(network, items) == sorted(items)
    assert network.sorts()


@each_family
@settings(max_examples=60, deadline=None)
@given(items=st.lists(st.integers(-50, 50), min_size=1, max_size=80))
def test_longer_lists_are_sorted(family, items):
    assert run_hard(family(len(items)), items) == sorted(items)


@each_family
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 13, 32, 100])
def test_layers_are_disjoint_and_complete(family, n):
    network = family(n)
    assert network.depth == len(list(network.layers()))
    assert not network.ends or network.ends[-1] == len(network.low) == len(network.high)
    for begin, end in network.layers():
        wires = torch.cat((network.low[begin:end], network.high[begin:end])).tolist()
        assert end > begin and len(set(wires)) == len(wires)
        assert all(0 <= wire < n for wire in wires)


def test_known_sizes():
    """Comparators and layers: n (n - 1) / 2 and n; n / 4 log n (log n + 1); Knuth's table for merge exchange."""
    assert [(len(odd_even(n).low), odd_even(n).depth) for n in (4, 5, 16)] == [(6, 4), (10, 5), (120, 16)]
    assert [(len(bitonic(n).low), bitonic(n).depth) for n in (4, 16, 128)] == [(6, 3), (80, 10), (1792, 28)]
    assert [(len(batcher(n).low), batcher(n).depth) for n in (4, 8, 16, 32)] == [(5, 3), (19, 6), (63, 10), (191, 15)]


def test_bitonic_wiring_of_any_size_is_the_end_of_the_next_power():
    """As the golden README words it, in plain loops."""
    for n in (2, 3, 5, 6, 11, 16):
        blocks = (n - 1).bit_length()
        missing = 2**blocks - n
        expected = []
        for block in range(blocks):
            for layer in range(block + 1):
                m = 2 ** (block - layer)
                for i in range(0, 2**blocks, 2 * m):
                    for w in range(i, i + m):
                        ends = (w + m, w) if (w // 2 ** (block + 1)) % 2 else (w, w + m)
                        if min(ends) >= missing:
                            expected.append((ends[0] - missing, ends[1] - missing))
        assert bitonic(n).pairs() == expected


def test_networks_are_built_once_and_outside_of_the_mode_in_force():
    with torch.device("meta"):
        network = bitonic(37)
    assert network.low.device.type == "cpu" and network is bitonic(37)


def test_own_pairs_are_packed_without_changing_the_result():
    pairs = [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)]
    network = from_pairs(4, pairs)
    assert network.depth == 3 and network.sorts() and network.standard
    assert sorted(network.pairs()) == sorted(pairs)
    assert from_pairs(None, pairs).n == 4
    assert from_pairs(4, pairs[:-1]).sorts() is False
    assert from_pairs(3, []).sorts() is False and from_pairs(1, []).sorts() is True
    assert from_pairs(17, []).sorts() is None
    assert not from_pairs(2, [(1, 0)]).standard


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda p: p[0] != p[1]), max_size=15),
    items=st.permutations(range(6)),
)
def test_packing_keeps_the_order_that_matters(pairs, items):
    wires = list(items)
    for low, high in pairs:
        wires[low], wires[high] = min(wires[low], wires[high]), max(wires[low], wires[high])
    assert run_hard(from_pairs(6, pairs), items) == wires


def test_fewer_items_are_sorted_by_the_first_wires():
    whole = from_pairs(None, batcher(9).pairs())
    for n in range(1, 10):
        assert first_wires(whole, n).n == n and first_wires(whole, n).sorts()


@pytest.mark.parametrize(
    ("pairs", "error", "words"),
    [
        ([(0, 0)], ValueError, "two different wires"),
        ([(0, 4)], ValueError, "below n=4"),
        ([(-1, 1)], ValueError, "at least 0"),
        ([(0, 1.5)], TypeError, "integer"),
        ([(0, 1, 2)], TypeError, "pairs of integers"),
        (3, TypeError, "pairs of integers"),
        ([0, 1], TypeError, "pairs of integers"),
    ],
)
def test_bad_pairs_are_rejected(pairs, error, words):
    with pytest.raises(error, match=words):
        from_pairs(4, pairs)


def test_a_network_says_what_it_is_and_survives_pickle():
    network = pickle.loads(pickle.dumps(bitonic(6)))
    assert network.pairs() == bitonic(6).pairs() and network.ends == bitonic(6).ends
    assert repr(network) == "Network(bitonic, n=6, comparators=15, depth=6)"
