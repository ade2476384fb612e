"""Labelled images as flat vectors."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from algonets.experiments import _measures
from algonets.experiments._digits import DigitData, load_digits

__all__ = ["Samples", "accuracy", "batches", "load_samples"]


class Samples(NamedTuple):
    """Images ``(N, pixels)`` in [0, 1] and labels, for training and for testing."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def load_samples(data: DigitData, data_dir: str | None, size: int | None = None) -> Samples:
    """Read the embedded digits or MNIST; ``size`` limits the training part (the first images)."""
    train, test = load_digits(data, True, data_dir, size), load_digits(data, False, data_dir)
    return Samples(train.images.flatten(1), train.labels, test.images.flatten(1), test.labels)


def batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """The indices of an epoch in random order; what is left over is dropped. Below ``size`` all are one batch."""
    order, size = torch.randperm(count, generator=generator), min(size, count)
    return list(order[: count // size * size].split(size))


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Percent right."""
    return 100 * _measures.accuracy(model, x, y)
