"""Which voxels a mesh fills."""

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets.render._fragments import Fragments, fragments_within
from algonets.render.mesh import check_faces, check_vertices

__all__ = ["voxelise"]

_NUDGE = (3.7e-6, 6.1e-6)


def voxelise(vertices: Tensor, faces: Tensor, resolution: int = 32, extent: float = 1.0) -> Tensor:
    """Voxels whose centre is inside a closed mesh: where its winding number is not 0.

    Args:
        vertices: ``(*batch, V, 3)``.
        faces: ``(F, 3)``, all turned the same way; several closed parts may overlap.
        resolution: voxels on a side, of the cube from ``-extent`` to ``extent``.
        extent: half the side of the cube.

    Returns:
        Booleans ``(*batch, n, n, n)``, by x, y and z, all rising.

    Raises:
        TypeError: if ``vertices`` is not floating or ``faces`` are no integers.
        ValueError: if shapes do not fit, or a number is not positive.

    Differentiability: none.
    Cost: O(columns under the faces + voxels): each face adds its orientation to the columns below it.

    Example:
        >>> from algonets.render import cube
        >>> box = cube(1.0)
        >>> voxelise(box.vertices, box.faces, 8).sum().item()  # a cube of half the side
        64
    """
    vertices = check_vertices("voxelise(vertices)", vertices)
    faces = check_faces("voxelise(faces)", faces, vertices.shape[-2])
    n = check_at_least("voxelise(resolution)", resolution, 1)
    check_positive("voxelise(extent=...)", extent)
    batch = vertices.shape[:-2]
    corners = (vertices.detach().double().reshape(-1, *vertices.shape[-2:]) / extent)[:, faces]
    # Centres are moved aside by a little, so that none lies on an edge.
    shifted = corners[..., :2] - torch.tensor(_NUDGE, dtype=torch.float64, device=corners.device)
    hidden = torch.zeros(corners.shape[:2], dtype=torch.bool, device=corners.device)
    cut = torch.zeros(len(corners), dtype=torch.float64, device=corners.device)
    found = fragments_within(shifted, [0, len(faces)], (n, n), False, cut, hidden)
    below, turn = _crossings(shifted, corners[..., 2], found)
    # How many centres of the column lie below the crossing.
    level = ((below + 1) * n / 2 - 0.5).ceil().clamp(0, n).long()
    row, column = found.pixel // n, found.pixel % n
    at = ((found.image * n + column) * n + (n - 1 - row)) * (n + 1) + level
    total = torch.zeros(len(corners) * n * n * (n + 1), dtype=torch.int64, device=corners.device)
    total = total.index_add(0, at, turn).view(-1, n, n, n + 1)
    winding = total.flip(-1).cumsum(-1).flip(-1)[..., 1:]
    return (winding != 0).reshape(*batch, n, n, n)


def _crossings(xy: Tensor, z: Tensor, found: Fragments) -> tuple[Tensor, Tensor]:
    """Heights at which the columns cross the faces, and +1 or -1 by which side comes first."""
    corners, heights = xy.reshape(-1, 3, 2)[found.face], z.reshape(-1, 3)[found.face]
    a, b, c = corners.unbind(1)
    cross = lambda u, v: u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]  # noqa: E731
    area = cross(b - a, c - a)
    one, two = cross(found.point - a, c - a) / area, cross(b - a, found.point - a) / area
    height = heights[:, 0] + one * (heights[:, 1] - heights[:, 0]) + two * (heights[:, 2] - heights[:, 0])
    return height, area.sign().long()
