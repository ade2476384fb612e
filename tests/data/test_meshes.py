"""Meshes of files."""

import os
from pathlib import Path

import numpy
import pytest
import torch

from algonets.data import DatasetCorrupt, DatasetUnavailable, Meshes, soft_ras_views
from algonets.render import icosphere

DATA = Path(os.environ.get("ALGONETS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def test_made_up_files(tmp_path):
    folder = tmp_path / "meshes" / "softras"
    folder.mkdir(parents=True)
    icosphere(1).with_vertices(icosphere(1).vertices * 5 + 1).write(folder.parent / "spot.obj")
    (folder / "plane.obj").write_text("v 0 0 0\n")
    found = Meshes(["spot"], tmp_path)
    assert len(found) == 1 and found[0].vertices.norm(dim=1).max().item() == pytest.approx(1.0)
    with pytest.raises(DatasetCorrupt, match=r"plane\.obj"):
        Meshes(["aeroplane"], tmp_path)[0]
    with pytest.raises(DatasetUnavailable, match=r"bunny\.off"):
        Meshes(["bunny"], tmp_path)
    with pytest.raises(ValueError, match="names of"):
        Meshes(["teapot"], tmp_path)
    numpy.save(folder / "source.npy", numpy.full((2, 4, 64, 64), 255, dtype=numpy.uint8))
    numpy.save(folder / "camera.npy", numpy.ones((2, 3)))
    views = soft_ras_views(tmp_path)
    assert (
        views.silhouettes.shape == (2, 64, 64) and views.silhouettes.min() == 1 and views.cameras.dtype == torch.float32
    )
    (folder / "camera.npy").write_bytes(b"no")
    with pytest.raises(DatasetCorrupt, match="arrays"):
        soft_ras_views(tmp_path)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "meshes").is_dir(), reason="no meshes here")
def test_real_files():
    pytest.importorskip("trimesh")
    meshes = Meshes(data_dir=DATA)
    assert [len(mesh.faces) for mesh in meshes][:3] == [5856, 6966, 2700]
    assert soft_ras_views(DATA).silhouettes.shape == (120, 64, 64)
