"""The common face of the word datasets: one item is one word, a row of letter images with their labels."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from algonets._core.errors import reject, require
from algonets.data._checks import check_index

__all__ = ["PADDING_LABEL", "AbstractWordDataset", "WordBatch", "WordSample", "collate_words"]

PADDING_LABEL = -1
"""The label behind the end of a word in a :class:`WordBatch`."""


class WordSample(NamedTuple):
    """One word: ``images (T, 1, H, W)`` float32 in [0, 1], ``labels (T,)`` int64, and the string."""

    images: torch.Tensor
    labels: torch.Tensor
    word: str


class WordBatch(NamedTuple):
    """``B`` words padded to the longest, ``T``.

    ``images (B, T, 1, H, W)`` with zeros behind the end, ``labels (B, T)`` with -1 behind the end,
    ``lengths (B,)`` int64, and the strings.
    """

    images: torch.Tensor
    labels: torch.Tensor
    lengths: torch.Tensor
    words: list[str]


class AbstractWordDataset(Dataset[WordSample]):
    """A map-style dataset of words, stored letter after letter.

    Args:
        images: ``(letters, 1, H, W)``, uint8 or float32, values in [0, 1].
        labels: ``(letters,)`` int64, indices into ``alphabet``.
        lengths: the number of letters of each word; they sum to ``letters``.
        alphabet: the letters in label order.

    Attributes:
        alphabet: the letters in label order.
        words: the strings, one an item.
    """

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, lengths: Sequence[int], alphabet: str):
        self._images = images
        self._labels = labels
        self._ends = torch.tensor([0, *lengths]).cumsum(0).tolist()
        self.alphabet = alphabet
        text = "".join(alphabet[label] for label in labels.tolist())
        self.words = [text[a:b] for a, b in itertools.pairwise(self._ends)]

    @property
    def num_classes(self) -> int:
        """Number of different labels."""
        return len(self.alphabet)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(1, H, W)`` of one letter."""
        return (self._images.shape[1], self._images.shape[2], self._images.shape[3])

    @property
    def max_length(self) -> int:
        """Letters of the longest word; 0 if there is none."""
        return max(map(len, self.words), default=0)

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: int) -> WordSample:
        i = check_index(type(self).__name__, index, len(self))
        letters = slice(self._ends[i], self._ends[i + 1])
        # A copy: a sample must not drag the storage of the whole dataset through a worker's queue.
        images = self._images[letters].to(torch.float32, copy=True)
        return WordSample(images, self._labels[letters].clone(), self.words[i])

    def _settings(self) -> str:
        """The arguments to show in ``repr``."""
        return ""

    def __repr__(self) -> str:
        name, shape = type(self).__name__, "x".join(map(str, self.image_shape[1:]))
        return (
            f"{name}({self._settings()}): {len(self)} words of {len(set(self.words))} strings, "
            f"{len(self._labels)} letters {shape}"
        )


def collate_words(samples: Sequence[WordSample]) -> WordBatch:
    """Pad words to a common length; the ``collate_fn`` of a ``DataLoader`` over a word dataset.

    Args:
        samples: at least one word; all images of one shape.

    Returns:
        The batch, see :class:`WordBatch`.

    Raises:
        ValueError: if there is no sample, or image shapes differ.

    Example:
        >>> a = WordSample(torch.ones(1, 1, 8, 6), torch.tensor([0]), "a")
        >>> ab = WordSample(torch.ones(2, 1, 8, 6), torch.tensor([0, 1]), "ab")
        >>> batch = collate_words([a, ab])
        >>> batch.images.shape, batch.labels.tolist(), batch.lengths.tolist()
        (torch.Size([2, 2, 1, 8, 6]), [[0, -1], [0, 1]], [1, 2])
    """
    require(len(samples) > 0, "collate_words(samples)", "must hold at least one word", samples)
    shape = samples[0].images.shape[1:]
    for sample in samples:
        if sample.images.shape[1:] != shape:
            reject(
                "collate_words(samples)",
                f"must have letter images of one shape {tuple(shape)}",
                sample.images,
            )
    lengths = torch.tensor([len(sample.labels) for sample in samples])
    longest = int(lengths.max())
    images = samples[0].images.new_zeros(len(samples), longest, *shape)
    labels = samples[0].labels.new_full((len(samples), longest), PADDING_LABEL)
    for row, sample in enumerate(samples):
        images[row, : len(sample.labels)] = sample.images
        labels[row, : len(sample.labels)] = sample.labels
    return WordBatch(images, labels, lengths, [sample.word for sample in samples])
