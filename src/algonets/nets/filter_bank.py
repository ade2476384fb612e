"""Filters of several sizes, side by side: a network without training whose statistics describe textures."""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.nets.net import Net, check_images, check_sizes

__all__ = ["FilterBank"]


@final
class FilterBank(Net):
    """One layer of random filters of each size, without mean, and rectifiers; the features of each size as a map.

    Args:
        channels: Of the pictures.
        width: Filters of each size.
        sizes: Sides of the filters, odd.
        seed: Of the filters; they are buffers, not trained.

    Input ``(*batch, channels, H, W)`` float with sides of at least half the largest filter, output a list of maps
    ``(N, width, H, W)``, one a size, with the batch flattened. The picture is reflected at its edges.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Ustyuzhaninov, Brendel, Gatys, Bethge 2017, What Does It Take to Generate Natural Textures?

    Example:
        >>> [tuple(x.shape) for x in FilterBank(3, 8, (3, 5))(torch.zeros(2, 3, 9, 7))]
        [(2, 8, 9, 7), (2, 8, 9, 7)]
    """

    def __init__(self, channels: int = 3, width: int = 32, sizes: tuple[int, ...] = (3, 5, 9, 17), seed: int = 0):
        super().__init__()
        self.channels = check_at_least("FilterBank(channels)", channels, 1)
        self.width = check_at_least("FilterBank(width)", width, 1)
        sizes = check_sizes("FilterBank(sizes)", sizes, least=3)
        require(all(size % 2 for size in sizes), "FilterBank(sizes)", "must be odd", sizes)
        check_at_least("FilterBank(seed)", seed, 0)
        self.sizes, self.seed = tuple(sizes), seed
        generator = torch.Generator().manual_seed(seed)
        for size in self.sizes:
            filters = torch.randn(width, channels, size, size, generator=generator)
            filters = filters - filters.mean((-2, -1), keepdim=True)
            filters = filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
            self.register_buffer(f"filters_{size}", filters)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of each size."""
        check_images("FilterBank(images)", images, self.channels, max(self.sizes) // 2 + 1)
        flat = flatten_batch(images, 3)
        maps = []
        for size in self.sizes:
            padded = functional.pad(flat, (size // 2,) * 4, mode="reflect")
            maps.append(functional.relu(functional.conv2d(padded, getattr(self, f"filters_{size}"))))
        return maps
