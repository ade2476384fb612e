"""SegNet: segmentation that remembers where each maximum was."""

from typing import final

from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_images
from algonets.nets.unet import two_convolutions

__all__ = ["SegNet"]


@final
class SegNet(Net):
    """Like U-Net, but what is handed across are the places of the maxima only: two bits a pixel instead of maps.

    Args:
        channels: Of the pictures.
        num_classes: Maps that come out.
        levels: How often the picture is halved.
        width: Channels at full resolution; each level has twice as many.

    Input ``(*batch, channels, H, W)`` float of any size from ``2 ** levels`` pixels on, output scores
    ``(*batch, num_classes, H, W)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Badrinarayanan, Kendall, Cipolla 2017, SegNet.

    Example:
        >>> import torch
        >>> SegNet(3, 2, levels=2, width=4)(torch.zeros(2, 3, 21, 18)).shape
        torch.Size([2, 2, 21, 18])
    """

    def __init__(self, channels: int = 3, num_classes: int = 2, levels: int = 3, width: int = 16):
        super().__init__()
        self.channels = check_at_least("SegNet(channels)", channels, 1)
        self.num_classes = check_at_least("SegNet(num_classes)", num_classes, 1)
        self.levels = check_at_least("SegNet(levels)", levels, 1)
        self.width = check_at_least("SegNet(width)", width, 1)
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(
            two_convolutions(inputs, outputs) for inputs, outputs in zip([channels, *widths], widths, strict=False)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.up = nn.ModuleList(two_convolutions(w, w) for w in widths[:-1])
        self.last = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Score the pixels: ``(*batch, channels, H, W)`` to ``(*batch, num_classes, H, W)``."""
        check_images("SegNet(images)", images, self.channels, 1 << self.levels)
        x = self.down[0](flatten_batch(images, 3))
        places = []
        for convolve in list(self.down)[1:]:
            size = x.shape[-2:]
            x, where = functional.max_pool2d(x, 2, return_indices=True)
            places.append((where, size))
            x = convolve(x)
        for shrink, convolve in zip(reversed(self.shrink), reversed(self.up), strict=True):
            where, size = places.pop()
            x = convolve(functional.max_unpool2d(shrink(x), where, [2, 2], output_size=list(size)))
        return unflatten_batch(self.last(x), images.shape[:-3])
