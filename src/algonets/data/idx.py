"""The IDX format of MNIST and its relatives."""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import torch

__all__ = ["read_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> torch.Tensor:
    """Read an IDX file, plain or gzipped (told by its first bytes, not by its name).

    Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit integer, and
    the values in C order, big-endian.

    Args:
        path: the file.

    Returns:
        A tensor of the shape and type that the header gives (uint8, int8, int16, int32, float32 or float64).

    Raises:
        ValueError: if the file is not IDX, breaks off, or has bytes too many.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "pair.idx"
        >>> _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 2, 5, 7]))
        >>> read_idx(path)
        tensor([5, 7], dtype=torch.uint8)
    """
    raw = Path(path).read_bytes()
    if raw[:2] == _GZIP_MAGIC:
        try:
            raw = gzip.decompress(raw)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"read_idx(path) must be a whole gzip file, got {path} ({error}).") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _DTYPES:
        magic = raw[:4].hex(" ") or "no bytes"
        raise ValueError(f"read_idx(path) must start with an IDX magic number, got {magic} in {path}.")
    dtype, start = np.dtype(_DTYPES[raw[2]]), 4 + 4 * raw[3]
    if len(raw) < start:
        raise ValueError(f"read_idx(path) must hold {raw[3]} dimensions, got {len(raw)} bytes in all in {path}.")
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", count=raw[3], offset=4))
    expected = math.prod(shape) * dtype.itemsize
    if len(raw) - start != expected:
        raise ValueError(
            f"read_idx(path) must hold {expected} bytes of values for shape {shape}, got {len(raw) - start} in {path}."
        )
    values = np.frombuffer(raw, dtype, offset=start).astype(dtype.newbyteorder("="))
    return torch.from_numpy(values.reshape(shape))
