"""Tables of attributes as bits, what their datasets share."""

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from algonets.data._checks import check_index

__all__ = ["BitTable", "one_hot"]


class BitTable(Dataset[tuple[torch.Tensor, int]]):
    """Rows of bits with a class each.

    Attributes:
        bits: uint8 ``(N, F)`` of 0 and 1.
        labels: int64 ``(N,)``.
        names: What each bit says, ``F`` texts.
    """

    num_classes = 2
    bits: torch.Tensor
    labels: torch.Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        i = check_index(type(self).__name__, index, len(self))
        return self.bits[i].to(torch.float32), int(self.labels[i])


def one_hot(values: Sequence[str], known: Sequence[str]) -> torch.Tensor:
    """Bits ``(N, len(known))``; a value that is not known has none."""
    place = {value: k for k, value in enumerate(known)}
    found = torch.zeros(len(values), len(known), dtype=torch.uint8)
    for row, value in enumerate(values):
        if value in place:
            found[row, place[value]] = 1
    return found
