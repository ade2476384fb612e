"""A small convolutional network that scores the letters of an image."""

from typing import final

import torch
from torch import nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_fraction, check_image_shape, check_trailing

__all__ = ["LetterScorer"]


@final
class LetterScorer(Net):
    """Four convolutions in two stages, each halving the image, and two linear layers.

    Args:
        image_shape: ``(channels, H, W)`` of a letter; H and W at least 4.
        num_classes: Number of letters to score, at least 1.
        width: Channels of the first stage; the second has twice as many.
        dropout: Probability in [0, 1) of dropping a hidden unit; half of it drops whole feature maps.

    Input ``(*batch, channels, H, W)`` float, output scores ``(*batch, num_classes)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.

    Example:
        >>> LetterScorer((1, 16, 8), 26)(torch.zeros(2, 5, 1, 16, 8)).shape
        torch.Size([2, 5, 26])
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, width: int = 32, dropout: float = 0.4):
        super().__init__()
        self.image_shape = check_image_shape("LetterScorer(image_shape)", image_shape, 4)
        channels, height, breadth = self.image_shape
        self.dropout = check_fraction("LetterScorer(dropout)", dropout)
        self.num_classes = check_at_least("LetterScorer(num_classes)", num_classes, 1)
        self.width = check_at_least("LetterScorer(width)", width, 1)
        wide = 2 * width
        self.features = nn.Sequential(
            *_convolution(channels, width),
            *_convolution(width, width),
            nn.MaxPool2d(2),
            nn.Dropout2d(dropout / 2),
            *_convolution(width, wide),
            *_convolution(wide, wide),
            nn.MaxPool2d(2),
            nn.Dropout2d(dropout / 2),
        )
        last = nn.Linear(4 * width, num_classes)
        with torch.no_grad():  # nearly equal scores at the start: a perceptron cannot leave large wrong ones
            last.weight.mul_(0.1)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(wide * (height // 4) * (breadth // 4), 4 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            last,
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Score letters: ``(*batch, channels, H, W)`` to ``(*batch, num_classes)``."""
        check_trailing("LetterScorer(images)", images, self.image_shape)
        scores = self.classifier(self.features(flatten_batch(images, 3)))
        return unflatten_batch(scores, images.shape[:-3])


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
