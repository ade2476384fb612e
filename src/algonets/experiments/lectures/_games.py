"""Games of lines: tic-tac-toe and Connect-4, with an exact solver to judge players."""

import random
from functools import cached_property
from typing import NamedTuple, final

import torch
from torch import Tensor

__all__ = ["CONNECT4", "TIC_TAC_TOE", "LineGame", "Solver", "Stones"]


class Stones(NamedTuple):
    """A position: the stones of the player to move and of the other one, a bit for each cell, row by row from below."""

    own: int
    other: int


@final
class LineGame:
    """Put so many stones in a row, a column or a diagonal.

    Args:
        rows: Of the board.
        columns: Of the board.
        length: Stones in a row that win.
        falling: A move is a column, in which the stone falls down; else a move is a cell.
    """

    def __init__(self, rows: int, columns: int, length: int, falling: bool):
        self.rows, self.columns, self.length, self.falling = rows, columns, length, falling
        self.cells = rows * columns
        self.moves = columns if falling else self.cells

    @cached_property
    def lines(self) -> list[int]:
        """All lines that win, as bits."""
        found = []
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            for y in range(self.rows):
                for x in range(self.columns):
                    end = (y + dy * (self.length - 1), x + dx * (self.length - 1))
                    if 0 <= end[0] < self.rows and 0 <= end[1] < self.columns:
                        found.append(sum(1 << ((y + dy * k) * self.columns + x + dx * k) for k in range(self.length)))
        return found

    def start(self) -> Stones:
        """The empty board."""
        return Stones(0, 0)

    def allowed(self, state: Stones) -> list[int]:
        """Free cells, or columns with a free cell."""
        taken = state.own | state.other
        top = (self.rows - 1) * self.columns if self.falling else 0
        return [move for move in range(self.moves) if not taken >> (top + move) & 1]

    def play(self, state: Stones, move: int) -> Stones:
        """Put a stone; then it is the other's turn."""
        cell = move
        if self.falling:
            while (state.own | state.other) >> cell & 1:
                cell += self.columns
        return Stones(state.other, state.own | 1 << cell)

    def result(self, state: Stones) -> float | None:
        """Lost if the other has a line, drawn if the board is full."""
        other = state.other
        if any(other & line == line for line in self.lines):
            return -1.0
        return 0.0 if (state.own | other) == (1 << self.cells) - 1 else None

    def encode(self, state: Stones) -> Tensor:
        """Two planes ``(2, rows, columns)``: own stones and the other's."""
        bits = [float(part >> cell & 1) for part in state for cell in range(self.cells)]
        return torch.tensor(bits).reshape(2, self.rows, self.columns)

    def mirror(self, policy: Tensor) -> Tensor:
        """Return the policy ``(*batch, moves)`` of the boards with left and right exchanged."""
        if self.falling:
            return policy.flip(-1)
        return policy.unflatten(-1, (self.rows, self.columns)).flip(-1).flatten(-2)

    def positions(self, count: int, seed: int, least: int = 0) -> list[Stones]:
        """Return different positions of at least so many stones in which the game goes on, reached by random moves."""
        draw, found = random.Random(seed), set()
        for _ in range(50 * count):
            state = self.start()
            for _ in range(draw.randrange(least, self.cells)):
                if self.result(state) is not None:
                    break
                state = self.play(state, draw.choice(self.allowed(state)))
            if self.result(state) is None and (state.own | state.other).bit_count() >= least:
                found.add(state)
            if len(found) == count:
                break
        return sorted(found)

    def all_positions(self) -> list[Stones]:
        """Return every position in which the game goes on; for small boards."""
        found, new = set(), [self.start()]
        while new:
            state = new.pop()
            if state not in found and self.result(state) is None:
                found.add(state)
                new += [self.play(state, move) for move in self.allowed(state)]
        return sorted(found)


TIC_TAC_TOE = LineGame(3, 3, 3, falling=False)
CONNECT4 = LineGame(4, 5, 4, falling=True)


class Solver:
    """Exact values by minimax with memory: ``Solver(game)(state)`` is 1, 0 or -1 for the player to move."""

    def __init__(self, game: LineGame):
        self.game, self.known = game, {}
        middle = (game.moves - 1) / 2
        self.order = sorted(range(game.moves), key=lambda move: abs(move - middle))

    def __call__(self, state: Stones) -> int:
        """Return the value; a win ends the search among the moves."""
        value = self.known.get(state)
        if value is None:
            result = self.game.result(state)
            if result is not None:
                value = int(result)
            else:
                value, allowed = -1, set(self.game.allowed(state))
                for move in self.order:
                    if move in allowed:
                        value = max(value, -self(self.game.play(state, move)))
                        if value == 1:
                            break
            self.known[state] = value
        return value

    def best(self, state: Stones) -> list[int]:
        """Return all optimal moves."""
        value = self(state)
        return [move for move in self.game.allowed(state) if -self(self.game.play(state, move)) == value]
