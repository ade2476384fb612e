"""OCR letters: handwritten words, letter by letter."""

import gzip
import hashlib
import itertools
import os
import string
import zlib
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.data._checks import check_train
from algonets.data.location import locate
from algonets.data.remote import DatasetCorrupt, Progress, RemoteFile
from algonets.data.words import AbstractWordDataset

__all__ = ["LetterTable", "OcrLetters", "OcrSplit", "disjoint_groups", "parse_letters"]

OcrSplit = Literal["large", "small", "disjoint"]

_FILE = RemoteFile(
    path="ocr_letters/letter.data.gz",
    urls=("http://ai.stanford.edu/~btaskar/ocr/letter.data.gz",),
    sha256="4ef9522ffeaa68cad889ad8d02ad3fca411fe6a656546c236a183866157b3b34",
    size=1329012,
)
_HEIGHT, _WIDTH = 16, 8
_PIXEL_BYTES = 2 * _HEIGHT * _WIDTH  # "0\t" or "1\t" each, the last tab included
_FOLDS = 10


class OcrLetters(AbstractWordDataset):
    """Handwritten words as sequences of binary 16 x 8 letter images (Kassel 1995, cleaned by Taskar).

    52,152 letters of ``a-z`` in 6,877 words of length 3 to 14, written by about 150 people. There are only 55
    different strings (the first letter of each, a capital, was removed), and the ten folds share them: a
    model with enough context can learn the strings by heart. The split ``"disjoint"`` has test strings that
    do not occur in training. It is hard on models of letter transitions, which see 50 strings only (group 0,
    a small CNN alone: 92 % of the letters; with add-one bigram frequencies and the Viterbi algorithm: 81 %).

    Args:
        split: ``"large"`` trains on the nine other folds and tests on ``fold``; ``"small"`` trains on ``fold``
            and tests on the nine others; ``"disjoint"`` ignores the folds of the file and divides the 55
            strings into ten groups (:func:`disjoint_groups`), tests on the words of group ``fold`` and trains
            on the others. Every letter of the test words occurs in training in all ten.
        fold: 0 to 9.
        train: the training part, or the test part.
        data_dir: folder that holds ``ocr_letters/letter.data.gz``; by default ``$ALGONETS_DATA``, else the
            user's cache.
        progress: called as ``progress(done_bytes, total_bytes)`` while downloading.

    Raises:
        ValueError: if ``split`` or ``fold`` is unknown.
        DatasetUnavailable: if the file is missing, damaged, or could not be fetched.

    Terms:
        The page states no licence; the data have been public for research since 2004. They are not shipped
        with algonets but downloaded from http://ai.stanford.edu/~btaskar/ocr/. Cite the references.

    Cost:
        About 0.15 s and 7 MB for the 1.3 MB file; nothing parsed is stored.

    References:
        R. Kassel (1995), A Comparison of Approaches to On-line Handwritten Character Recognition, MIT.
        B. Taskar, C. Guestrin, D. Koller (2003), Max-Margin Markov Networks, NIPS.

    Example:
        >>> train = OcrLetters("large", fold=0)  # doctest: +SKIP
        >>> train[0].images.shape, train[0].word  # doctest: +SKIP
        (torch.Size([9, 1, 16, 8]), 'ommanding')
    """

    def __init__(
        self,
        split: OcrSplit = "large",
        fold: int = 0,
        train: bool = True,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        progress: Progress | None = None,
    ):
        splits = get_args(OcrSplit)
        require(split in splits, "OcrLetters(split=...)", f"must be one of {', '.join(splits)}", split)
        fold = check_at_least("OcrLetters(fold=...)", fold, 0)
        require(fold < _FOLDS, "OcrLetters(fold=...)", f"must be between 0 and {_FOLDS - 1}", fold)
        self.split, self.fold, self.train = split, fold, check_train("OcrLetters", train)
        table = parse_letters(locate(_FILE, data_dir, progress=progress))
        if split == "disjoint":
            strings = table.strings()
            group = disjoint_groups(strings)
            chosen = np.array([group[word] == fold for word in strings])
        else:
            chosen = table.folds[table.offsets[:-1]] == fold
        chosen = chosen == ((split == "small") == train)
        lengths = np.diff(table.offsets)
        letters = np.repeat(chosen, lengths)
        super().__init__(
            torch.from_numpy(table.images[letters]).unsqueeze(1),
            torch.from_numpy(table.labels[letters]),
            lengths[chosen].tolist(),
            string.ascii_lowercase,
        )

    def _settings(self) -> str:
        return f"split={self.split!r}, fold={self.fold}, train={self.train}"


class LetterTable(NamedTuple):
    """The parsed file: word ``i`` is the letters ``offsets[i]`` to ``offsets[i + 1]``.

    ``images (letters, 16, 8)`` uint8 in {0, 1}, ``labels (letters,)`` int64, ``folds (letters,)`` and
    ``offsets (words + 1,)`` int64.
    """

    images: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    offsets: np.ndarray

    def strings(self) -> list[str]:
        """The words as strings."""
        text = "".join(string.ascii_lowercase[label] for label in self.labels.tolist())
        ends = self.offsets.tolist()
        return [text[a:b] for a, b in itertools.pairwise(ends)]


def parse_letters(path: str | os.PathLike[str]) -> LetterTable:
    """Read ``letter.data.gz`` in its original format.

    A line is ``id, letter, next_id, word_id, position, fold, 128 pixels``, each followed by a tab. A word is
    a longest run of lines in which ``next_id`` is the ``id`` of the line below.

    Args:
        path: the file.

    Returns:
        The table, in the order of the file.

    Raises:
        DatasetCorrupt: if the file breaks off or a line has another format.
    """
    try:
        raw = gzip.decompress(Path(path).read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetCorrupt(f"{path} is not a whole gzip file ({error}). Delete it and fetch it again.") from error
    data = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    # Pixels have a fixed width, so they are cut out as bytes; only the six fields before are split.
    if len(ends) == 0 or ends[-1] != len(data) - 1 or bool(((ends - starts) <= _PIXEL_BYTES).any()):
        raise DatasetCorrupt(f"{path} must hold lines of 6 fields and 128 pixels, each followed by a tab.")
    pixels = np.lib.stride_tricks.sliding_window_view(data, _PIXEL_BYTES)[ends - _PIXEL_BYTES]
    heads = [raw[a:b] for a, b in zip(starts.tolist(), (ends - _PIXEL_BYTES).tolist(), strict=True)]
    try:
        ids, letters, next_ids, _, _, folds = np.array([head.split(b"\t")[:-1] for head in heads]).T
        ids, next_ids, folds = ids.astype(np.int64), next_ids.astype(np.int64), folds.astype(np.int64)
        labels = np.frombuffer(letters.astype("S1").tobytes(), np.uint8).astype(np.int64) - ord("a")
    except ValueError as error:
        raise DatasetCorrupt(f"{path} must hold lines of 6 fields before the pixels ({error}).") from error
    images = pixels[:, ::2] - ord("0")
    if images.max() > 1 or bool((pixels[:, 1::2] != ord("\t")).any()) or labels.min() < 0 or labels.max() > 25:
        raise DatasetCorrupt(f"{path} must hold pixels that are 0 or 1 and letters from a to z.")
    breaks = np.flatnonzero(next_ids[:-1] != ids[1:]) + 1
    offsets = np.concatenate([[0], breaks, [len(ids)]])
    return LetterTable(images.reshape(-1, _HEIGHT, _WIDTH), labels, folds, offsets)


def disjoint_groups(words: list[str], groups: int = _FOLDS) -> dict[str, int]:
    """Divide the different strings among ``words`` into groups with about as many words each.

    The strings are taken from the most to the least frequent, equals in the order of the SHA-256 of the
    string, and each goes to the group that has the fewest words so far, the lowest number among equals. A
    group is passed over if it would then hold every string with some letter, since that letter could not be
    learned from the other groups; if all are passed over (a letter that only one string has), the rule is
    dropped for the string.

    Args:
        words: the words with their repetitions.
        groups: how many groups.

    Returns:
        The group of each string, from 0 to ``groups - 1``. It depends on nothing but ``words``.

    Example:
        >>> disjoint_groups(["one", "one", "one", "two", "two", "ten"], groups=2)
        {'one': 0, 'two': 1, 'ten': 1}
    """
    counts = Counter(words)
    order = sorted(counts, key=lambda word: (-counts[word], hashlib.sha256(word.encode()).hexdigest()))
    holders = {letter: {word for word in counts if letter in word} for letter in set("".join(counts))}
    members: list[set[str]] = [set() for _ in range(groups)]
    sizes = [0] * groups
    result = {}
    for word in order:
        by_size = sorted(range(groups), key=sizes.__getitem__)
        fitting = (g for g in by_size if not any(holders[c] <= members[g] | {word} for c in word))
        chosen = next(fitting, by_size[0])
        members[chosen].add(word)
        sizes[chosen] += counts[word]
        result[word] = chosen
    return result
