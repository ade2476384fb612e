"""VGG: many small convolutions, one after the other."""

from typing import final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_images, check_sizes

__all__ = ["VGG"]


@final
class VGG(Net):
    """Stages of 3 x 3 convolutions with batch normalisation; 2 x 2 max pooling and twice the width between stages.

    The form for small pictures: global average pooling and one linear layer in the end. So it takes pictures of any
    size from ``2 ** (stages - 1)`` pixels on.

    Args:
        channels: Of the pictures.
        num_classes: At least 1.
        stages: How many convolutions each stage has.
        width: Channels of the first stage; each later one has twice as many.

    Input ``(*batch, channels, H, W)`` float, output scores ``(*batch, num_classes)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: about ``9 width² H W`` multiplications a convolution of the first stage, and no more in later ones.
    References: Simonyan, Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition.

    Example:
        >>> import torch
        >>> VGG(3, 10, stages=(1, 1), width=4)(torch.zeros(2, 3, 33, 17)).shape
        torch.Size([2, 10])
    """

    def __init__(self, channels: int = 3, num_classes: int = 10, stages: tuple[int, ...] = (2, 2, 2), width: int = 16):
        super().__init__()
        self.channels = check_at_least("VGG(channels)", channels, 1)
        self.num_classes = check_at_least("VGG(num_classes)", num_classes, 1)
        self.stages = check_sizes("VGG(stages)", stages)
        self.width = check_at_least("VGG(width)", width, 1)
        layers: list[nn.Module] = []
        inputs = channels
        for i, stage in enumerate(self.stages):
            layers += [nn.MaxPool2d(2)] if i else []
            for _ in range(stage):
                outputs = width << i
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Score classes: ``(*batch, channels, H, W)`` to ``(*batch, num_classes)``."""
        check_images("VGG(images)", images, self.channels, 1 << (len(self.stages) - 1))
        scores = self.classifier(self.features(flatten_batch(images, 3)))
        return unflatten_batch(scores, images.shape[:-3])
