"""Monte-Carlo tree search with a network inside (PUCT): the algorithm of AlphaGo, on any game of two players.

It lives beside the networks, as it calls one at every leaf; it imports nothing but torch. Gradients do not flow
through it: its visits are targets that the network learns from.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject_type, require
from algonets.nets.net import check_fraction

__all__ = ["Found", "Game", "TreeSearch"]

State = TypeVar("State")


@runtime_checkable
class Game(Protocol[State]):
    """A game of two players who move in turn, with all seen by both, and no chance.

    Attributes:
        moves: How many moves there are, allowed or not; a move is a number below it.
    """

    moves: int

    def start(self) -> State:
        """Return the state before the first move."""
        ...

    def allowed(self, state: State) -> Sequence[int]:
        """Return the moves that may be played, at least one unless the game is over."""
        ...

    def play(self, state: State, move: int) -> State:
        """Return the state after a move; the old one is not changed."""
        ...

    def result(self, state: State) -> float | None:
        """Return 1, 0 or -1 as the player to move has won, drawn, lost; ``None`` while the game goes on."""
        ...

    def encode(self, state: State) -> Tensor:
        """Return what the network sees, from the side of the player to move."""
        ...


class Found(NamedTuple):
    """What a search returns.

    Attributes:
        policy: ``(B, moves)``, the share of simulations that began with each move: the stronger policy to learn.
        value: ``(B,)``, the mean result of the simulations, for the player to move.
    """

    policy: Tensor
    value: Tensor


class _Node:
    __slots__ = ("allowed", "children", "prior", "result", "state", "total", "value", "visits")

    def __init__(self, game: Any, state: Any):
        self.state, self.result = state, game.result(state)
        self.allowed = [] if self.result is not None else list(game.allowed(state))
        self.prior: list[float] = []
        self.value = 0.0
        self.visits = [0] * len(self.allowed)
        self.total = [0.0] * len(self.allowed)
        self.children: list[_Node | None] = [None] * len(self.allowed)


class TreeSearch:
    """Grow a tree of the moves that look best so far; let the network judge its leaves.

    From the root always ``argmax_a Q(a) + c P(a) sqrt(N) / (1 + N(a))``: the mean result so far, and a bonus for moves
    that the network likes and the search has seldom tried. A move never tried counts as the mean of its position so
    far: else the search would stop looking where all that it knows is good. The new leaf's value goes back up, with
    its sign changed at each level. One tree for each state; their leaves are judged together, in one call of the
    network.

    Args:
        game: See :class:`Game`.
        network: Boards ``(B, *shape)`` to logits ``(B, moves)`` and values ``(B,)`` in [-1, 1]; such as
            :class:`~algonets.nets.PolicyValueNet`.
        simulations: Leaves of each tree, at least 1.
        exploration: ``c``, positive.
        noise: Share in [0, 1) of Dirichlet noise in the prior of the root, for self-play.
        concentration: Of that noise, positive.

    Raises:
        TypeError: If the game lacks a part, or the network cannot be called.
        ValueError: If a number is out of range; in a search, if network or game return something else than they should.

    Differentiability: none.
    Cost: ``simulations`` calls of the network on a batch of as many boards as there are states, and O(depth moves) a
    simulation and state in Python.
    References: Silver et al. 2017, Mastering the Game of Go without Human Knowledge; Rosin 2011, Multi-Armed Bandits
    with Episode Context.

    Example:
        >>> class Nim:  # take 1 or 2 of the heap; who takes the last one wins
        ...     moves = 2
        ...     def start(self): return 4
        ...     def allowed(self, heap): return [0, 1][:heap]
        ...     def play(self, heap, move): return heap - 1 - move
        ...     def result(self, heap): return -1.0 if heap == 0 else None
        ...     def encode(self, heap): return torch.tensor([float(heap)])
        >>> blind = lambda boards: (torch.zeros(len(boards), 2), torch.zeros(len(boards)))
        >>> TreeSearch(Nim(), blind, simulations=60)([4, 5]).policy.argmax(-1)  # leave a multiple of 3
        tensor([0, 1])
    """

    def __init__(
        self,
        game: Game[Any],
        network: Callable[[Tensor], tuple[Tensor, Tensor]],
        simulations: int = 50,
        exploration: float = 1.5,
        noise: float = 0.0,
        concentration: float = 1.0,
    ):
        if not isinstance(game, Game):
            reject_type("TreeSearch(game)", "must have moves, start, allowed, play, result and encode", game)
        if not callable(network):
            reject_type("TreeSearch(network)", "must be callable", network)
        self.game, self.network = game, network
        self.simulations = check_at_least("TreeSearch(simulations)", simulations, 1)
        check_positive("TreeSearch(exploration)", exploration)
        check_positive("TreeSearch(concentration)", concentration)
        self.exploration, self.concentration = exploration, concentration
        self.noise = check_fraction("TreeSearch(noise)", noise)

    @torch.no_grad()
    def __call__(self, states: Sequence[Any], generator: torch.Generator | None = None) -> Found:
        """Search from each state.

        Args:
            states: States in which the game goes on; may be none.
            generator: Of the noise.

        Raises:
            ValueError: If a game is over.
        """
        roots = [_Node(self.game, state) for state in states]
        for root in roots:
            require(root.result is None, "TreeSearch(states)", "must be states in which the game goes on", root.state)
        self._judge(roots)
        if self.noise:
            for root in roots:
                self._disturb(root, generator)
        for _ in range(self.simulations):
            paths = [self._descend(root) for root in roots]
            values = self._judge([leaf for _, leaf in paths])
            for (path, _), value in zip(paths, values, strict=True):
                sign = 1
                for node, k in reversed(path):
                    sign = -sign
                    node.visits[k] += 1
                    node.total[k] += sign * value
        policy, value = torch.zeros(len(roots), self.game.moves), torch.zeros(len(roots))
        for i, root in enumerate(roots):
            policy[i, root.allowed] = torch.tensor(root.visits, dtype=torch.float32) / self.simulations
            value[i] = sum(root.total) / self.simulations
        return Found(policy, value)

    def _descend(self, root: _Node) -> tuple[list[tuple[_Node, int]], _Node]:
        """Return the moves down to a leaf, and the leaf, new or the end of a game."""
        path, node = [], root
        while node.result is None and node.prior:
            tried = sum(node.visits)
            reach = self.exploration * math.sqrt(tried + 1)
            guess = (node.value + sum(node.total)) / (tried + 1)
            best, chosen = -math.inf, 0
            for k, (n, total, prior) in enumerate(zip(node.visits, node.total, node.prior, strict=True)):
                score = (total / n if n else guess) + reach * prior / (1 + n)
                if score > best:
                    best, chosen = score, k
            path.append((node, chosen))
            child = node.children[chosen]
            if child is None:
                child = node.children[chosen] = _Node(self.game, self.game.play(node.state, node.allowed[chosen]))
            node = child
        return path, node

    def _judge(self, leaves: list[_Node]) -> list[float]:
        """Return the value of each leaf, for its player to move; set the prior of those that the network judges."""
        values = [0.0 if leaf.result is None else leaf.result for leaf in leaves]
        going = [i for i, leaf in enumerate(leaves) if leaf.result is None]
        if going:
            logits, judged = self.network(torch.stack([self.game.encode(leaves[i].state) for i in going]))
            good = logits.shape == (len(going), self.game.moves) and judged.shape == (len(going),)
            rule = f"must return logits {(len(going), self.game.moves)} and values {(len(going),)}"
            require(good, "TreeSearch(network)", rule, [tuple(logits.shape), tuple(judged.shape)])
            finite = bool(logits.isfinite().all() and judged.isfinite().all())
            require(finite, "TreeSearch(network)", "must return finite numbers", "infinite ones or NaN")
            rows = logits.double().cpu().tolist()
            for i, row, value in zip(going, rows, judged.cpu().tolist(), strict=True):
                good = bool(leaves[i].allowed) and all(0 <= move < len(row) for move in leaves[i].allowed)
                rule = f"must give moves from 0 to {len(row) - 1}, at least one while the game goes on"
                require(good, "TreeSearch(game).allowed(state)", rule, leaves[i].allowed)
                kept = [row[move] for move in leaves[i].allowed]
                top = max(kept)
                weights = [math.exp(x - top) for x in kept]
                whole = sum(weights)
                leaves[i].prior = [weight / whole for weight in weights]
                values[i] = leaves[i].value = value
        return values

    def _disturb(self, root: _Node, generator: torch.Generator | None) -> None:
        shape = torch.full((len(root.prior),), self.concentration)
        gamma: Any = torch._standard_gamma  # pyright: ignore[reportPrivateImportUsage]
        draw = gamma(shape, generator=generator).clamp_min(1e-12)
        share = (draw / draw.sum()).tolist()
        root.prior = [(1 - self.noise) * p + self.noise * s for p, s in zip(root.prior, share, strict=True)]
