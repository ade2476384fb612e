"""CIFAR-10: small colour photographs in ten classes."""

import functools
import gzip
import os
import tarfile
import zlib
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch.utils.data import Dataset

from algonets._core.errors import require
from algonets.data._checks import check_index, check_train
from algonets.data.location import _own_folder, cache_dir, locate
from algonets.data.remote import DatasetCorrupt, DatasetUnavailable, Progress, RemoteFile

__all__ = ["Cifar10", "CifarForm", "decode_jpeg_blocks"]

CifarForm = Literal["original", "jpeg"]

_ARCHIVE = RemoteFile(
    path="cifar10/cifar-10-binary.tar.gz",  # rather than the Python archive: nothing to unpickle
    urls=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    size=170052171,
)
_RECORD = 1 + 3 * 32 * 32
_BLOCKS = 24  # of an image: 4 x 4 luma, 2 x 2 of each chroma channel
_AT_ONCE = 5000


class _Images(NamedTuple):
    """``images (N, 3, 32, 32)`` uint8 and ``labels (N,)`` int64."""

    images: torch.Tensor
    labels: torch.Tensor


class Cifar10(Dataset[tuple[torch.Tensor, int]]):
    """50,000 training and 10,000 test colour photographs of ten classes, 32 x 32.

    An item is ``(image, label)``: float32 ``(3, 32, 32)`` in [0, 1] (red, green, blue) and an ``int`` from 0 to 9.

    Args:
        train: the training part, or the test part.
        form: ``"original"`` reads the public binary archive. ``"jpeg"`` reads the same pictures after a lossy JPEG
            compression (quality 75, 4:2:0; about 30 dB), from ``cifar10/cifar10_jpegq75_<part>_dct.npz``, which is
            not published and never downloaded. Its accuracies are not those of the original to the last point, and
            its test part is in another order from image 1,000 on, by class.
        data_dir: folder that holds the files in ``cifar10/``; default ``$ALGONETS_DATA``, else the cache.
        progress: called as ``progress(done_bytes, total_bytes)`` while downloading.

    Attributes:
        images: uint8 ``(N, 3, 32, 32)``; shared by all datasets of a process, do not write into it.
        labels: int64 ``(N,)``.
        classes: the names of the labels.

    Raises:
        ValueError: if ``form`` is unknown.
        DatasetUnavailable: if a file is missing, damaged, or could not be fetched.

    Terms:
        The author states no licence and asks for the citation below. Not shipped with algonets.

    Cost:
        The training part takes 154 MB, kept for the next use in the process, and a few seconds once.

    References:
        A. Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images, University of Toronto.

    Example:
        >>> image, label = Cifar10(train=False)[0]  # doctest: +SKIP
        >>> image.shape, Cifar10.classes[label]  # doctest: +SKIP
        (torch.Size([3, 32, 32]), 'cat')
    """

    num_classes = 10
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(
        self,
        train: bool = True,
        form: CifarForm = "original",
        data_dir: str | os.PathLike[str] | None = None,
        *,
        progress: Progress | None = None,
    ):
        self.train = check_train("Cifar10", train)
        forms = get_args(CifarForm)
        require(form in forms, "Cifar10(form=...)", f"must be one of {', '.join(forms)}", form)
        self.form: CifarForm = form
        if form == "jpeg":
            self.images, self.labels = _read_jpeg(_find_jpeg(train, data_dir))
        else:
            self.images, self.labels = _read_archive(locate(_ARCHIVE, data_dir, progress=progress), train)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        i = check_index("Cifar10", index, len(self))
        return self.images[i].to(torch.float32) / 255, int(self.labels[i])

    def __repr__(self) -> str:
        return f"Cifar10(train={self.train}, form={self.form!r}): {len(self)} images"


@functools.lru_cache(maxsize=2)
def _read_archive(path: Path, train: bool) -> _Images:
    wanted = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                if name in wanted and (file := archive.extractfile(member)) is not None:
                    found[name] = file.read()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetCorrupt(f"{path} must be the archive of CIFAR-10, but could not be read ({error}).") from error
    for name in wanted:
        if len(found.get(name, b"")) % _RECORD or not found.get(name):
            raise DatasetCorrupt(f"{path} must hold {name} with records of {_RECORD} bytes. Delete it, fetch it again.")
    records = np.frombuffer(b"".join(found[name] for name in wanted), np.uint8).reshape(-1, _RECORD)
    images = np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
    return _Images(torch.from_numpy(images), torch.from_numpy(records[:, 0].astype(np.int64)))


def _find_jpeg(train: bool, data_dir: str | os.PathLike[str] | None) -> Path:
    name = f"cifar10/cifar10_jpegq75_{'train' if train else 'test'}_dct.npz"
    folders = [folder for folder in (_own_folder(data_dir), cache_dir()) if folder is not None]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " and ".join(map(str, folders))
    raise DatasetUnavailable(
        f"{name} was not found in {looked}. This form is not published: take form='original' (--data cifar10 on the "
        "command line), or name a folder that has it with data_dir (--data-dir) or $ALGONETS_DATA."
    )


@functools.lru_cache(maxsize=2)
def _read_jpeg(path: Path) -> _Images:
    try:
        with np.load(path, allow_pickle=False) as content:
            coefficients, tables, labels = content["coef"], content["qt"], content["labels"]
    except (OSError, ValueError, KeyError, zlib.error) as error:
        raise DatasetCorrupt(
            f"{path} must be npz with coef, qt and labels, but could not be read ({error})."
        ) from error
    images = np.concatenate(
        [
            decode_jpeg_blocks(coefficients[:, first : first + _AT_ONCE], tables)
            for first in range(0, coefficients.shape[1], _AT_ONCE)
        ]
    )
    return _Images(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def decode_jpeg_blocks(coefficients: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Decode 32 x 32 images from the quantised DCT coefficients of 4:2:0 JPEG files.

    ``block = D^T (c * q) D + 128`` with the orthonormal 8-point DCT-II matrix ``D``; chroma is enlarged twice, linear
    between pixel centres; then the usual colour rotation. Each stage is rounded and clipped to 0 .. 255.

    Args:
        coefficients: ``(64, N, 24)`` integers: frequency ``8 u + v``, image, and block: 4 x 4 luma row by row, then
            2 x 2 blue-difference and 2 x 2 red-difference chroma.
        tables: ``(2, 8, 8)`` integers, the quantisation steps of luma and chroma.

    Returns:
        ``(N, 3, 32, 32)`` uint8: red, green, blue.

    Raises:
        ValueError: if a shape is another.

    Cost: O(N), about 0.1 ms an image.
    References: ITU-T T.81 (1992), A.3.3; JFIF 1.02 (1992).

    Example:
        >>> grey = decode_jpeg_blocks(np.zeros((64, 1, 24), np.int16), np.ones((2, 8, 8), np.int16))
        >>> grey.shape, int(grey.min()), int(grey.max())
        ((1, 3, 32, 32), 128, 128)
    """
    good = coefficients.ndim == 3 and coefficients.shape[0] == 64 and coefficients.shape[2] == _BLOCKS
    require(good, "decode_jpeg_blocks(coefficients)", "must have shape (64, N, 24)", coefficients.shape)
    require(tables.shape == (2, 8, 8), "decode_jpeg_blocks(tables)", "must have shape (2, 8, 8)", tables.shape)
    count = coefficients.shape[1]
    steps = np.repeat(tables.astype(np.float32), [16, 8], axis=0).reshape(_BLOCKS, 64)
    scaled = coefficients.transpose(1, 2, 0).astype(np.float32) * steps
    dct = _dct_matrix()
    blocks = dct.T @ scaled.reshape(count, _BLOCKS, 8, 8) @ dct + 128
    blocks = _to_levels(blocks)
    luma = _tile(blocks[:, :16], 4)
    blue, red = (_enlarge(_tile(part, 2)) - 128 for part in (blocks[:, 16:20], blocks[:, 20:]))
    channels = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return _to_levels(np.stack(channels, 1)).astype(np.uint8)


def _dct_matrix() -> np.ndarray:
    u, x = np.mgrid[:8, :8]
    matrix = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _to_levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255)


def _tile(blocks: np.ndarray, side: int) -> np.ndarray:
    """Lay ``(N, side^2, 8, 8)`` blocks out as ``(N, 8 side, 8 side)``."""
    rows = blocks.reshape(-1, side, side, 8, 8).transpose(0, 1, 3, 2, 4)
    return rows.reshape(-1, 8 * side, 8 * side)


def _enlarge(image: np.ndarray) -> np.ndarray:
    """Double both sides: each new pixel is 3/4 of the nearest old one and 1/4 of the next, edges repeated."""
    for axis in (1, 2):
        last = image.shape[axis] - 1
        before = np.take(image, [0, *range(last)], axis)
        after = np.take(image, [*range(1, last + 1), last], axis)
        pair = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis + 1)
        image = pair.reshape(*image.shape[:axis], 2 * image.shape[axis], *image.shape[axis + 1 :])
    return _to_levels(image)
