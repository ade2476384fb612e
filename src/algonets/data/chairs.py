"""Generated chairs: boxes in space, drawn from any side by a rasteriser of our own."""

import math

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.errors import require

__all__ = ["Chairs"]

# Smallest and largest of each measure, in units of the picture's half side.
_RANGES = {
    "leg": (0.25, 0.75),  # height of the seat
    "back": (0.1, 0.8),  # height of the back above the seat
    "width": (0.55, 1.0),
    "depth": (0.5, 0.95),
    "thickness": (0.06, 0.16),  # of the legs
    "arm": (0.0, 0.35),  # height of the armrests; none below 0.08
}
_LIGHT = (0.35, 0.75, 0.55)
_VIEW = 1.15  # half a side of the picture, in these units


class Chairs:
    """Chairs of six measures (heights of seat, back and arms, width, depth, legs), seen from any azimuth.

    Args:
        side: Pixels along a side of a picture, at least 16.
        elevation: Of the eye in degrees, from 0 to 80.

    Attributes:
        measures: Names of the measures.

    Cost: about 5 ms a picture of 32 x 32.

    Example:
        >>> chairs = Chairs(32)
        >>> shapes = chairs.draw(2, torch.Generator().manual_seed(0))
        >>> image, mask = chairs.render(shapes, torch.tensor([0.0, 1.5]))
        >>> image.shape, mask.shape, mask.unique().tolist()
        (torch.Size([2, 1, 32, 32]), torch.Size([2, 1, 32, 32]), [0.0, 1.0])
    """

    measures = tuple(_RANGES)

    def __init__(self, side: int = 32, elevation: float = 25.0):
        self.side = check_at_least("Chairs(side)", side, 16)
        require(0 <= elevation <= 80, "Chairs(elevation)", "must be from 0 to 80 degrees", elevation)
        self.elevation = elevation

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw measures ``(count, 6)`` in [0, 1]: where each lies between its smallest and its largest."""
        return torch.rand(count, len(_RANGES), generator=generator)

    def render(self, shapes: Tensor, azimuth: Tensor) -> tuple[Tensor, Tensor]:
        """Draw chairs.

        Args:
            shapes: ``(N, 6)``, measures in [0, 1].
            azimuth: ``(N,)``, radians.

        Returns:
            Grey images and masks, both float32 ``(N, 1, side, side)``; grey is 0 (black) to 1, the background is 1.
        """
        good = shapes.ndim == 2 and shapes.shape[1] == len(_RANGES) and azimuth.shape == shapes.shape[:1]
        require(good, "Chairs.render(shapes)", "must have shape (N, 6), with azimuths (N,)", shapes)
        require(bool(((shapes >= 0) & (shapes <= 1)).all()), "Chairs.render(shapes)", "must be in [0, 1]", shapes)
        images, masks = torch.ones(2, len(shapes), 1, self.side, self.side)
        for i, (shape, angle) in enumerate(zip(shapes.tolist(), azimuth.tolist(), strict=True)):
            images[i], masks[i] = self._picture(shape, angle)
        return images, masks

    def _picture(self, shape: list[float], azimuth: float) -> tuple[Tensor, Tensor]:
        fine = 2 * self.side  # two samples along a pixel
        points, normals = _surface(shape, 0.7 * fine / _VIEW)
        turned = _view(points, azimuth, math.radians(self.elevation))
        x = ((turned[:, 0] / _VIEW + 1) / 2 * fine).long().clamp(0, fine - 1)
        y = ((1 - turned[:, 1] / _VIEW) / 2 * fine).long().clamp(0, fine - 1)
        shade = 0.1 + 0.75 * (normals @ torch.tensor(_LIGHT)).clamp_min(0)  # the light stands still with the chair
        order = turned[:, 2].argsort()  # from far to near: the nearest point of a pixel has the greatest rank
        rank = torch.full((fine * fine,), -1).scatter_reduce(
            0, (y * fine + x)[order], torch.arange(len(order)), "amax", include_self=True
        )
        covered = rank >= 0
        picture = torch.where(covered, shade[order][rank.clamp_min(0)], 1.0)
        picture, covered = (
            part.float().reshape(1, self.side, 2, self.side, 2).mean((2, 4)) for part in (picture, covered)
        )
        return picture, (covered >= 0.5).float()


def _surface(shape: list[float], density: float) -> tuple[Tensor, Tensor]:
    """Points on the faces of all boxes, and their normals, ``(P, 3)``; y is up, the middle is 0."""
    m = {name: low + (high - low) * t for (name, (low, high)), t in zip(_RANGES.items(), shape, strict=True)}
    w, d, t, floor = m["width"] / 2, m["depth"] / 2, m["thickness"], -0.75
    seat = floor + m["leg"]
    boxes = [((-w, seat, -d), (w, seat + 0.1, d)), ((-w, seat + 0.1, -d), (w, seat + 0.1 + m["back"], -d + 0.1))]
    for x in (-w, w - t):
        boxes += [((x, floor, z), (x + t, seat, z + t)) for z in (-d, d - t)]
    if m["arm"] > 0.08:
        for x in (-w, w - 0.08):
            boxes.append(((x, seat + m["arm"], -d), (x + 0.08, seat + m["arm"] + 0.07, d)))
            boxes.append(((x, seat, d - 0.08), (x + 0.08, seat + m["arm"], d)))
    points, normals = [], []
    for corner, opposite in boxes:
        low, size = torch.tensor(corner), torch.tensor(opposite) - torch.tensor(corner)
        ticks = [(torch.arange(n) + 0.5) / n for n in (2 + (density * size).int()).tolist()]
        for axis in range(3):
            u, v = (part.flatten() for part in torch.meshgrid(ticks[axis - 2], ticks[axis - 1], indexing="ij"))
            for end in (0.0, 1.0):
                unit = torch.empty(len(u), 3)
                unit[:, axis], unit[:, axis - 2], unit[:, axis - 1] = end, u, v
                points.append(low + unit * size)
                normal = torch.zeros(3)
                normal[axis] = 2 * end - 1
                normals.append(normal.expand(len(u), 3))
    return torch.cat(points), torch.cat(normals)


def _view(points: Tensor, azimuth: float, elevation: float) -> Tensor:
    """Turn about the vertical, then look down; the last coordinate is nearness."""
    c, s = math.cos(azimuth), math.sin(azimuth)
    x, z = c * points[:, 0] + s * points[:, 2], c * points[:, 2] - s * points[:, 0]
    c, s = math.cos(elevation), math.sin(elevation)
    return torch.stack([x, c * points[:, 1] - s * z, s * points[:, 1] + c * z], -1)
