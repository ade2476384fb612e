"""Worlds to act in: pixel Catch, and CartPole of gymnasium."""

from typing import Any, Protocol, final

import torch
from torch import Tensor

__all__ = ["CartPole", "Catch", "Environment"]


class Environment(Protocol):
    """A world that is observed, acted in, and ends.

    Attributes:
        observation: Shape of what is seen.
        actions: Number of actions.
    """

    observation: tuple[int, ...]
    actions: int

    def reset(self) -> Tensor:
        """Begin an episode; returns what is seen."""
        ...

    def step(self, action: int) -> tuple[Tensor, float, bool, bool]:
        """Act; returns what is seen, the reward, whether the episode failed or ended, and whether time is up."""
        ...


@final
class Catch:
    """A ball falls through a picture; a paddle at the bottom goes left, stays, or goes right.

    The reward is 1 for a caught ball and -1 for a missed one, in the last step only.

    Args:
        seed: Of the balls.
        rows: Of the picture.
        columns: Of the picture.
    """

    actions = 3

    def __init__(self, seed: int, rows: int = 10, columns: int = 8):
        self.observation = (1, rows, columns)
        self.generator = torch.Generator().manual_seed(seed)
        self.ball, self.paddle = (0, 0), 0

    def reset(self) -> Tensor:
        """A new ball at the top, the paddle anywhere."""
        column, self.paddle = torch.randint(self.observation[2], (2,), generator=self.generator).tolist()
        self.ball = (0, column)
        return self.look()

    def step(self, action: int) -> tuple[Tensor, float, bool, bool]:
        """Move the paddle; the ball falls by one."""
        self.paddle = min(max(self.paddle + action - 1, 0), self.observation[2] - 1)
        self.ball = (self.ball[0] + 1, self.ball[1])
        done = self.ball[0] == self.observation[1] - 1
        reward = (1.0 if self.ball[1] == self.paddle else -1.0) if done else 0.0
        return self.look(), reward, done, False

    def look(self) -> Tensor:
        """The picture."""
        picture = torch.zeros(self.observation)
        picture[0, self.ball[0], self.ball[1]] = 1.0
        picture[0, -1, self.paddle] = 1.0
        return picture


@final
class CartPole:
    """Balance a pole on a cart: a reward of 1 for each of at most 500 steps.

    Args:
        seed: Of the starts.
    """

    observation: tuple[int, ...] = (4,)
    actions = 2

    def __init__(self, seed: int):
        try:
            import gymnasium
        except ImportError as error:
            message = "CartPole is gymnasium's. Install it with: pip install 'algonets[experiments]'"
            raise ImportError(message) from error
        self.world: Any = gymnasium.make("CartPole-v1")
        self.seed: int | None = seed

    def reset(self) -> Tensor:
        """Nearly upright."""
        seen, _ = self.world.reset(seed=self.seed)
        self.seed = None  # afterwards the world's own generator goes on
        return torch.from_numpy(seen).float()

    def step(self, action: int) -> tuple[Tensor, float, bool, bool]:
        """Push left or right."""
        seen, reward, done, late, _ = self.world.step(action)
        return torch.from_numpy(seen).float(), float(reward), bool(done), bool(late)
