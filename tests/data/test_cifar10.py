"""CIFAR-10: the public archive from a made-up one, the JPEG form against real pictures and a slow decoder."""

import io
import math
import tarfile

import numpy as np
import pytest
import torch

from algonets.data import Cifar10, DatasetCorrupt, DatasetUnavailable
from algonets.data.cifar10 import _read_archive, decode_jpeg_blocks


def archive(path, batches: dict[str, bytes]):
    with tarfile.open(path, "w:gz") as file:
        for name, content in batches.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def test_the_binary_archive(tmp_path):
    generator = np.random.default_rng(0)
    records = generator.integers(0, 256, (12, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    batches = {f"data_batch_{i}.bin": records[2 * i - 2 : 2 * i].tobytes() for i in (3, 1, 2, 5, 4)}
    path = archive(tmp_path / "a.tar.gz", {**batches, "test_batch.bin": records[10:].tobytes()})
    images, labels = _read_archive(path, True)
    assert images.shape == (10, 3, 32, 32) and images.dtype == torch.uint8
    assert labels.tolist() == records[:10, 0].tolist()
    assert images.flatten(1).numpy().tobytes() == records[:10, 1:].tobytes()
    assert _read_archive(path, False).labels.tolist() == records[10:, 0].tolist()
    with pytest.raises(DatasetCorrupt, match=r"data_batch_1\.bin"):
        _read_archive(archive(tmp_path / "b.tar.gz", {"data_batch_1.bin": b"12"}), True)
    (tmp_path / "c.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DatasetCorrupt, match="could not be read"):
        _read_archive(tmp_path / "c.tar.gz", True)


def slow_decoder(coefficients: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """One picture, sample by sample, straight from the formulas."""

    def block(values: np.ndarray) -> np.ndarray:
        out = np.zeros((8, 8))
        for y in range(8):
            for x in range(8):
                for u in range(8):
                    for v in range(8):
                        scale = (math.sqrt(0.5) if u == 0 else 1) * (math.sqrt(0.5) if v == 0 else 1) / 4
                        waves = math.cos((2 * y + 1) * u * math.pi / 16) * math.cos((2 * x + 1) * v * math.pi / 16)
                        out[y, x] += scale * values[8 * u + v] * waves
        return np.clip(np.round(out + 128), 0, 255)

    luma, chroma = np.zeros((32, 32)), np.zeros((2, 16, 16))
    for b in range(16):
        y, x = 8 * (b // 4), 8 * (b % 4)
        luma[y : y + 8, x : x + 8] = block(coefficients[:, b] * tables[0].ravel())
    for b in range(8):
        y, x = 8 * (b % 4 // 2), 8 * (b % 2)
        chroma[b // 4, y : y + 8, x : x + 8] = block(coefficients[:, 16 + b] * tables[1].ravel())
    picture = np.zeros((3, 32, 32))
    for y in range(32):
        for x in range(32):
            colors = []
            for c in range(2):
                total = 0.0
                for dy, wy in ((0, 0.75), (1 if y % 2 else -1, 0.25)):
                    for dx, wx in ((0, 0.75), (1 if x % 2 else -1, 0.25)):
                        row, column = min(max(y // 2 + dy, 0), 15), min(max(x // 2 + dx, 0), 15)
                        total += wy * wx * chroma[c, row, column]
                colors.append(np.clip(np.round(total), 0, 255) - 128)
            blue, red = colors
            light = luma[y, x]
            picture[:, y, x] = light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue
    return np.clip(np.round(picture), 0, 255)


def test_blocks_against_a_slow_decoder():
    generator = np.random.default_rng(0)
    coefficients = (generator.normal(size=(64, 2, 24)) * np.linspace(9, 0, 64)[:, None, None]).astype(np.int16)
    tables = generator.integers(5, 20, (2, 8, 8)).astype(np.int16)
    fast = decode_jpeg_blocks(coefficients, tables)
    for i in range(2):
        difference = np.abs(fast[i].astype(float) - slow_decoder(coefficients[:, i], tables))
        assert difference.max() <= 2 and (difference > 0).mean() < 0.01  # float32: a half may round the other way


def test_wrong_arguments(own_cache, tmp_path):
    with pytest.raises(ValueError, match="original, jpeg"):
        Cifar10(form="png")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="True or False"):
        Cifar10("test")  # type: ignore[arg-type]
    with pytest.raises(DatasetUnavailable, match="form='original'"):
        Cifar10(form="jpeg", data_dir=tmp_path)
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "cifar10_jpegq75_test_dct.npz").write_bytes(b"no zip")
    with pytest.raises(DatasetCorrupt, match="could not be read"):
        Cifar10(False, "jpeg", tmp_path)
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"cut")
    with pytest.raises(DatasetCorrupt, match="170052171 bytes, got 3 bytes"):
        Cifar10(False, data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"\(64, N, 24\)"):
        decode_jpeg_blocks(np.zeros((64, 24)), np.zeros((2, 8, 8)))


@pytest.mark.data
def test_real_pictures(real_data):
    """Against the pictures without loss: the labels agree, and the error is that of the compression."""
    folder = real_data / "cifar10"
    if not (folder / "cifar10_lossless_subset.npz").exists():
        pytest.skip("no pictures without loss here")
    test = Cifar10(False, "jpeg", real_data)
    assert len(test) == 10_000 and test.labels.bincount().tolist() == [1000] * 10
    with np.load(folder / "cifar10_lossless_subset.npz") as truth:
        pictures, labels = truth["test_images"].transpose(0, 3, 1, 2).astype(float), truth["test_labels"]
    assert labels.tolist() == test.labels[:1000].tolist()
    error = pictures - test.images[:1000].numpy()
    assert 10 * math.log10(255**2 / (error**2).mean()) == pytest.approx(30.0, abs=0.1)
    image, label = test[0]
    assert image.shape == (3, 32, 32) and image.max() <= 1 and Cifar10.classes[label] == "cat"
    assert "10000" in repr(test)
