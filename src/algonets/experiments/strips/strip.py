"""Strips: the letters of a word pasted side by side, overlapping or apart, and the pieces they are cut into."""

from typing import NamedTuple

import torch

from algonets.data.words import AbstractWordDataset

__all__ = ["Strip", "cuts_found", "make_strips", "over_segment"]

INK = 0.25
OVERLAP, SPACE = 2, 3
"""Most columns that neighbours share, and most that lie between them."""


class Strip(NamedTuple):
    """One word."""

    image: torch.Tensor  # (H, W) in [0, 1]
    labels: torch.Tensor  # (letters,)
    word: str
    begins: list[int]  # true column of each letter
    ends: list[int]
    cuts: list[int]  # candidate cuts, the first 0, the last W
    spans: list[tuple[int, int]]  # candidate letters: numbers of their two cuts


def make_strips(words: AbstractWordDataset, count: int, seed: int) -> list[Strip]:
    """Paste ``count`` words, each letter trimmed to its ink, with -2 to 3 columns between neighbours.

    If there are fewer words, they come again with other gaps. An overlap takes no more than a third of the
    narrower letter: of an "l" two columns wide nothing would be left.
    """
    generator = torch.Generator().manual_seed(seed)
    return [_paste(words[k % len(words)], generator) for k in range(count)]


def _paste(sample, generator: torch.Generator) -> Strip:
    letters = [_trim(image[0]) for image in sample.images]
    gaps = torch.randint(-OVERLAP, SPACE + 1, (len(letters),), generator=generator).tolist()
    begins, ends, at = [], [], 1
    for k, letter in enumerate(letters):
        if k:
            at += max(gaps[k], -(min(letter.shape[1], letters[k - 1].shape[1]) // 3))
        begins.append(at)
        at += letter.shape[1]
        ends.append(at)
    image = torch.zeros(letters[0].shape[0], max(ends) + 1)
    for letter, begin in zip(letters, begins, strict=True):
        window = image[:, begin : begin + letter.shape[1]]
        torch.maximum(window, letter, out=window)
    breadth = sample.images.shape[-1]
    cuts = over_segment(image, max(2, breadth // 5))
    longest = breadth + OVERLAP + SPACE  # a letter and the space beside it: every column belongs to a piece
    pairs = [(i, j) for i in range(len(cuts)) for j in range(i + 1, len(cuts))]
    spans = [(i, j) for i, j in pairs if cuts[j] - cuts[i] <= longest]
    return Strip(image, sample.labels, sample.word, begins, ends, cuts, spans)


def _trim(image: torch.Tensor) -> torch.Tensor:
    columns = (image > INK).any(0).nonzero().flatten()
    return image[:, columns[0] : columns[-1] + 1] if len(columns) else image[:, :4]


def over_segment(image: torch.Tensor, closest: int = 2) -> list[int]:
    """Cut where the ink of a column is a local minimum, and between, so that each piece has about ``closest`` columns.

    Letters that touch leave no minimum where they meet: so there must be far more cuts than letters.
    """
    ink = image.sum(0)
    smooth = torch.nn.functional.avg_pool1d(ink[None, None], 3, 1, 1, count_include_pad=False)[0, 0].tolist()
    width = len(smooth)
    cuts = [0, width]
    for column in sorted(range(1, width), key=smooth.__getitem__):
        lowest = smooth[column] <= smooth[column - 1] and smooth[column] <= smooth[min(column + 1, width - 1)]
        if lowest and all(abs(column - cut) >= closest for cut in cuts):
            cuts.append(column)
    cuts.sort()
    filled = [0]
    for cut in cuts[1:]:
        begin = filled[-1]
        pieces = -(-(cut - begin) // (closest + 1))
        filled += [begin + (cut - begin) * k // pieces for k in range(1, pieces + 1)]
    return filled


def cuts_found(strip: Strip) -> tuple[int, int]:
    """Count the true boundaries that have a candidate cut within a column, and all of them."""
    found = 0
    for a, b in zip(strip.ends, strip.begins[1:], strict=False):
        found += any(min(a, b) - 1 <= cut <= max(a, b) + 1 for cut in strip.cuts)
    return found, len(strip.ends) - 1
