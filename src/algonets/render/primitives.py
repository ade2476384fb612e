"""Generated meshes: sphere, torus, cube, plane."""

import math

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets.render.mesh import Mesh

__all__ = ["cube", "icosphere", "plane", "torus"]


def icosphere(level: int = 3) -> Mesh:
    """A unit sphere of ``20 * 4^level`` nearly equal triangles.

    Args:
        level: how often the icosahedron is subdivided.

    Raises:
        TypeError: if ``level`` is no integer.
        ValueError: if it is negative.

    Example:
        >>> icosphere(3)
        Mesh(642 vertices, 1280 faces)
    """
    level = check_at_least("icosphere(level)", level, 0)
    g = (1 + math.sqrt(5)) / 2
    corners = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0)]
    corners += [(z, x, y) for x, y, z in corners] + [(y, z, x) for x, y, z in corners]
    vertices = torch.nn.functional.normalize(torch.tensor(corners, dtype=torch.float64), dim=-1)
    faces = _hull_faces(vertices)
    for _ in range(level):
        vertices, faces = _subdivide(vertices, faces)
        vertices = torch.nn.functional.normalize(vertices, dim=-1)
    return Mesh(vertices.float(), faces)


def _hull_faces(vertices: Tensor) -> Tensor:
    """Triangles of mutual neighbours of the icosahedron, turned outwards."""
    near = torch.cdist(vertices, vertices)
    near = (near > 0) & (near < 1.1)
    found = []
    for i in range(12):
        for j in range(i + 1, 12):
            for k in range(j + 1, 12):
                if near[i, j] and near[j, k] and near[i, k]:
                    outward = torch.linalg.det(vertices[[i, j, k]]) > 0
                    found.append((i, j, k) if outward else (i, k, j))
    return torch.tensor(found)


def _subdivide(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Each triangle becomes four."""
    sides = torch.stack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]], 1).sort(-1).values
    edges, which = torch.unique(sides.reshape(-1, 2), dim=0, return_inverse=True)
    middle = which.view(-1, 3) + len(vertices)
    a, b, c = faces.unbind(1)
    x, y, z = middle.unbind(1)
    parts = [(a, x, z), (x, b, y), (z, y, c), (x, y, z)]
    return torch.cat([vertices, vertices[edges].mean(1)]), torch.cat([torch.stack(part, 1) for part in parts])


def torus(major: float = 0.7, minor: float = 0.3, rings: int = 32, sides: int = 16) -> Mesh:
    """A ring around the y axis.

    Args:
        major: distance of the tube's middle from the axis.
        minor: radius of the tube.
        rings: how many cuts through the tube.
        sides: corners of each cut.
    """
    check_positive("torus(major=...)", major)
    check_positive("torus(minor=...)", minor)
    rings, sides = check_at_least("torus(rings=...)", rings, 3), check_at_least("torus(sides=...)", sides, 3)
    u = torch.arange(rings, dtype=torch.float64)[:, None] * (2 * math.pi / rings)
    v = torch.arange(sides, dtype=torch.float64) * (2 * math.pi / sides)
    radius = major + minor * torch.cos(v)
    points = torch.stack(
        [radius * torch.cos(u), (minor * torch.sin(v)).expand(rings, sides), radius * torch.sin(u)], -1
    )
    i, j = torch.meshgrid(torch.arange(rings), torch.arange(sides), indexing="ij")
    corner = lambda a, b: ((i + a) % rings * sides + (j + b) % sides).reshape(-1)  # noqa: E731
    one = torch.stack([corner(0, 0), corner(0, 1), corner(1, 1)], 1)
    two = torch.stack([corner(0, 0), corner(1, 1), corner(1, 0)], 1)
    return Mesh(points.reshape(-1, 3).float(), torch.cat([one, two]))


def cube(size: float = 1.0) -> Mesh:
    """A cube around the origin with 12 faces.

    Args:
        size: length of an edge.
    """
    check_positive("cube(size)", size)
    corners = torch.tensor([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=torch.float32)
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)]
    faces += [(2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    return Mesh(corners * (size / 2), torch.tensor(faces))


def plane(size: float = 1.0, cells: int = 1) -> Mesh:
    """A square around the origin in the plane y = 0, seen from above, with texture coordinates.

    Args:
        size: length of a side.
        cells: squares on a side, each of two faces.
    """
    check_positive("plane(size)", size)
    cells = check_at_least("plane(cells=...)", cells, 1)
    at = torch.linspace(0, 1, cells + 1)
    u, v = torch.meshgrid(at, at, indexing="xy")
    uv = torch.stack([u, v], -1).reshape(-1, 2)
    vertices = torch.stack([uv[:, 0] - 0.5, torch.zeros(len(uv)), 0.5 - uv[:, 1]], -1) * size
    i, j = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    first = (i * (cells + 1) + j).reshape(-1)
    one = torch.stack([first, first + 1, first + cells + 2], 1)
    two = torch.stack([first, first + cells + 2, first + cells + 1], 1)
    faces = torch.cat([one, two])
    return Mesh(vertices, faces, uv=uv[faces])
