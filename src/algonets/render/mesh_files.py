"""Meshes in files: OBJ by a small reader of our own, other formats by trimesh."""

from pathlib import Path
from typing import Any

import numpy
import torch

from algonets._core.errors import require
from algonets.render.mesh import Mesh

__all__ = ["read_mesh", "write_mesh"]


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh; see :meth:`Mesh.read`."""
    path = Path(path)
    if path.suffix.lower() == ".obj":
        return _read_obj(path)
    loaded = _trimesh().load(str(path), force="mesh", process=False)
    good = getattr(loaded, "faces", None) is not None and len(loaded.faces) > 0
    require(good, "Mesh.read(path)", "must name a file with triangles", str(path))
    vertices = torch.from_numpy(numpy.asarray(loaded.vertices, dtype=numpy.float32).copy())
    return Mesh(vertices, torch.from_numpy(numpy.asarray(loaded.faces, dtype=numpy.int64).copy()))


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh; see :meth:`Mesh.write`."""
    path = Path(path)
    vertices = mesh.vertices.detach().cpu()
    require(vertices.ndim == 2, "Mesh.write", "takes a mesh without a batch", vertices)
    if path.suffix.lower() == ".obj":
        path.write_text(_obj(mesh))
        return
    _trimesh().Trimesh(vertices.numpy(), mesh.faces.cpu().numpy(), process=False).export(str(path))


def _trimesh() -> Any:
    try:
        import trimesh
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Meshes in formats other than OBJ need trimesh: pip install 'algonets[meshes]'."
        ) from error
    return trimesh


def _read_obj(path: Path) -> Mesh:
    """``v``, ``vt`` and ``f`` lines; polygons become fans, everything else is skipped."""
    vertices: list[list[float]] = []
    colours: list[list[float]] = []
    coordinates: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    corners: list[tuple[int, int, int]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words or words[0] not in ("v", "vt", "f"):
            continue
        try:
            if words[0] == "v":
                vertices.append([float(word) for word in words[1:4]])
                colours.append([float(word) for word in words[4:7]])
                if len(vertices[-1]) != 3:
                    raise ValueError("three coordinates are needed")
            elif words[0] == "vt":
                coordinates.append([float(word) for word in words[1:3]])
            else:
                parts = [word.split("/") for word in words[1:]]
                places = [_place(part[0], len(vertices)) for part in parts]
                textures = [_place(part[1], len(coordinates)) if len(part) > 1 and part[1] else -1 for part in parts]
                for k in range(1, len(places) - 1):
                    faces.append((places[0], places[k], places[k + 1]))
                    corners.append((textures[0], textures[k], textures[k + 1]))
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {number} must be a line of an OBJ file, got {line!r} ({error}).") from None
    require(len(faces) > 0, "Mesh.read(path)", "must name a file with faces", str(path))
    uv = None
    if coordinates and all(t >= 0 for corner in corners for t in corner) and all(len(c) == 2 for c in coordinates):
        uv = torch.tensor(coordinates)[torch.tensor(corners)]
    coloured = torch.tensor(colours) if all(len(colour) == 3 for colour in colours) else None
    return Mesh(torch.tensor(vertices), torch.tensor(faces), coloured, uv)


def _place(word: str, count: int) -> int:
    """OBJ counts from 1, or from the end with negative numbers."""
    index = int(word)
    index = index - 1 if index > 0 else count + index
    if not 0 <= index < count:
        raise IndexError(f"{word} is none of {count}")
    return index


def _obj(mesh: Mesh) -> str:
    lines = []
    vertices = mesh.vertices.detach().cpu().tolist()
    colours = [[]] * len(vertices) if mesh.colours is None else mesh.colours.detach().cpu().tolist()
    for vertex, colour in zip(vertices, colours, strict=True):
        lines.append("v " + " ".join(f"{value:.9g}" for value in (*vertex, *colour)))
    if mesh.uv is not None:
        lines += [f"vt {u:.9g} {v:.9g}" for u, v in mesh.uv.detach().cpu().reshape(-1, 2).tolist()]
    for k, face in enumerate(mesh.faces.cpu().tolist()):
        if mesh.uv is None:
            lines.append("f " + " ".join(str(i + 1) for i in face))
        else:
            lines.append("f " + " ".join(f"{i + 1}/{3 * k + c + 1}" for c, i in enumerate(face)))
    return "\n".join(lines) + "\n"
