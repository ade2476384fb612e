"""Generated terrain maps: pictures of tiles, the cost of every tile, and the cheapest path."""

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.data._checks import check_index, check_train
from algonets.graph import GridPath

__all__ = ["TerrainMaps"]

_COSTS = (0.8, 1.2, 5.3, 7.7, 9.2)
_SHARES = (0.22, 0.30, 0.18, 0.16, 0.14)
_COLOURS = ((0.72, 0.58, 0.38), (0.42, 0.62, 0.28), (0.55, 0.54, 0.52), (0.16, 0.36, 0.16), (0.20, 0.38, 0.66))
_VARIANTS = 32  # of each kind of tile


class TerrainMaps(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Maps of earth, grass, stone, forest and water, as pictures; what crossing a tile costs, and the cheapest path.

    Modelled on the Warcraft II maps of Vlastelica et al. 2020, which may not be passed on: tiles of 8 x 8 pixels, costs
    from 0.8 to 9.2, a path over 8 neighbours from the upper left to the lower right corner. Tiles of one kind differ by
    texture, maps by light, pixels by noise. An item is ``(image, costs, path)``: float32 ``(3, 8 side, 8 side)`` in
    [0, 1], float32 ``(side, side)``, 0/1 float32 ``(side, side)``. There are five different costs, so most maps have
    several cheapest paths, of which this is one: compare costs, not tiles.

    Args:
        train: training or test maps; they are drawn from different seeds.
        size: how many; 2000 for training and 500 for the test by default.
        side: tiles along a side, at least 2; published results are for 12 and 24.
        tile: pixels along a side of a tile, at least 4.
        noise: standard deviation of the noise of pixels, from 0 to 1.
        seed: of the whole set.

    Attributes:
        images: uint8 ``(N, 3, tile side, tile side)``.
        kinds: uint8 ``(N, side, side)``, index into the five kinds of terrain.
        costs: float32 ``(N, side, side)``.
        paths: float32 ``(N, side, side)``.

    Raises:
        TypeError: if ``train`` is no bool or a count no integer.
        ValueError: if ``size`` is below 1, ``side`` below 2, ``tile`` below 4, ``noise`` outside [0, 1].

    Cost:
        About half a second and 60 MB for 2000 maps of 12 x 12.

    References:
        M. Vlastelica et al. 2020, *Differentiation of Blackbox Combinatorial Solvers*, section 4.2.

    Example:
        >>> image, costs, path = TerrainMaps(size=2)[0]
        >>> image.shape, costs.shape, path.shape, (costs * path).sum() <= costs.diagonal().sum()
        (torch.Size([3, 96, 96]), torch.Size([12, 12]), torch.Size([12, 12]), tensor(True))
    """

    def __init__(
        self,
        train: bool = True,
        size: int | None = None,
        side: int = 12,
        tile: int = 8,
        noise: float = 0.06,
        seed: int = 0,
    ):
        self.train, self.seed = check_train("TerrainMaps", train), seed
        count = check_at_least("TerrainMaps(size)", (2000 if train else 500) if size is None else size, 1)
        self.side = check_at_least("TerrainMaps(side)", side, 2)
        self.tile = check_at_least("TerrainMaps(tile)", tile, 4)
        require(0 <= noise <= 1, "TerrainMaps(noise)", "must be from 0 to 1", noise)
        self.noise = float(noise)
        # Tiles belong to the world, not to one half of it: the same for training and test.
        bank = _tiles(self.tile, torch.Generator().manual_seed(seed << 1))
        generator = torch.Generator().manual_seed((seed << 1) + (2 if train else 3))
        self.kinds = _kinds(count, self.side, generator)
        self.costs = torch.tensor(_COSTS)[self.kinds.long()]
        self.paths = GridPath(8)(self.costs)
        parts = [self._paint(part, bank, generator) for part in self.kinds.split(250)]
        self.images = torch.cat(parts)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        i = check_index("TerrainMaps", index, len(self))
        return self.images[i] / 255, self.costs[i], self.paths[i]

    def __repr__(self) -> str:
        return f"TerrainMaps(train={self.train}, seed={self.seed}): {len(self)} maps of {self.side} x {self.side} tiles"

    def _paint(self, kinds: Tensor, bank: Tensor, generator: torch.Generator) -> Tensor:
        count, side = len(kinds), self.side
        variant = torch.randint(_VARIANTS, kinds.shape, generator=generator)
        tiles = bank[kinds.long(), variant]  # (N, side, side, 3, tile, tile)
        image = tiles.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, side * self.tile, side * self.tile)
        light = 0.7 + 0.6 * torch.rand(count, 1, 1, 1, generator=generator)
        tint = 1 + 0.08 * torch.randn(count, 3, 1, 1, generator=generator)
        image = image * light * tint + self.noise * torch.randn(image.shape, generator=generator)
        return (255 * image).round().clamp(0, 255).to(torch.uint8)


def _kinds(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Regions of terrain: for each kind a smooth random field, the largest wins; weights keep the shares."""
    kinds = len(_COSTS)
    field = torch.zeros(count, kinds, side, side)
    for cells, weight in ((max(2, side // 4), 1.0), (max(2, side // 2), 0.8), (side, 0.5)):
        coarse = torch.randn(count, kinds, cells, cells, generator=generator)
        field += weight * functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    bias = torch.tensor(_SHARES).log() * 0.9
    return (field + bias[:, None, None]).argmax(1).to(torch.uint8)


def _tiles(tile: int, generator: torch.Generator) -> Tensor:
    """Variants of each kind of tile, float32 ``(kinds, variants, 3, tile, tile)``."""
    line = torch.arange(tile, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    draw = lambda *shape: torch.rand(_VARIANTS, *shape, 1, 1, generator=generator)  # noqa: E731
    grain = torch.randn(len(_COSTS), _VARIANTS, 1, tile, tile, generator=generator)
    shade = torch.zeros(len(_COSTS), _VARIANTS, 1, tile, tile)

    def blobs(number: int, radius: float) -> Tensor:
        centre_y, centre_x = tile * draw(number), tile * draw(number)
        square = (y - centre_y).square() + (x - centre_x).square()
        return torch.exp(-square / (2 * radius**2)).amax(1, keepdim=True)

    shade[0] = 0.04 * grain[0] - 0.10 * blobs(2, 0.8)
    shade[1] = 0.07 * grain[1] + 0.06 * blobs(3, 1.0)
    shade[2] = 0.05 * grain[2] + 0.16 * (blobs(3, 1.6) - 0.5)
    shade[3] = 0.03 * grain[3] + 0.22 * (blobs(3, 1.4) - 0.4)
    shade[4] = 0.02 * grain[4] + 0.07 * torch.sin(math.tau * (y / tile * 2 + 0.15 * torch.sin(x) + draw(1)))
    colour = torch.tensor(_COLOURS)[:, None, :, None, None]
    own = 0.03 * torch.randn(len(_COSTS), _VARIANTS, 3, 1, 1, generator=generator)
    return (colour + own) * (1 + 1.5 * shade)
