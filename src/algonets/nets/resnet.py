"""ResNet: layers that add to what came before, so that depth does not hurt."""

from typing import final

from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_images

__all__ = ["ResNet"]


@final
class ResNet(Net):
    """The CIFAR form: a convolution, three stages of residual blocks, global average pooling, a linear layer.

    ``6 blocks + 2`` layers. A block computes ``relu(x + f(x))`` with two 3 x 3 convolutions in ``f``; where the size
    halves and the width doubles, ``x`` is subsampled and padded with zero channels, which needs no weights.

    Args:
        channels: Of the pictures.
        num_classes: At least 1.
        blocks: In each of the three stages.
        width: Channels of the first stage.
        residual: ``False`` leaves out the sums: the plain network to compare with, of exactly as many weights.

    Input ``(*batch, channels, H, W)`` float of any size, output scores ``(*batch, num_classes)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: about ``18 width² H W`` multiplications a block.
    References: He, Zhang, Ren, Sun 2016, Deep Residual Learning for Image Recognition, section 4.2.

    Example:
        >>> import torch
        >>> ResNet(3, 10, blocks=1, width=4)(torch.zeros(2, 3, 33, 17)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, channels: int = 3, num_classes: int = 10, blocks: int = 3, width: int = 16, residual: bool = True
    ):
        super().__init__()
        self.channels = check_at_least("ResNet(channels)", channels, 1)
        self.num_classes = check_at_least("ResNet(num_classes)", num_classes, 1)
        self.blocks = check_at_least("ResNet(blocks)", blocks, 1)
        self.width = check_at_least("ResNet(width)", width, 1)
        self.residual = bool(residual)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        body: list[nn.Module] = []
        inputs = width
        for stage in range(3):
            for block in range(blocks):
                outputs = width << stage
                body.append(_Block(inputs, outputs, 2 if stage and not block else 1, self.residual))
                inputs = outputs
        self.body = nn.Sequential(*body)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Score classes: ``(*batch, channels, H, W)`` to ``(*batch, num_classes)``."""
        check_images("ResNet(images)", images, self.channels, 1)
        scores = self.classifier(self.body(self.stem(flatten_batch(images, 3))))
        return unflatten_batch(scores, images.shape[:-3])


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, residual: bool):
        super().__init__()
        self.stride, self.more, self.residual = stride, outputs - inputs, residual
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        change = self.change(x)
        if not self.residual:
            return functional.relu(change)
        kept = x[:, :, :: self.stride, :: self.stride]
        return functional.relu(change + functional.pad(kept, (0, 0, 0, 0, 0, self.more)))
