"""U-Net: segmentation with skip connections."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_images

__all__ = ["UNet"]


@final
class UNet(Net):
    """Down to a coarse grid that sees much, up again to the picture, with the fine maps handed across.

    Args:
        channels: Of the pictures.
        num_classes: Maps that come out.
        levels: How often the picture is halved.
        width: Channels at full resolution; each level has twice as many.
        skip: ``False`` hands nothing across: the network to compare with.

    Input ``(*batch, channels, H, W)`` float of any size from ``2 ** levels`` pixels on, output scores
    ``(*batch, num_classes, H, W)``. Odd sizes lose their last row going down and get it back, interpolated, going up.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Ronneberger, Fischer, Brox 2015, U-Net.

    Example:
        >>> UNet(3, 2, levels=2, width=4)(torch.zeros(2, 3, 21, 18)).shape
        torch.Size([2, 2, 21, 18])
    """

    def __init__(self, channels: int = 3, num_classes: int = 2, levels: int = 3, width: int = 16, skip: bool = True):
        super().__init__()
        self.channels = check_at_least("UNet(channels)", channels, 1)
        self.num_classes = check_at_least("UNet(num_classes)", num_classes, 1)
        self.levels = check_at_least("UNet(levels)", levels, 1)
        self.width = check_at_least("UNet(width)", width, 1)
        self.skip = bool(skip)
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(
            two_convolutions(inputs, outputs) for inputs, outputs in zip([channels, *widths], widths, strict=False)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.up = nn.ModuleList(two_convolutions(2 * w if skip else w, w) for w in widths[:-1])
        self.last = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Score the pixels: ``(*batch, channels, H, W)`` to ``(*batch, num_classes, H, W)``."""
        check_images("UNet(images)", images, self.channels, 1 << self.levels)
        maps = [self.down[0](flatten_batch(images, 3))]
        for convolve in list(self.down)[1:]:
            maps.append(convolve(functional.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for shrink, convolve in zip(reversed(self.shrink), reversed(self.up), strict=True):
            fine = maps.pop()
            x = functional.interpolate(shrink(x), fine.shape[-2:], mode="bilinear", align_corners=False)
            x = convolve(torch.cat([fine, x], 1) if self.skip else x)
        return unflatten_batch(self.last(x), images.shape[:-3])


def two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch normalisation and a rectifier."""
    layers: list[nn.Module] = []
    for size in (inputs, outputs):
        layers += [nn.Conv2d(size, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
