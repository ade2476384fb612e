"""Aerial photographs with masks of buildings."""

import os
import zipfile

import numpy
import torch
from torch import Tensor
from torch.utils.data import Dataset

from algonets._core.errors import require
from algonets.data._checks import check_index, check_train
from algonets.data.location import find
from algonets.data.remote import DatasetCorrupt

__all__ = ["AerialBuildings"]

_PATH = "aerial_oam_buildings/oam_buildings.npz"
_HELD_OUT_COLUMN = 309614  # the easternmost tiles of zoom 19, two of seven: they touch the others along one side


class AerialBuildings(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """147 tiles of OpenAerialMap with buildings of OpenStreetMap, Kampala, in three zoom levels.

    An item is ``(image, mask, known)``: float32 ``(3, 256, 256)`` in [0, 1]; float32 ``(1, 256, 256)``, 1 on a
    building; float32 ``(1, 256, 256)``, 0 where the photograph has no data. Masks were rasterised from hand-drawn
    outlines: some buildings are missing or shifted by some pixels.

    The zoom levels show the same ground, so tiles are split by their ancestor of zoom 19: five for training, the two
    easternmost for the test. No ground is in both parts.

    Args:
        train: the training or the test part.
        zoom: 19 (a pixel is about 0.3 m; 5 and 2 tiles), 20 (20 and 8) or 21 (80 and 32).
        data_dir: folder that holds ``aerial_oam_buildings/oam_buildings.npz``; default ``$ALGONETS_DATA``, else the
            cache. There is no public copy of this file to download: it is assembled from the tiles and outlines of
            the reference.

    Attributes:
        images: uint8 ``(N, 3, 256, 256)``.
        masks: uint8 ``(N, 256, 256)``.
        known: uint8 ``(N, 256, 256)``.
        ancestors: ``(x, y)`` of each tile's ancestor of zoom 19.

    Raises:
        TypeError: if ``train`` is no bool.
        ValueError: if ``zoom`` is none of the three.
        DatasetUnavailable: if the file is missing.
        DatasetCorrupt: if it is damaged.

    Terms:
        Imagery of OpenAerialMap, CC BY 4.0; outlines of OpenStreetMap contributors, ODbL. Not shipped.

    Cost:
        About 0.3 s and 50 MB.

    References:
        Humanitarian OpenStreetMap Team, fAIr-utilities, ramp-data/sample_2.

    Example:
        >>> image, mask, known = AerialBuildings()[0]  # doctest: +SKIP
        >>> image.shape, mask.shape  # doctest: +SKIP
        (torch.Size([3, 256, 256]), torch.Size([1, 256, 256]))
    """

    def __init__(self, train: bool = True, zoom: int = 19, data_dir: str | os.PathLike[str] | None = None):
        self.train, self.zoom = check_train("AerialBuildings", train), zoom
        require(zoom in (19, 20, 21), "AerialBuildings(zoom)", "must be 19, 20 or 21", zoom)
        path = find(_PATH, data_dir)
        try:
            with numpy.load(path) as file:
                kept = file["zoom"] == zoom
                tiles, images = file["tile_xyz"][kept], file["images"][kept]
                masks, known = file["masks"][kept], file["valid"][kept]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DatasetCorrupt(f"{path} must hold tiles with masks, but could not be read ({error}).") from error
        ancestors = [(int(x) >> (zoom - 19), int(y) >> (zoom - 19)) for x, y, _ in tiles]
        part = [i for i, (x, _) in enumerate(ancestors) if (x != _HELD_OUT_COLUMN) == train]
        self.ancestors = [ancestors[i] for i in part]
        self.images = torch.from_numpy(images[part]).movedim(-1, 1).contiguous()
        self.masks, self.known = torch.from_numpy(masks[part]), torch.from_numpy(known[part])

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        i = check_index("AerialBuildings", index, len(self))
        return self.images[i].float() / 255, self.masks[i][None].float(), self.known[i][None].float()

    def __repr__(self) -> str:
        return f"AerialBuildings(train={self.train}, zoom={self.zoom}): {len(self)} tiles"
