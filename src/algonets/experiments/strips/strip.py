"""Strips: the letters of a word pasted side by side, overlapping or apart, and the pieces they are cut into."""

from typing import NamedTuple

import torch

from algonets.data.words import AbstractWordDataset

__all__ = ["LONGEST", "PIECE", "Strip", "make_strips", "over_segment", "piece_images"]

INK = 0.25
LONGEST = 4
"""How many neighbouring pieces a letter may consist of."""
PIECE = 16
"""Width of the image that the recogniser sees."""


class Strip(NamedTuple):
    """One word."""

    image: torch.Tensor  # (H, W) in [0, 1]
    labels: torch.Tensor  # (letters,)
    word: str
    begins: list[int]  # true column of each letter
    ends: list[int]
    cuts: list[int]  # candidate cuts, the first 0, the last W


def make_strips(words: AbstractWordDataset, count: int, seed: int) -> list[Strip]:
    """Paste the first ``count`` words, each letter trimmed to its ink, with -2 to 3 columns between neighbours."""
    generator = torch.Generator().manual_seed(seed)
    return [_paste(words[k], generator) for k in range(min(count, len(words)))]


def _paste(sample, generator: torch.Generator) -> Strip:
    letters = [_trim(image[0]) for image in sample.images]
    gaps = torch.randint(-2, 4, (len(letters),), generator=generator).tolist()
    begins, ends, at = [], [], 0
    for k, letter in enumerate(letters):
        at = max(0, at + (gaps[k] if k else 1))
        begins.append(at)
        at += letter.shape[1]
        ends.append(at)
    image = torch.zeros(letters[0].shape[0], max(ends) + 1)
    for letter, begin in zip(letters, begins, strict=True):
        window = image[:, begin : begin + letter.shape[1]]
        torch.maximum(window, letter, out=window)
    return Strip(image, sample.labels, sample.word, begins, ends, over_segment(image))


def _trim(image: torch.Tensor) -> torch.Tensor:
    columns = (image > INK).any(0).nonzero().flatten()
    return image[:, columns[0] : columns[-1] + 1] if len(columns) else image[:, :4]


def over_segment(image: torch.Tensor, closest: int = 3) -> list[int]:
    """Cut where the ink of a column is a local minimum, at most every ``closest`` columns: rather too often."""
    ink = image.sum(0)
    smooth = torch.nn.functional.avg_pool1d(ink[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    order = torch.argsort(smooth, stable=True).tolist()
    cuts = [0, image.shape[1]]
    for column in order:
        low, high = max(0, column - 1), min(len(ink) - 1, column + 1)
        lowest = smooth[column] <= smooth[low] and smooth[column] <= smooth[high]
        if lowest and all(abs(column - cut) >= closest for cut in cuts):
            cuts.append(column)
    cuts.sort()
    filled = [cuts[0]]
    for cut in cuts[1:]:  # no piece wider than a narrow letter
        while cut - filled[-1] > 8:
            filled.append(filled[-1] + 6)
        filled.append(cut)
    return filled


def piece_images(strip: Strip, spans: list[tuple[int, int]]) -> torch.Tensor:
    """Return columns ``begin`` to ``end`` of each span, centred in (spans, 1, H, PIECE) images."""
    pieces = torch.zeros(len(spans), 1, strip.image.shape[0], PIECE)
    for k, (begin, end) in enumerate(spans):
        width = min(end - begin, PIECE)
        left = (PIECE - width) // 2
        pieces[k, 0, :, left : left + width] = strip.image[:, begin : begin + width]
    return pieces
