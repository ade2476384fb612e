"""A residual network that reads a map: one number for each tile."""

from typing import final

import torch
from torch import nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net
from algonets.nets.resnet import _Block as ResidualBlock

__all__ = ["PathResNet"]


@final
class PathResNet(Net):
    """The first stages of ResNet-18 (its ways around subsample), for pictures of tiles: one score for each tile.

    With one stage (the truncated network of the experiments on paths) a score depends on the tile and its
    surroundings, and comes from maximum pooling to the grid and a 1 x 1 convolution. With ``whole`` all four stages
    run, and a linear layer sees the whole map: the baseline that predicts the path itself.

    Args:
        side: tiles along a side of the map.
        width: channels of the first stage, 64 in ResNet-18; each later one has twice as many.
        whole: all four stages and a linear layer.

    Input ``(*batch, 3, H, W)`` float, H and W at least ``4 side`` (``32`` if whole), output ``(*batch, side, side)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: 105 million multiplications for a picture of 96 x 96 with the default width, 27 million with width 32.
    References: He et al. 2016, Deep Residual Learning for Image Recognition; Vlastelica et al. 2020.

    Example:
        >>> PathResNet(12, width=16)(torch.zeros(2, 3, 96, 96)).shape
        torch.Size([2, 12, 12])
    """

    def __init__(self, side: int = 12, width: int = 64, whole: bool = False):
        super().__init__()
        self.side = check_at_least("PathResNet(side)", side, 1)
        self.width = width = check_at_least("PathResNet(width)", width, 1)
        self.whole = bool(whole)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        stages: list[nn.Module] = [ResidualBlock(width, width, 1, True), ResidualBlock(width, width, 1, True)]
        channels = width
        for _ in range(3 if whole else 0):
            stages += [
                ResidualBlock(channels, 2 * channels, 2, True),
                ResidualBlock(2 * channels, 2 * channels, 1, True),
            ]
            channels *= 2
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, side * side) if whole else nn.Conv2d(channels, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score tiles: ``(*batch, 3, H, W)`` to ``(*batch, side, side)``."""
        least = 32 if self.whole else 4 * self.side
        good = images.ndim >= 3 and images.shape[-3] == 3 and min(images.shape[-2:]) >= least
        require(good, "PathResNet(images)", f"must have shape (*batch, 3, H, W) with sides of {least} or more", images)
        features = self.stages(self.stem(2 * flatten_batch(images, 3) - 1))
        if self.whole:
            scores = self.head(features.mean((2, 3))).unflatten(1, (self.side, self.side))
        else:
            scores = self.head(functional.adaptive_max_pool2d(features, self.side)).squeeze(1)
        return unflatten_batch(scores, images.shape[:-3])
