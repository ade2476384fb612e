"""The network that draws chairs: from class and view to image and mask."""

from typing import final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_last

__all__ = ["UpConvNet"]


@final
class UpConvNet(Net):
    """Class, view and transform, each through a layer of its own, joined, then up-convolutions to an image and a mask.

    Class weights need not be one-hot: what lies between two classes is drawn as well, and sums and differences are.

    Args:
        num_classes: Length of the class weights.
        view: Length of the view, such as sine and cosine of the azimuth.
        transform: Length of the transform's parameters; 0 for none.
        image_shape: ``(channels, H, W)``; H and W multiples of 8. It fixes the size.
        width: Channels at half the resolution; a quarter has twice, an eighth four times as many.

    Input ``(*batch, num_classes)``, ``(*batch, view)``, ``(*batch, transform)`` float; output logits of the image
    ``(*batch, channels, H, W)`` and of the mask ``(*batch, 1, H, W)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Dosovitskiy, Springenberg, Brox 2015, Learning to Generate Chairs with Convolutional Neural Networks.

    Example:
        >>> net = UpConvNet(5, 2, 3, (1, 16, 24), width=4)
        >>> image, mask = net(torch.eye(5), torch.zeros(5, 2), torch.zeros(5, 3))
        >>> image.shape, mask.shape
        (torch.Size([5, 1, 16, 24]), torch.Size([5, 1, 16, 24]))
    """

    def __init__(
        self,
        num_classes: int,
        view: int = 2,
        transform: int = 0,
        image_shape: tuple[int, int, int] = (1, 32, 32),
        width: int = 16,
    ):
        super().__init__()
        self.num_classes = check_at_least("UpConvNet(num_classes)", num_classes, 1)
        self.view = check_at_least("UpConvNet(view)", view, 1)
        self.transform = check_at_least("UpConvNet(transform)", transform, 0)
        self.image_shape = check_image_shape("UpConvNet(image_shape)", image_shape, 8, 8)
        self.width = check_at_least("UpConvNet(width)", width, 1)
        channels, height, breadth = self.image_shape
        units = 8 * width
        sizes = (num_classes, view, transform) if transform else (num_classes, view)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(size, units), nn.LeakyReLU(0.2), nn.Linear(units, units), nn.LeakyReLU(0.2))
            for size in sizes
        )
        inner = (4 * width, height // 8, breadth // 8)
        self.trunk = nn.Sequential(
            nn.Linear(units * len(sizes), 2 * units),
            nn.LeakyReLU(0.2),
            nn.Linear(2 * units, inner[0] * inner[1] * inner[2]),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, inner),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
            nn.ConvTranspose2d(width, channels + 1, 4, 2, 1),
        )

    def forward(self, classes: Tensor, view: Tensor, transform: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits of image and mask."""
        check_last("UpConvNet(classes)", classes, self.num_classes)
        parts = [classes, check_last("UpConvNet(view)", view, self.view)]
        if self.transform:
            given = view.new_zeros((*view.shape[:-1], self.transform)) if transform is None else transform
            parts.append(check_last("UpConvNet(transform)", given, self.transform))
        for part in parts[1:]:
            good = part.shape[:-1] == classes.shape[:-1]
            require(good, "UpConvNet(view, transform)", f"must have the batch {tuple(classes.shape[:-1])}", part)
        flat = [flatten_batch(part, 1) for part in parts]
        joined = torch.cat([branch(part) for branch, part in zip(self.branches, flat, strict=True)], -1)
        image, mask = self.trunk(joined).split([self.image_shape[0], 1], 1)
        return unflatten_batch(image, classes.shape[:-1]), unflatten_batch(mask, classes.shape[:-1])


def _up(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(outputs, outputs, 3, 1, 1),
        nn.LeakyReLU(0.2),
    )
