"""A small convolutional classifier for small pictures."""

from typing import final

import torch
from torch import nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_fraction, check_image_shape, check_trailing

__all__ = ["SmallCnn"]


@final
class SmallCnn(Net):
    """Three 3 x 3 convolutions with batch normalisation, each halving the image, and a linear layer.

    Args:
        image_shape: ``(channels, H, W)``; H and W at least 8.
        num_classes: Number of classes, at least 1.
        width: Channels of the first convolution; each later one has twice as many.
        dropout: Probability in [0, 1) of dropping an input of the linear layer.

    Input ``(*batch, channels, H, W)`` float, output scores ``(*batch, num_classes)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: about 10 million multiplications an image of 3 x 32 x 32 with the default width.

    Example:
        >>> SmallCnn((3, 32, 32), 10)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, width: int = 32, dropout: float = 0.2):
        super().__init__()
        self.image_shape = check_image_shape("SmallCnn(image_shape)", image_shape, 8)
        self.dropout = check_fraction("SmallCnn(dropout)", dropout)
        channels, height, breadth = self.image_shape
        self.width = check_at_least("SmallCnn(width)", width, 1)
        self.num_classes = check_at_least("SmallCnn(num_classes)", num_classes, 1)
        stages = []
        for inputs, outputs in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            stages += [convolution, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*stages)
        flat = 4 * width * (height // 8) * (breadth // 8)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(flat, num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score classes: ``(*batch, channels, H, W)`` to ``(*batch, num_classes)``."""
        check_trailing("SmallCnn(images)", images, self.image_shape)
        scores = self.classifier(self.features(flatten_batch(images, 3)))
        return unflatten_batch(scores, images.shape[:-3])
