import gzip
import struct

import numpy as np
import pytest
import torch

from algonets.data import read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(values: np.ndarray, code: int) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape) + values.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", CODES)
def test_round_trip(tmp_path, dtype, packed):
    values = (np.arange(24).reshape(2, 3, 4) * 5 - (40 if dtype != "u1" else 0)).astype(dtype)
    raw = idx(values, CODES[dtype])
    path = tmp_path / "values"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    read = read_idx(path)
    assert read.equal(torch.from_numpy(values.astype(values.dtype.newbyteorder("="))))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_scalar_and_empty(tmp_path, shape):
    (tmp_path / "v").write_bytes(idx(np.ones(shape, "u1"), 0x08))
    assert read_idx(tmp_path / "v").shape == shape


GOOD = idx(np.arange(6, dtype="u1").reshape(2, 3), 0x08)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "magic number, got no bytes"),
        (b"\0\0\x08", "magic"),
        (b"PNG." + GOOD, "magic number, got 50 4e 47 2e"),
        (b"\0\0\x07\x01" + GOOD[4:], "magic"),
        (GOOD[:7], "2 dimensions"),
        (GOOD[:-1], "6 bytes of values"),
        (GOOD + b"x", "6 bytes of values"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "bytes of values"),
        (gzip.compress(GOOD, mtime=0)[:-9], "gzip"),
        (gzip.compress(GOOD, mtime=0)[:12] + b"??????????" + gzip.compress(GOOD, mtime=0)[22:], "gzip"),
    ],
)
def test_rejects(tmp_path, raw, message):
    (tmp_path / "v").write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "v")
