"""Digits as patterns of signs."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from algonets.data import Digits, Mnist
from algonets.memory import as_signs

__all__ = ["Patterns", "load_patterns"]


class Patterns(NamedTuple):
    """Binarised images, no two of the stored ones alike.

    Attributes:
        stored: ``(N, n)`` signs, from the training part, in its order.
        labels: ``(N,)`` of the stored.
        unseen: ``(Q, n)`` signs, from the test part.
        unseen_labels: ``(Q,)``.
        side: of the square image.
    """

    stored: Tensor
    labels: Tensor
    unseen: Tensor
    unseen_labels: Tensor
    side: int

    @property
    def n(self) -> int:
        """Number of units."""
        return self.side**2


def load_patterns(data: Literal["digits", "mnist"], data_dir: str | None, unseen: int = 1000) -> Patterns:
    """Binarise a data set at half the grey levels: +1 is ink."""
    train, test = (Digits(), Digits(False)) if data == "digits" else (Mnist(True, data_dir), Mnist(False, data_dir))
    most = train.images.shape[-1] ** 2  # more than n are never stored

    def signs(images: Tensor) -> Tensor:
        return as_signs(images.flatten(1) > 127)

    stored, labels, seen = [], [], set()
    for row, label in zip(signs(train.images[: 2 * most]), train.labels, strict=False):
        key = bytes((row > 0).to(torch.uint8).numpy())
        if key not in seen:
            seen.add(key)
            stored.append(row)
            labels.append(label)
    return Patterns(
        torch.stack(stored)[:most],
        torch.stack(labels)[:most],
        signs(test.images[:unseen]),
        test.labels[:unseen],
        train.images.shape[-1],
    )
