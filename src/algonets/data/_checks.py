"""Checks of arguments that the datasets share."""

import operator
from typing import SupportsIndex

from algonets._core.errors import reject_type

__all__ = ["check_index", "check_train"]


def check_train(name: str, train: bool) -> bool:
    """Reject ``train="test"`` and the like, which would silently mean the training part."""
    if not isinstance(train, bool):
        reject_type(f"{name}(train=...)", "must be True or False", train)
    return train


def check_index(name: str, index: SupportsIndex, length: int) -> int:
    """Return the index from 0 to ``length - 1``; negative ones count from the end."""
    i = operator.index(index)
    if not -length <= i < length:
        raise IndexError(f"{name}[index] must be from {-length} to {length - 1}, got {i}.")
    return i % length
