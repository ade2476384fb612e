import pickle

import pytest
import torch

from algonets.data import DatasetCorrupt, DatasetUnavailable, Mnist


@pytest.mark.data
@pytest.mark.parametrize(
    ("train", "histogram"),
    [
        (True, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (False, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_real_files(real_data, train, histogram):
    digits = Mnist(train, data_dir=real_data)
    assert len(digits) == sum(histogram)
    assert digits.images.shape == (len(digits), 28, 28)
    assert digits.images.dtype == torch.uint8
    assert digits.labels.bincount().tolist() == histogram
    image, label = digits[0]
    assert image.shape == (1, 28, 28)
    assert (image.dtype, type(label), label) == (torch.float32, int, 5 if train else 7)
    assert 0.99 < float(image.max()) <= 1.0
    assert digits[-1][1] == int(digits.labels[-1])
    assert str(len(digits)) in repr(digits)
    with pytest.raises(IndexError):
        digits[len(digits)]


@pytest.mark.data
def test_pickle(real_data):
    digits = Mnist(False, data_dir=real_data)
    assert pickle.loads(pickle.dumps(digits))[3][0].equal(digits[3][0])


def test_missing_and_damaged(own_cache, tmp_path):
    with pytest.raises(DatasetUnavailable, match="existing directory"):
        Mnist(data_dir=tmp_path / "nowhere")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b cut")
    with pytest.raises(DatasetCorrupt, match="1648877 bytes, got 6 bytes"):
        Mnist(train=False, data_dir=tmp_path)
    with pytest.raises(TypeError, match="True or False"):
        Mnist("test")  # type: ignore[arg-type]
