"""The network of deep Q-learning: the worth of each action."""

from typing import final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_sizes, check_trailing

__all__ = ["DQN"]


@final
class DQN(Net):
    """From what is observed to the sum of later rewards that each action promises, ``Q(s, a)``.

    Args:
        observation: Shape of an observation: ``(n,)`` numbers, or ``(channels, H, W)`` pixels, which two
            convolutions see first.
        actions: Number of actions.
        width: Units of the two hidden layers; the convolutions have a quarter of it, at least 4.

    Input ``(*batch, *observation)`` float, output ``(*batch, actions)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Mnih et al. 2015, Human-Level Control through Deep Reinforcement Learning.

    Example:
        >>> import torch
        >>> DQN((4,), 2)(torch.zeros(3, 4)).shape, DQN((1, 10, 10), 3)(torch.zeros(3, 1, 10, 10)).shape
        (torch.Size([3, 2]), torch.Size([3, 3]))
    """

    def __init__(self, observation: tuple[int, ...], actions: int, width: int = 64):
        super().__init__()
        self.observation = check_sizes("DQN(observation)", observation)
        require(len(observation) in (1, 3), "DQN(observation)", "must be (n,) or (channels, H, W)", observation)
        self.actions = check_at_least("DQN(actions)", actions, 1)
        self.width = check_at_least("DQN(width)", width, 1)
        eye: list[nn.Module] = []
        size = self.observation[0]
        if len(self.observation) == 3:
            channels, height, breadth = self.observation
            kernels = max(4, width // 4)
            eye = [nn.Conv2d(channels, kernels, 3, padding=1), nn.ReLU()]
            eye += [nn.Conv2d(kernels, kernels, 3, 2, 1), nn.ReLU(), nn.Flatten()]
            size = kernels * ((height + 1) // 2) * ((breadth + 1) // 2)
        self.layers = nn.Sequential(
            *eye, nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, actions)
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Return the worth of each action."""
        dims = len(self.observation)
        check_trailing("DQN(observations)", observations, self.observation)
        return unflatten_batch(self.layers(flatten_batch(observations, dims)), observations.shape[:-dims])
