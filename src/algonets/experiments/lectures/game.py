"""An algorithm with a network inside: self-play by tree search, judged by an exact solver."""

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor, nn

from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._measures import device_of
from algonets.experiments._pictures import GREY, lines, new_figure, tidy
from algonets.experiments._report import Report, at_least, at_most
from algonets.experiments.lectures._games import CONNECT4, TIC_TAC_TOE, LineGame, Solver, Stones
from algonets.nets import PolicyValueNet
from algonets.nets.search import TreeSearch

__all__ = ["GameExperiment"]

GameName = Literal["tic-tac-toe", "connect-4"]
GAMES: dict[str, LineGame] = {"tic-tac-toe": TIC_TAC_TOE, "connect-4": CONNECT4}
KEPT = 12000  # examples to learn from
FEW = 300  # positions that are judged while it learns
OPENING = 8  # stones on the Connect-4 boards that are judged: earlier the solver takes long


class _Judge(NamedTuple):
    positions: list[Stones]
    best: list[list[int]]

    def share(self, moves: list[int]) -> float:
        return sum(move in best for move, best in zip(moves, self.best, strict=False)) / len(moves)


@final
class GameExperiment(AbstractExperiment):
    """Learn tic-tac-toe and Connect-4 (4 x 5) from nothing but the rules.

    A network says which moves look good and who will win; a tree search that asks it plays better than the network
    alone; the network learns from what the search chose and who won.

    Args:
        games: Which ones.
        rounds: Of self-play and learning.
        parallel: Games of a round.
        simulations: Of the search, in self-play.
        updates: Steps of learning after each round.
        batch_size: Positions of a step.
        width: Channels of the network.
        judged: Positions that the solver judges.
        matches: Games of tic-tac-toe against the perfect player, with each side.
        common: See the base class.
    """

    name = "game"

    def __init__(
        self,
        games: list[GameName] | None = None,
        rounds: int = 30,
        parallel: int = 64,
        simulations: int = 30,
        updates: int = 40,
        batch_size: int = 128,
        width: int = 32,
        judged: int = 800,
        matches: int = 50,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(games=["tic-tac-toe", "connect-4"] if games is None else games, rounds=rounds, parallel=parallel)
        self.keep(simulations=simulations, updates=updates, batch_size=batch_size, width=width)
        self.keep(judged=judged, matches=matches)

    def measure(self) -> Report:
        """Learn each game, and ask the solver."""
        rows, criteria, curves, shown = [], [], {}, []
        for name in self.games:
            game, solver = GAMES[name], Solver(GAMES[name])
            positions = self._positions(name, game)
            judge = _Judge(positions, [solver.best(state) for state in positions])
            torch.manual_seed(self.seed)
            network = PolicyValueNet(2, (game.rows, game.columns), game.moves, self.width)
            curves[name] = self._learn(name, game, network, judge)
            players: dict[str, Callable[[list[Stones]], list[int]]] = {
                "random": self._random(game),
                "search alone": _searcher(game, _blind(game), 50),
                "network alone": lambda states, game=game, net=network: _favourites(game, net, states),
                "network and search": _searcher(game, _anywhere(network), 50),
            }
            shares = {player: judge.share(choose(positions)) for player, choose in players.items()}
            losses = {p: self._losses(game, players[p], solver) if name == "tic-tac-toe" else "" for p in players}
            rows += [{"game": name, "player": p, "optimal": shares[p], "lost": losses[p]} for p in players]
            criteria.append(
                at_least(f"{name}: optimal moves of network and search", shares["network and search"], 0.93)
            )
            if name == "tic-tac-toe":
                lost = int(losses["network and search"])
                criteria.append(at_most(f"{name}: lost of {2 * self.matches} to the perfect player", lost, 0))
            shown.append((name, game, network))
        figure = self._draw(curves, rows, shown)
        return Report("Moves that an exact solver calls optimal; games lost to it", rows, criteria, figure, curves)

    def _positions(self, name: str, game: LineGame) -> list[Stones]:
        if name == "tic-tac-toe":
            found = game.all_positions()
            return random.Random(self.seed).sample(found, min(self.judged, len(found)))
        found = game.positions(self.judged, self.seed, OPENING)
        return random.Random(self.seed).sample(found, len(found))

    def _learn(self, name: str, game: LineGame, network: PolicyValueNet, judge: _Judge) -> dict[str, list[float]]:
        """Play and learn; returns the share of optimal moves of the network alone after some rounds."""
        memory: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=KEPT)
        generator = torch.Generator().manual_seed(self.seed)
        few = _Judge(judge.positions[:FEW], judge.best[:FEW])
        curve: dict[str, list[float]] = {"rounds": [], "optimal": []}

        def look(rounds: int) -> None:
            curve["rounds"].append(rounds)
            curve["optimal"].append(few.share(_favourites(game, network, few.positions)))

        def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
            if step % self.updates == 0:
                if step // self.updates % 3 == 0:
                    look(step // self.updates)
                memory.extend(self._play(game, network, generator))
            some = [memory[int(k)] for k in torch.randint(len(memory), (self.batch_size,), generator=generator)]
            boards, policies = (torch.stack(part) for part in list(zip(*some, strict=True))[:2])
            flip = torch.rand(len(boards), generator=generator) < 0.5
            boards = torch.where(flip[:, None, None, None], boards.flip(-1), boards)
            policies = torch.where(flip[:, None], game.mirror(policies), policies)
            return boards, policies, torch.tensor([value for _, _, value in some])

        steps = self.rounds * self.updates
        self.train(name, network, _loss, batch, steps, 3e-3, curve, replay=False, one_cycle=False, weight_decay=1e-4)
        look(self.rounds)
        return curve

    def _play(
        self, game: LineGame, network: nn.Module, generator: torch.Generator
    ) -> list[tuple[Tensor, Tensor, float]]:
        """Play games to their ends; returns boards, what the search chose, and who won."""
        search = TreeSearch(game, _anywhere(network), self.simulations, noise=0.25)
        games: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self.parallel)]
        going = {i: self._opening(game, generator) for i in range(self.parallel)}
        examples = []
        while going:
            found = search(list(going.values()), generator)
            for i, policy in zip(list(going), found.policy, strict=True):
                games[i].append((game.encode(going[i]), policy))
                open_game = len(games[i]) <= game.cells // 3
                move = torch.multinomial(policy, 1, generator=generator) if open_game else policy.argmax()
                going[i] = game.play(going[i], int(move))
                result = game.result(going[i])
                if result is not None:
                    del going[i]
                    for turn, (board, chosen) in enumerate(reversed(games[i])):
                        examples.append((board, chosen, result if turn % 2 else -result))
        return examples

    def _opening(self, game: LineGame, generator: torch.Generator) -> Stones:
        """Return the start, or for two of three games what some random moves make of it: the player must know all."""
        while True:
            state = game.start()
            for _ in range(int(torch.randint(-game.cells // 4, game.cells // 2 + 1, (), generator=generator))):
                allowed = game.allowed(state)
                state = game.play(state, allowed[int(torch.randint(len(allowed), (), generator=generator))])
                if game.result(state) is not None:
                    break
            if game.result(state) is None:
                return state

    def _random(self, game: LineGame) -> Callable[[list[Stones]], list[int]]:
        draw = random.Random(self.seed)
        return lambda states: [draw.choice(game.allowed(state)) for state in states]

    def _losses(self, game: LineGame, choose: Callable[[list[Stones]], list[int]], solver: Solver) -> int:
        """Games lost against a player who draws among the perfect moves."""
        draw = random.Random(self.seed)
        going = [(game.start(), side) for side in (True, False) for _ in range(self.matches)]  # and whose turn it is
        lost = 0
        while going:
            ours = iter(choose([state for state, turn in going if turn]) if any(turn for _, turn in going) else [])
            after = []
            for state, turn in going:
                now = game.play(state, next(ours) if turn else draw.choice(solver.best(state)))
                result = game.result(now)
                lost += result == -1.0 and not turn
                if result is None:
                    after.append((now, not turn))
            going = after
        return lost

    def _draw(self, curves: dict, rows: list[dict], shown: list[tuple[str, LineGame, PolicyValueNet]]) -> Any:
        figure = new_figure(13, 4)
        axes = figure.subplots(1, 2 + len(shown), width_ratios=(1.2, 1.3, *(1,) * len(shown)))
        for name, curve in curves.items():
            lines(axes[0], curve["rounds"], {name: curve["optimal"]}, "o-" if name == "tic-tac-toe" else "s--")
        axes[0].set_ylim(0, 1.02)
        tidy(axes[0], "The network alone learns", "rounds of self-play", "optimal moves", legend=True)
        names = [f"{row['player']}, {row['game']}" for row in rows]
        axes[1].barh(
            names,
            [row["optimal"] for row in rows],
            color=["#1f3b73" if "network and" in n else "#9fb0d0" for n in names],
        )
        for k, row in enumerate(rows):
            axes[1].text(row["optimal"] + 0.02, k, f" {row['optimal']:.3f}", va="center", fontsize=8)
        axes[1].axvline(0.93, color=GREY, ls="--", lw=1)
        axes[1].set_xlim(0, 1.2)
        axes[1].tick_params(axis="y", labelsize=8)
        axes[1].invert_yaxis()
        tidy(axes[1], "Judged by an exact solver", "optimal moves")
        for panel, (name, game, network) in zip(axes[2:], shown, strict=True):
            _board(panel, name, game, TreeSearch(game, _anywhere(network), 50))
        return figure


def _board(axes: Any, name: str, game: LineGame, search: TreeSearch) -> None:
    """Draw a position with a threat, and what the search makes of it."""
    moves = {"tic-tac-toe": [4, 1, 0], "connect-4": [2, 1, 2, 1, 2]}[name]
    state = game.start()
    for move in moves:
        state = game.play(state, move)
    policy, value = (part[0] for part in search([state]))
    for cell in range(game.cells):
        y, x = divmod(cell, game.columns)
        axes.add_patch(_square(x, y))
        for stones, colour in ((state.own, "#d9702f"), (state.other, "#1f3b73")):
            if stones >> cell & 1:
                axes.plot(x, y, "o", ms=22 if game.columns == 3 else 13, color=colour)
    for move in game.allowed(state):
        landed = game.play(state, move).other & ~state.own
        y, x = divmod(landed.bit_length() - 1, game.columns)
        axes.text(x, y, f"{100 * policy[move]:.0f} %", ha="center", va="center", fontsize=9, color="#d9702f")
    axes.set(xlim=(-0.6, game.columns - 0.4), ylim=(-0.6, game.rows - 0.4), aspect="equal")
    axes.axis("off")
    tidy(axes, f"{name}: orange to move\nvisits of the search, value {value:+.2f}")


def _square(x: float, y: float) -> Any:
    import matplotlib.patches

    return matplotlib.patches.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, ec="0.8")


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    logits, values = network(batch[0])
    return -(batch[1] * logits.log_softmax(-1)).sum(-1).mean() + (values - batch[2]).square().mean()


def _blind(game: LineGame) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda boards: (torch.zeros(len(boards), game.moves), torch.zeros(len(boards)))


def _anywhere(network: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Bring the boards to where the network is."""
    return lambda boards: network(boards.to(device_of(network)))


def _searcher(game: LineGame, network: Any, simulations: int) -> Callable[[list[Stones]], list[int]]:
    search = TreeSearch(game, network, simulations)
    return lambda states: search(states).policy.argmax(-1).tolist()


@torch.no_grad()
def _favourites(game: LineGame, network: nn.Module, states: list[Stones]) -> list[int]:
    """The allowed move that the network likes best."""
    logits, _ = _anywhere(network)(torch.stack([game.encode(state) for state in states]))
    return [
        max(game.allowed(state), key=lambda move: row[move]) for state, row in zip(states, logits.tolist(), strict=True)
    ]
