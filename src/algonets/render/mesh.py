"""Triangle meshes."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_finite, check_floating
from algonets._core.errors import reject_type, require

__all__ = ["Mesh", "pack"]


@final
class Mesh:
    """Vertices, and triangles of them.

    Args:
        vertices: ``(*batch, V, 3)``, floating; a batch shares the faces.
        faces: ``(F, 3)`` integers in [0, V), anticlockwise seen from outside.
        colours: ``(V, C)`` or ``(*batch, V, C)``, one for each vertex, or None.
        uv: texture coordinates ``(F, 3, 2)`` of the corners, u to the right, v up, in [0, 1], or None.

    Raises:
        TypeError: if ``vertices`` is not floating, or ``faces`` are no integers.
        ValueError: if shapes do not fit, vertices are not finite, or a face names a vertex that is not there.

    Example:
        >>> from algonets.render import icosphere
        >>> icosphere(1)
        Mesh(42 vertices, 80 faces)
        >>> icosphere(1).triangles().shape
        torch.Size([80, 3, 3])
    """

    def __init__(self, vertices: Tensor, faces: Tensor, colours: Tensor | None = None, uv: Tensor | None = None):
        self.vertices = check_vertices("Mesh(vertices)", vertices)
        self.faces = check_faces("Mesh(faces)", faces, vertices.shape[-2])
        if colours is not None:
            good = colours.ndim >= 2 and colours.shape[-2] == vertices.shape[-2]
            require(good, "Mesh(colours=...)", "must be (*batch, V, C)", colours)
        if uv is not None:
            require(uv.shape == (len(faces), 3, 2), "Mesh(uv=...)", f"must be ({len(faces)}, 3, 2)", uv)
        self.colours, self.uv = colours, uv

    @classmethod
    def read(cls, path: str | Path) -> "Mesh":
        """Read a file: OBJ by a small reader of our own; OFF, PLY and others by trimesh.

        Raises:
            ValueError: if the file does not hold a mesh.
            ModuleNotFoundError: if trimesh is needed and missing.
        """
        from algonets.render.mesh_files import read_mesh

        return read_mesh(path)

    def write(self, path: str | Path) -> None:
        """Write a file in the format of its suffix: ``.obj``, or ``.off``, ``.ply`` and others by trimesh."""
        from algonets.render.mesh_files import write_mesh

        write_mesh(self, path)

    def triangles(self, values: Tensor | None = None) -> Tensor:
        """``(*batch, F, 3, ...)``: the vertices of each face, or other values ``(*batch, V, k)`` at them."""
        return (self.vertices if values is None else values)[..., self.faces, :]

    def with_vertices(self, vertices: Tensor) -> "Mesh":
        """The same faces on other vertices."""
        return Mesh(vertices, self.faces, self.colours, self.uv)

    def normalised(self, radius: float = 1.0) -> "Mesh":
        """Centred on its bounding box and scaled so that no vertex is farther from the origin than ``radius``."""
        low, high = self.vertices.amin(-2, keepdim=True), self.vertices.amax(-2, keepdim=True)
        centred = self.vertices - (low + high) / 2
        size = centred.norm(dim=-1).amax(-1)[..., None, None]
        return self.with_vertices(centred * (radius / size.clamp_min(torch.finfo(size.dtype).tiny)))

    def face_normals(self) -> Tensor:
        """Unit normals ``(*batch, F, 3)``, outward for anticlockwise faces; 0 for faces without area."""
        return face_normals(self.vertices, self.faces)

    def vertex_normals(self) -> Tensor:
        """Unit normals ``(*batch, V, 3)``: sums over the faces around, weighted by their areas."""
        corners = self.triangles()
        areas = torch.linalg.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
        total = torch.zeros_like(self.vertices)
        for k in range(3):
            total = total.index_add(-2, self.faces[:, k], areas)
        return _unit(total)

    @cached_property
    def edges(self) -> Tensor:
        """``(E, 2)``: each edge once, the smaller vertex first."""
        return edges_of(self.faces)

    def to(self, *arguments: Any, **options: Any) -> "Mesh":
        """Another dtype or device, as of ``Tensor.to``; faces stay integers."""
        moved = self.vertices.to(*arguments, **options)
        colours, uv = (None if t is None else t.to(moved) for t in (self.colours, self.uv))
        return Mesh(moved, self.faces.to(moved.device), colours, uv)

    def __repr__(self) -> str:
        batch = f"batch {tuple(self.vertices.shape[:-2])}, " if self.vertices.ndim > 2 else ""
        return f"Mesh({batch}{self.vertices.shape[-2]} vertices, {len(self.faces)} faces)"


def pack(triangles: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Join triangles of meshes of different size.

    Args:
        triangles: tensors ``(F_m, 3, k)``.

    Returns:
        ``(sum F_m, 3, k)``, and the offsets ``(M + 1)`` that :class:`Rasterizer` takes with them.

    Example:
        >>> from algonets.render import cube, icosphere
        >>> faces, offsets = pack([cube().triangles(), icosphere(0).triangles()])
        >>> faces.shape, offsets
        (torch.Size([32, 3, 3]), tensor([ 0, 12, 32]))
    """
    parts = list(triangles)
    require(len(parts) > 0, "pack(triangles)", "must hold at least one tensor", parts)
    for part in parts:
        good = check_floating("pack(triangles)", part).ndim == 3 and part.shape[1] == 3
        require(good, "pack(triangles)", "must hold tensors (F, 3, k)", part)
    counts = torch.tensor([0, *(len(part) for part in parts)])
    return torch.cat(parts), counts.cumsum(0)


def check_vertices(call: str, vertices: Any) -> Tensor:
    """Require finite ``(*batch, V, 3)``."""
    vertices = check_floating(call, vertices)
    require(vertices.ndim >= 2 and vertices.shape[-1] == 3, call, "must be (*batch, V, 3)", vertices)
    check_finite(call, vertices)
    return vertices


def check_faces(call: str, faces: Any, count: int) -> Tensor:
    """Require ``(F, 3)`` numbers of vertices; as int64."""
    if not isinstance(faces, Tensor) or faces.dtype.is_floating_point or faces.dtype in (torch.bool, torch.complex64):
        reject_type(call, "must be a tensor of integers", faces, "Use .long().")
    require(faces.ndim == 2 and faces.shape[1] == 3, call, "must be (F, 3)", faces)
    faces = faces.long()
    if faces.numel():
        low, high = int(faces.min()), int(faces.max())
        require(low >= 0 and high < count, call, f"must name vertices from 0 to {count - 1}", f"{low} to {high}")
    return faces


def edges_of(faces: Tensor) -> Tensor:
    """Each edge once."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return torch.unique(pairs.sort(1).values, dim=0)


def neighbours_of(faces: Tensor) -> Tensor:
    """``(K, 2)``: faces that share an edge (of an edge of more than two faces, each with the next)."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    which = torch.unique(pairs, dim=0, return_inverse=True)[1]
    order = torch.argsort(which, stable=True)
    of = torch.arange(len(faces), device=faces.device).repeat(3)[order]
    same = which[order][1:] == which[order][:-1]
    return torch.stack([of[:-1][same], of[1:][same]], 1)


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals; 0 without area."""
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    return _unit(torch.linalg.cross(b - a, c - a))


def _unit(vectors: Tensor) -> Tensor:
    squares = vectors.square().sum(-1, keepdim=True)
    some = squares > 0
    return torch.where(some, vectors * squares.where(some, 1.0).rsqrt(), 0.0)
