"""Families of shapes, their pictures from all around, and their voxels."""

from typing import NamedTuple

import torch
from torch import Tensor

from algonets.data import Meshes
from algonets.render import AmbientLight, Camera, DirectionalLight, Mesh, Rasterizer, icosphere, illuminate, voxelise

__all__ = ["ELEVATION", "VEHICLES", "Family", "cameras_of", "photograph", "superquadrics", "vehicles"]

ELEVATION, DISTANCE = 25.0, 4.0
_LIGHTS = (AmbientLight(0.3), DirectionalLight((0.5, -1.0, 0.8), 0.7))
VEHICLES = ["truck-green", "truck-purple", "truck-red", "truck-yellow", "motorcycle"]


class Family(NamedTuple):
    """Pictures ``(N, V, 2, S, S)`` (brightness, silhouette) from V sides, and voxels ``(N, n, n, n)``."""

    pictures: Tensor
    voxels: Tensor


def cameras_of(azimuth: Tensor) -> Camera:
    """Cameras at azimuths in degrees, all from one height."""
    return Camera.look_at(torch.full_like(azimuth, DISTANCE), ELEVATION, azimuth)


def photograph(meshes: list[Mesh], sides: int, size: int, resolution: int) -> Family:
    """Take pictures of each mesh from all around, and fill its voxels."""
    azimuth = torch.arange(sides) * (360.0 / sides)
    pictures, voxels = [], []
    for mesh in meshes:
        faces = cameras_of(azimuth).project(mesh.vertices)[..., mesh.faces, :]
        light = illuminate(torch.ones(3), mesh.triangles().mean(1), mesh.face_normals(), _LIGHTS)[:, :1]
        colours = torch.cat([light, torch.ones_like(light)], -1).expand(sides, -1, -1)
        pictures.append(Rasterizer(size).shade(faces, colours, gamma=None).movedim(-1, 1))
        voxels.append(voxelise(mesh.vertices, mesh.faces, resolution))
    return Family(torch.stack(pictures), torch.stack(voxels))


def superquadrics(count: int, generator: torch.Generator) -> list[Mesh]:
    """Ellipsoids that are more or less like boxes, in two ways, tapered."""
    sphere = icosphere(3)
    x, y, z = sphere.vertices.unbind(1)
    up, round_ = torch.asin(y.clamp(-1, 1)), torch.atan2(z, x)
    power = lambda value, exponent: value.sign() * value.abs().pow(exponent)  # noqa: E731
    found = []
    for one, two, a, b, c, taper in torch.rand(count, 6, generator=generator).tolist():
        first, second = 0.3 + 0.9 * one, 0.3 + 0.9 * two
        flat = power(torch.cos(up), first)
        shape = torch.stack(
            [
                flat * power(torch.cos(round_), second),
                power(torch.sin(up), first),
                flat * power(torch.sin(round_), second),
            ],
            1,
        )
        shape = shape * torch.tensor([0.3 + 0.5 * a, 0.25 + 0.45 * b, 0.3 + 0.5 * c])
        narrow = 1 - 0.8 * (taper - 0.3) * shape[:, 0:1] / (0.3 + 0.5 * a) / 2
        found.append(sphere.with_vertices(torch.cat([shape[:, :1], shape[:, 1:] * narrow], 1)))
    return found


def vehicles(count: int, generator: torch.Generator, names: list[str], data_dir: str | None) -> list[Mesh]:
    """Vehicles, stretched along their axes and tapered at random."""
    stored = Meshes(names, data_dir)
    originals = [stored[k] for k in range(len(stored))]
    found = []
    for k, (a, b, c, taper) in enumerate(torch.rand(count, 4, generator=generator).tolist()):
        mesh = originals[k % len(originals)]
        shape = mesh.vertices * torch.tensor([0.75 + 0.5 * a, 0.75 + 0.5 * b, 0.65 + 0.25 * c])
        narrow = 1 + 0.5 * (taper - 0.5) * shape[:, 2:]
        found.append(mesh.with_vertices(torch.cat([shape[:, :2] * narrow, shape[:, 2:]], 1)))
    return found
