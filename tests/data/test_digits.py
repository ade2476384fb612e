import pickle

import pytest
import torch

from algonets.data import Digits


def test_parts():
    train, test = Digits(), Digits(False)
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.shape == (1437, 8, 8) and train.images.dtype == torch.uint8
    assert (int(train.images.min()), int(train.images.max())) == (0, 255)
    assert test.labels.bincount().tolist() == [35, 36, 35, 37, 37, 37, 37, 36, 33, 37]
    keys = {image.numpy().tobytes() for image in train.images}
    assert not any(image.numpy().tobytes() in keys for image in test.images), "a test image is in training"


def test_items():
    digits = Digits(False)
    image, label = digits[-1]
    assert image.shape == (1, 8, 8) and image.dtype == torch.float32 and image.min() >= 0 and image.max() <= 1
    assert label == int(digits.labels[-1])
    assert pickle.loads(pickle.dumps(digits))[3][0].equal(digits[3][0])
    assert "360" in repr(digits)
    with pytest.raises(IndexError):
        digits[360]
    with pytest.raises(TypeError, match="True or False"):
        Digits("test")  # type: ignore[arg-type]
