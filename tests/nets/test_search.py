"""Tree search: its limit is minimax, a batch is as good as one by one, and it says what it cannot search."""

import functools

import pytest
import torch

from algonets.nets.search import Game, TreeSearch


class Nim:
    """A heap of stones, take 1 to 3; who takes the last one wins."""

    moves = 3

    def start(self):
        return 10

    def allowed(self, heap):
        return range(min(3, heap))

    def play(self, heap, move):
        return heap - 1 - move

    def result(self, heap):
        return None if heap else -1.0

    def encode(self, heap):
        return torch.tensor([float(heap)])


def blind(boards):
    return torch.zeros(len(boards), 3), torch.zeros(len(boards))


@functools.cache
def solved(heap):
    return -1 if heap == 0 else max(-solved(heap - 1 - move) for move in range(min(3, heap)))


def test_the_limit_is_minimax():
    assert isinstance(Nim(), Game)
    heaps = list(range(1, 11))
    found = TreeSearch(Nim(), blind, simulations=600)(heaps)
    assert torch.allclose(found.policy.sum(-1), torch.ones(10))
    for heap, policy, value in zip(heaps, found.policy, found.value, strict=True):
        if solved(heap) == 1:
            assert solved(heap - 1 - int(policy.argmax())) == -1, heap
        assert value * solved(heap) > 0.5, heap
        assert not policy[min(3, heap) :].any()


def test_more_simulations_are_surer():
    few, many = (TreeSearch(Nim(), blind, simulations=n)([9]).policy[0, 0] for n in (20, 1000))
    assert many > few and many > 0.9


def test_a_batch_is_one_by_one():
    torch.manual_seed(0)
    weight = torch.randn(4, 3)

    def network(boards):
        x = torch.cat([boards / 10, (boards / 10) ** 2, boards.sin(), torch.ones_like(boards)], -1)
        return x @ weight, torch.tanh(x.sum(-1) / 4)

    search = TreeSearch(Nim(), network, simulations=40)
    whole = search([5, 9, 1])
    for i, heap in enumerate([5, 9, 1]):
        single = search([heap])
        assert torch.equal(whole.policy[i], single.policy[0]) and torch.equal(whole.value[i], single.value[0])


def test_a_certain_policy_is_followed():
    sure = lambda boards: (torch.tensor([[0.0, 80.0, 0.0]]).expand(len(boards), 3), torch.zeros(len(boards)))  # noqa: E731
    assert TreeSearch(Nim(), sure, simulations=2)([9]).policy.tolist() == [[0.0, 1.0, 0.0]]


def test_noise_comes_from_the_generator():
    search = TreeSearch(Nim(), blind, simulations=8, noise=0.5)
    a, b, c = (search([9], torch.Generator().manual_seed(seed)).policy for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_no_states_and_finished_games():
    found = TreeSearch(Nim(), blind)([])
    assert found.policy.shape == (0, 3) and found.value.shape == (0,)
    with pytest.raises(ValueError, match=r"TreeSearch\(states\).*goes on"):
        TreeSearch(Nim(), blind)([3, 0])
    for options in ({"simulations": 0}, {"exploration": 0.0}, {"noise": 1.0}, {"concentration": -1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            TreeSearch(Nim(), blind, **options)


class NoMoves(Nim):
    def allowed(self, heap):
        return []


class UnknownMoves(Nim):
    def allowed(self, heap):
        return [3]


@pytest.mark.parametrize(
    ("game", "network", "error", "words"),
    [
        ("chess", blind, TypeError, r"TreeSearch\(game\) must have moves, start"),
        (Nim(), None, TypeError, r"TreeSearch\(network\) must be callable"),
        (Nim(), lambda b: (torch.zeros(len(b), 2), torch.zeros(len(b))), ValueError, r"\(1, 3\) and values \(1,\)"),
        (Nim(), lambda b: (torch.zeros(len(b), 3), torch.zeros(len(b), 1)), ValueError, r"\(1, 3\) and values \(1,\)"),
        (Nim(), lambda b: (torch.full((len(b), 3), torch.nan), torch.zeros(len(b))), ValueError, "finite"),
        (NoMoves(), blind, ValueError, r"allowed\(state\) must give moves from 0 to 2, at least one"),
        (UnknownMoves(), blind, ValueError, r"allowed\(state\) must give moves from 0 to 2"),
    ],
)
def test_games_and_networks_that_do_not_fit(game, network, error, words):
    with pytest.raises(error, match=words):
        TreeSearch(game, network)([5])
