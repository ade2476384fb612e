"""Convolutions over whole strips, and the recogniser that scores the letters of pieces of them."""

import torch
from torch import nn

from algonets.experiments.strips.strip import Strip

__all__ = ["LETTERS", "PieceScorer", "StripFeatures", "paste_images"]

LETTERS = 26
MARGIN = 4
"""Blank columns before a strip; at least as many come after it."""
SLOTS = 5
"""At how many places a piece is looked at, from its begin to its end."""


def paste_images(strips: list[Strip]) -> torch.Tensor:
    """Return the strips as (B, 1, H, W) with margins, W a multiple of 16 so that few widths occur."""
    width = -(-(max(strip.image.shape[1] for strip in strips) + 2 * MARGIN) // 16) * 16
    images = torch.zeros(len(strips), 1, strips[0].image.shape[0], width)
    for b, strip in enumerate(strips):
        images[b, 0, :, MARGIN : MARGIN + strip.image.shape[1]] = strip.image
    return images


class StripFeatures(nn.Module):
    """Four convolutions in two stages: (B, 1, H, W) to a column of features for every second column of the strips.

    All pieces of a strip share them, as in the space-displacement networks of Matan et al. (1992).
    """

    def __init__(self, height: int, width: int, dropout: float = 0.1):
        super().__init__()
        wide = 2 * width
        self.channels = wide * (height // 4)
        self.layers = nn.Sequential(
            *_convolution(1, width),
            *_convolution(width, width),
            nn.MaxPool2d(2),
            nn.Dropout2d(dropout / 2),
            *_convolution(width, wide),
            *_convolution(wide, wide),
            nn.MaxPool2d((2, 1)),
            nn.Dropout2d(dropout / 2),
        )

    def forward(self, strips: list[Strip]) -> torch.Tensor:
        """(B, channels, W / 2)."""
        return self.layers(paste_images(strips)).flatten(1, 2)


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


class PieceScorer(nn.Module):
    """Scores of the letters of pieces: features at five places from begin to end, and two linear layers.

    The first layer is applied to every column once, and its results are interpolated: the same as the layer on
    interpolated features, for a fraction of the work, as pieces overlap.
    """

    def __init__(self, channels: int, hidden: int, widest: int = 32, dropout: float = 0.2):
        super().__init__()
        self.slots = nn.Conv1d(channels, SLOTS * hidden, 1)
        self.by_width = nn.Embedding(widest + 1, hidden)
        last = nn.Linear(hidden, LETTERS)
        with torch.no_grad():  # nearly equal scores at the start
            self.by_width.weight.mul_(0.1)
            last.weight.mul_(0.1)
        self.last = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), last)

    def forward(self, features: torch.Tensor, pieces: list[list[tuple[int, int]]]) -> torch.Tensor:
        """Score ``pieces``, the begin and end columns of those of each strip: (all pieces, 26)."""
        owner = torch.repeat_interleave(torch.arange(len(pieces)), torch.tensor([len(row) for row in pieces]))
        ends = torch.tensor([piece for row in pieces for piece in row])  # (P, 2)
        columns = features.shape[2]
        each = (
            self.slots(features).unflatten(1, (SLOTS, -1)).permute(0, 3, 1, 2).flatten(0, 2)
        )  # by strip, column, slot
        share = torch.linspace(0, 1, SLOTS)
        at = (ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * share + MARGIN) / 2 - 0.5  # (P, slots), in feature columns
        low = at.floor().long()
        weight = at - low
        places = torch.stack([low, low + 1], 2).clamp(0, columns - 1)
        number = ((owner.view(-1, 1, 1) * columns + places) * SLOTS + torch.arange(SLOTS).view(-1, 1)).flatten(1)
        weights = torch.stack([1 - weight, weight], 2).flatten(1)
        hidden = nn.functional.embedding_bag(number, each, mode="sum", per_sample_weights=weights)
        width = (ends[:, 1] - ends[:, 0]).clamp(max=self.by_width.num_embeddings - 1)
        return self.last(hidden + self.by_width(width))
