"""Triangle meshes: spot, the Stanford bunny, vehicles, and the renderings of the Soft Rasterizer's demonstration."""

import os
from typing import NamedTuple

import numpy
import torch
from torch import Tensor
from torch.utils.data import Dataset

from algonets._core.errors import require
from algonets.data._checks import check_index
from algonets.data.location import find
from algonets.data.remote import DatasetCorrupt
from algonets.render import Mesh

__all__ = ["MeshViews", "Meshes", "soft_ras_views"]

_FILES = {
    "spot": "spot.obj",
    "bunny": "bunny.off",
    "aeroplane": "softras/plane.obj",
    "sphere_642": "softras/sphere_642.obj",
    "sphere_1352": "softras/sphere_1352.obj",
    "motorcycle": "kenney/vehicle-motorcycle.obj",
    "truck-green": "kenney/vehicle-truck-green.obj",
    "truck-purple": "kenney/vehicle-truck-purple.obj",
    "truck-red": "kenney/vehicle-truck-red.obj",
    "truck-yellow": "kenney/vehicle-truck-yellow.obj",
}


class Meshes(Dataset[Mesh]):
    """Meshes of a few things, centred, in the unit ball.

    An item is a :class:`algonets.render.Mesh`. ``spot``, ``bunny``, ``aeroplane`` and the spheres are closed; the
    vehicles have many overlapping parts.

    Args:
        names: which, of ``Meshes.NAMES``; all by default.
        data_dir: folder that holds ``meshes``; default ``$ALGONETS_DATA``, else the cache. There is no single public
            copy to download: the files come from the addresses of the references.

    Raises:
        ValueError: if a name is unknown.
        DatasetUnavailable: if a file is missing.
        DatasetCorrupt: if it does not hold a mesh.

    Terms:
        Spot: Keenan Crane, CC0. Vehicles: Kenney, CC0. Bunny: Stanford 3D Scanning Repository, free with credit. The
        aeroplane stems from ShapeNet (research). Not shipped.

    References:
        github.com/alecjacobson/common-3d-test-models, libigl/libigl-tutorial-data, ShichenLiu/SoftRas,
        KenneyNL/Starter-Kit-Racing.

    Example:
        >>> Meshes(["spot"])[0]  # doctest: +SKIP
        Mesh(2930 vertices, 5856 faces)
    """

    NAMES: tuple[str, ...] = tuple(_FILES)

    def __init__(self, names: list[str] | None = None, data_dir: str | os.PathLike[str] | None = None):
        self.names = list(_FILES) if names is None else list(names)
        for name in self.names:
            require(name in _FILES, "Meshes(names)", f"must hold names of {', '.join(_FILES)}", name)
        self._paths = [find(f"meshes/{_FILES[name]}", data_dir) for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Mesh:
        path = self._paths[check_index("Meshes", index, len(self))]
        try:
            return Mesh.read(path).normalised()
        except ValueError as error:
            raise DatasetCorrupt(f"{path} must hold a mesh, but could not be read ({error}).") from error

    def __repr__(self) -> str:
        return f"Meshes({self.names})"


class MeshViews(NamedTuple):
    """Silhouettes ``(N, 64, 64)`` in [0, 1], and the distances, elevations and azimuths (degrees) of their cameras."""

    silhouettes: Tensor
    cameras: Tensor


def soft_ras_views(data_dir: str | os.PathLike[str] | None = None) -> MeshViews:
    """The 120 views of one aeroplane in the Soft Rasterizer's demonstration; the field of view is 30 degrees.

    Raises:
        DatasetUnavailable: if a file is missing.
        DatasetCorrupt: if it cannot be read.
    """
    images, cameras = (find(f"meshes/softras/{name}.npy", data_dir) for name in ("source", "camera"))
    try:
        pixels, poses = numpy.load(images), numpy.load(cameras)
    except (OSError, ValueError) as error:
        raise DatasetCorrupt(f"{images} and {cameras} must hold arrays, but could not be read ({error}).") from error
    return MeshViews(torch.from_numpy(pixels[:, 3].copy()).float() / 255, torch.from_numpy(poses.copy()).float())
