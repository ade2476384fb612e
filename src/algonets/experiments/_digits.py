"""Digits for the experiments: embedded ones or MNIST, as float images."""

import os
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from algonets.data import Digits, Mnist

__all__ = ["DigitData", "Images", "load_digits"]

DigitData = Literal["digits", "mnist"]


class Images(NamedTuple):
    """Images ``(N, 1, H, W)`` in [0, 1] and labels ``(N,)``."""

    images: Tensor
    labels: Tensor


def load_digits(
    data: DigitData, train: bool, data_dir: str | os.PathLike[str] | None, size: int | None = None
) -> Images:
    """Return the training or the test part, the first ``size`` of it."""
    source = Digits(train) if data == "digits" else Mnist(train, data_dir)
    return Images(source.images[:size, None].to(torch.float32) / 255, source.labels[:size])
