"""The network of the sorting-supervision papers: one score for an image of a number."""

from typing import final

import torch
from torch import nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_trailing

__all__ = ["DigitRanker"]


@final
class DigitRanker(Net):
    """Two 5 x 5 convolutions, each halving the image, and two linear layers to one score.

    With the default width, on 4-digit MNIST images 28 x 112, it is the network of Grover et al. 2019 and Petersen et
    al. 2021. The rectifier comes after the pooling, which changes no value and costs a quarter.

    Args:
        image_shape: ``(channels, H, W)``; H and W at least 4.
        width: Channels of the first convolution; the second and the hidden layer have twice as many.

    Input ``(*batch, channels, H, W)`` float, output scores ``(*batch)``, unbounded.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: about 43 million multiplications an image of 28 x 112.
    References: Grover, Wang, Zweig, Ermon 2019, Stochastic Optimization of Sorting Networks via Continuous
    Relaxations, appendix; Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks.

    Example:
        >>> DigitRanker((1, 8, 32))(torch.zeros(3, 5, 1, 8, 32)).shape
        torch.Size([3, 5])
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 32):
        super().__init__()
        self.image_shape = check_image_shape("DigitRanker(image_shape)", image_shape, 4)
        channels, height, breadth = self.image_shape
        self.width = check_at_least("DigitRanker(width)", width, 1)
        wide = 2 * width
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(width, wide, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        self.scorer = nn.Sequential(
            nn.Flatten(), nn.Linear(wide * (height // 4) * (breadth // 4), wide), nn.ReLU(), nn.Linear(wide, 1)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score images: ``(*batch, channels, H, W)`` to ``(*batch)``."""
        check_trailing("DigitRanker(images)", images, self.image_shape)
        scores = self.scorer(self.features(flatten_batch(images, 3)))
        return unflatten_batch(scores.squeeze(-1), images.shape[:-3])
