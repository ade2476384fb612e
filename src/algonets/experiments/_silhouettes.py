"""What the experiments on silhouettes share: shapes, cameras, targets, laws of equal width, pictures."""

import itertools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from algonets import distributions, tconorms
from algonets.data import Meshes
from algonets.distributions import Distribution
from algonets.experiments._options import check_folder, open_folder
from algonets.render import Camera, Mesh, Rasterizer, torus
from algonets.tconorms import TConorm

__all__ = [
    "FOLDS",
    "LAWS",
    "SHAPES",
    "hard_silhouettes",
    "law_of_width",
    "load_shape",
    "make_folder",
    "ring_of_cameras",
    "save_gif",
]

LAWS: dict[str, type[Distribution]] = {law.__name__: law for law in distributions.ALL}
FOLDS: dict[str, TConorm] = {
    "Max": tconorms.Max(),
    "Probabilistic": tconorms.Probabilistic(),
    "Einstein": tconorms.Einstein(),
    "Hamacher(0)": tconorms.Hamacher(0.0),
    "Frank(2)": tconorms.Frank(2.0),
    "Yager(2)": tconorms.Yager(2.0),
    "AczelAlsina(2)": tconorms.AczelAlsina(2.0),
    "Dombi(2)": tconorms.Dombi(2.0),
    "SchweizerSklar(-2)": tconorms.SchweizerSklar(-2.0),
}
SHAPES = ("torus", "spot", "bunny", "aeroplane")
_MIDDLE = (0.25, 0.75)


def load_shape(name: str, data_dir: str | None) -> Mesh:
    """A mesh in the unit ball: the torus is generated, the others are read."""
    return torus(0.68, 0.3, 48, 24) if name == "torus" else Meshes([name], data_dir)[0]


def ring_of_cameras(count: int, elevations: tuple[float, ...], turn: float = 0.0, distance: float = 4.0) -> Camera:
    """Cameras all around, their elevations in turn."""
    azimuth = torch.arange(count) * (360.0 / count) + turn
    elevation = torch.tensor(list(itertools.islice(itertools.cycle(elevations), count)))
    return Camera.look_at(torch.full((count,), distance), elevation, azimuth)


def hard_silhouettes(mesh: Mesh, cameras: Camera, size: int) -> Tensor:
    """Exact silhouettes ``(N, size, size)`` of 0 and 1."""
    faces = cameras.project(mesh.vertices)[..., mesh.faces, :]
    return (Rasterizer(size).nearest(faces) >= 0).float()


def law_of_width(law: type[Distribution], width: float | Tensor) -> Distribution:
    """The law whose middle half is as wide as that of a logistic law of scale ``width``."""
    middle = torch.tensor(_MIDDLE, dtype=torch.float64)
    low, high = law().quantile(middle).tolist()
    first, last = distributions.Logistic().quantile(middle).tolist()
    return law(width * ((last - first) / (high - low)))


def make_folder(output: str | None, default: str) -> Path:
    """The folder of a run, or why it cannot be one."""
    check_folder(output, False, False)
    folder = Path(output or default)
    open_folder(folder)
    return folder


def save_gif(path: Path, frames: list[Any], milliseconds: int = 120) -> None:
    """Write arrays ``(H, W)`` or ``(H, W, 3)`` of bytes as an animation that stays at its end for a while."""
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    durations = [milliseconds] * (len(pictures) - 1) + [1500]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0)
