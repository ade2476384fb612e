"""Generated pictures of shapes with their masks, and coarse maps as a poor classifier would give them."""

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from algonets._core.checks import check_at_least
from algonets.data._checks import check_index, check_train

__all__ = ["Shapes"]

_SHAPES = 3  # in every picture


class Shapes(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Coloured ellipses, rectangles and triangles on a background, to be segmented from a coarse map.

    An item is ``(image, mask, coarse)``: float32 ``(3, S, S)`` in [0, 1]; float32 ``(1, S, S)``, 1 on a shape; and
    logits ``(1, S, S)`` of a made-up classifier that knows about where the shapes are, but not their outlines: the
    mask is displaced by a smooth random field, blurred and disturbed by blobs. Colours are drawn anew for each
    picture, shaded and noisy, so that no colour means "shape".

    Args:
        train: training or test pictures; they are drawn from different seeds.
        size: how many; 400 for training and 200 for the test by default.
        side: S, pixels, ``>= 16``.
        seed: of the whole set.

    Attributes:
        images: float32 ``(N, 3, S, S)``.
        masks: float32 ``(N, 1, S, S)``.
        coarse: float32 ``(N, 1, S, S)``.

    Raises:
        TypeError: if ``train`` is no bool or a count no integer.
        ValueError: if ``size`` is below 1 or ``side`` below 16.

    Cost:
        About a second and 20 MB for 400 pictures.

    Example:
        >>> image, mask, coarse = Shapes(size=2)[0]
        >>> image.shape, mask.unique().tolist(), coarse.shape
        (torch.Size([3, 48, 48]), [0.0, 1.0], torch.Size([1, 48, 48]))
    """

    def __init__(self, train: bool = True, size: int | None = None, side: int = 48, seed: int = 0):
        self.train, self.seed = check_train("Shapes", train), seed
        count = check_at_least("Shapes(size)", (400 if train else 200) if size is None else size, 1)
        self.side = check_at_least("Shapes(side)", side, 16)
        generator = torch.Generator().manual_seed((seed << 1) + (not train))
        self.masks, colours = _masks(count, side, generator)
        self.images = _paint(self.masks, colours, generator)
        self.coarse = _coarse(self.masks, generator)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        i = check_index("Shapes", index, len(self))
        return self.images[i], self.masks[i], self.coarse[i]

    def __repr__(self) -> str:
        return f"Shapes(train={self.train}, seed={self.seed}): {len(self)} pictures of {self.side} x {self.side}"


def _grid(side: int) -> tuple[Tensor, Tensor]:
    line = torch.arange(side, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return y, x


def _masks(count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the union of some shapes for each picture; also the colour offsets of the shapes, painted in."""
    y, x = _grid(side)
    mask = torch.zeros(count, 1, side, side)
    colour = torch.zeros(count, 3, side, side)
    for _ in range(_SHAPES):
        draw = torch.rand(count, 6, 1, 1, generator=generator)
        dy, dx = y - side * (0.15 + 0.7 * draw[:, 0]), x - side * (0.15 + 0.7 * draw[:, 1])
        turn = math.tau * draw[:, 2]
        u, v = dx * turn.cos() + dy * turn.sin(), dy * turn.cos() - dx * turn.sin()
        a, b = side * (0.09 + 0.13 * draw[:, 3]), side * (0.09 + 0.13 * draw[:, 4])
        ellipse = (u / a) ** 2 + (v / b) ** 2 < 1
        rectangle = (u.abs() < a) & (v.abs() < b)
        triangle = (v > -b) & (v + 2 * u.abs() * b / a < b)
        kind = (3 * draw[:, 5]).long()
        shape = torch.where(kind == 0, ellipse, torch.where(kind == 1, rectangle, triangle))[:, None]
        tint = 0.08 * torch.randn(count, 3, 1, 1, generator=generator)
        mask = torch.where(shape, torch.ones_like(mask), mask)
        colour = torch.where(shape, tint, colour)
    return mask, colour


def _smooth(noise: Tensor, radius: float) -> Tensor:
    """Blur ``(N, C, H, W)`` by a Gaussian."""
    reach = math.ceil(3 * radius)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / radius) ** 2)
    taps = (taps / taps.sum()).expand(noise.shape[1], 1, -1)
    padded = functional.pad(noise, (reach,) * 4, mode="replicate")
    across = functional.conv2d(padded, taps.unsqueeze(2), groups=noise.shape[1])
    return functional.conv2d(across, taps.unsqueeze(3), groups=noise.shape[1])


def _field(shape: tuple[int, ...], radius: float, generator: torch.Generator) -> Tensor:
    """Smooth noise of mean 0 and deviation 1."""
    noise = _smooth(torch.randn(shape, generator=generator), radius)
    return noise / noise.std((-2, -1), keepdim=True)


def _paint(mask: Tensor, colour: Tensor, generator: torch.Generator) -> Tensor:
    """Give background and shapes colours that differ by a fixed distance, shading and noise."""
    count, _, side, _ = mask.shape
    ground = 0.3 + 0.4 * torch.rand(count, 3, 1, 1, generator=generator)
    direction = torch.randn(count, 3, 1, 1, generator=generator)
    other = ground + 0.4 * direction / direction.norm(dim=1, keepdim=True)
    image = ground * (1 - mask) + other * mask + colour
    image = image + 0.06 * _field((count, 3, side, side), side / 8, generator)
    return (image + 0.06 * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def _coarse(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Displace, blur and disturb masks; the result are logits with a deviation of about 2."""
    count, _, side, _ = mask.shape
    shift = 2.0 * _field((count, 2, side, side), 5.0, generator)
    y, x = _grid(side)
    places = torch.stack([x + shift[:, 0], y + shift[:, 1]], -1) * (2 / (side - 1)) - 1
    moved = functional.grid_sample(mask, places, mode="nearest", padding_mode="border", align_corners=True)
    blurred = _smooth(moved, 2.0) + 0.08 * _field((count, 1, side, side), 3.0, generator)
    return 6 * (blurred - 0.5)
