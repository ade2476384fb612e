"""The network of a game player: which move, and who will win."""

from typing import final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_sizes, check_trailing

__all__ = ["PolicyValueNet"]


@final
class PolicyValueNet(Net):
    """Convolutions over the board, then two heads: logits of the moves, and the expected result from -1 to 1.

    Args:
        planes: Channels of the board, such as own and the other's stones.
        board: Rows and columns.
        moves: Number of moves, allowed or not.
        width: Channels.
        depth: Number of 3 x 3 convolutions.

    Input ``(*batch, planes, *board)`` float; output logits ``(*batch, moves)`` and values ``(*batch)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Silver et al. 2017, Mastering the Game of Go without Human Knowledge.

    Example:
        >>> import torch
        >>> logits, value = PolicyValueNet(2, (3, 3), 9, width=8)(torch.zeros(5, 2, 3, 3))
        >>> logits.shape, value.shape
        (torch.Size([5, 9]), torch.Size([5]))
    """

    def __init__(self, planes: int, board: tuple[int, int], moves: int, width: int = 32, depth: int = 2):
        super().__init__()
        self.planes = check_at_least("PolicyValueNet(planes)", planes, 1)
        sizes = check_sizes("PolicyValueNet(board)", board)
        require(len(sizes) == 2, "PolicyValueNet(board)", "must be (rows, columns)", board)
        self.board = (int(board[0]), int(board[1]))
        self.moves = check_at_least("PolicyValueNet(moves)", moves, 1)
        self.width = check_at_least("PolicyValueNet(width)", width, 1)
        self.depth = check_at_least("PolicyValueNet(depth)", depth, 1)
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Conv2d(width if i else planes, width, 3, padding=1), nn.ReLU()]
        flat = width * self.board[0] * self.board[1]
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 2 * width), nn.ReLU())
        self.policy = nn.Linear(2 * width, moves)
        self.value = nn.Sequential(nn.Linear(2 * width, 1), nn.Tanh())

    def forward(self, boards: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and values."""
        check_trailing("PolicyValueNet(boards)", boards, (self.planes, *self.board))
        hidden = self.trunk(flatten_batch(boards, 3))
        batch = boards.shape[:-3]
        return unflatten_batch(self.policy(hidden), batch), unflatten_batch(self.value(hidden).squeeze(-1), batch)
