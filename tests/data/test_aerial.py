import numpy
import pytest
import torch

from algonets.data import AerialBuildings, DatasetCorrupt, DatasetUnavailable


@pytest.fixture
def tiny(tmp_path):
    """Four tiles of 4 x 4 pixels: two ancestors, one held out, in two zoom levels."""
    folder = tmp_path / "aerial_oam_buildings"
    folder.mkdir()
    numpy.savez(
        folder / "oam_buildings.npz",
        images=numpy.arange(4 * 48, dtype=numpy.uint8).reshape(4, 4, 4, 3),
        masks=numpy.eye(4, dtype=numpy.uint8)[None].repeat(4, 0),
        valid=numpy.ones((4, 4, 4), numpy.uint8),
        zoom=numpy.array([19, 19, 20, 20], numpy.uint8),
        tile_xyz=numpy.array([[309613, 7, 19], [309614, 7, 19], [619227, 15, 20], [619229, 15, 20]], numpy.int32),
    )
    return tmp_path


def test_tiles_are_split_by_their_ancestor(own_cache, tiny):
    for zoom, first in ((19, 0), (20, 2)):
        train, test = (AerialBuildings(part, zoom, tiny) for part in (True, False))
        assert (len(train), len(test)) == (1, 1)
        assert train.ancestors == [(309613, 7)] and test.ancestors == [(309614, 7)]
        image, mask, known = train[0]
        assert image.shape == (3, 4, 4) and mask.shape == known.shape == (1, 4, 4)
        assert image[0, 0, 0] * 255 == 48 * first % 256 and torch.equal(mask[0], torch.eye(4))
    assert "zoom=20" in repr(train)


@pytest.mark.data
def test_real_tiles(real_data):
    for zoom, counts in ((19, (5, 2)), (20, (20, 8)), (21, (80, 32))):
        train, test = (AerialBuildings(part, zoom, real_data) for part in (True, False))
        assert (len(train), len(test)) == counts
        assert not {*train.ancestors} & {*test.ancestors}
        assert train.images.shape == (counts[0], 3, 256, 256) and 0.2 < train.masks.float().mean() < 0.4


def test_missing_and_damaged(own_cache, tmp_path):
    with pytest.raises(DatasetUnavailable, match="no public copy"):
        AerialBuildings(data_dir=tmp_path)
    (tmp_path / "aerial_oam_buildings").mkdir()
    (tmp_path / "aerial_oam_buildings" / "oam_buildings.npz").write_bytes(b"PK cut")
    with pytest.raises(DatasetCorrupt, match="tiles with masks"):
        AerialBuildings(data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"zoom.*19, 20 or 21, got 18"):
        AerialBuildings(zoom=18)
