"""Synthetic words: printed letters, distorted until a single one is ambiguous; no file, no network."""

import string
from collections.abc import Sequence

import torch

from algonets._core.checks import check_at_least
from algonets._core.errors import reject, reject_type, require
from algonets.data._checks import check_train
from algonets.data.glyphs import FONTS, render_letters
from algonets.data.lexicon import TEST_WORDS, TRAIN_WORDS
from algonets.data.words import AbstractWordDataset

__all__ = ["SyntheticWords"]

_TRAIN_SIZE, _TEST_SIZE = 3000, 1000


class SyntheticWords(AbstractWordDataset):
    """Common English words as sequences of distorted 16 x 16 letter images.

    A stand-in for :class:`OcrLetters` that is generated on the spot. Test strings do not occur in training:
    the 497 words of :mod:`algonets.data.lexicon`, in alphabetical order, go to the test part when their
    position is a multiple of five (99 words) and to the training part otherwise (398). Words are drawn round
    after round, so their frequencies differ by one at most. All letters of a word come from one font;
    everything else is drawn for each letter anew.

    At difficulty 1 a small CNN (conv 32-32-64, one hidden layer of 128, 10 epochs) reads 85 % of the test
    letters and 44 % of the words one letter at a time; bigram frequencies of the training words and the
    Viterbi algorithm lift the same network to 90 % and 60 %.

    Args:
        train: the training part, or the test part.
        size: how many words to draw; by default 3000 for training and 1000 for testing.
        seed: the images of two seeds are independent, and so are those of the two parts.
        lexicon: other words to draw from, of the letters a to z; default as above.
        difficulty: factor on the amplitude of every distortion; 0 gives clean letters.

    Raises:
        ValueError: if ``size``, ``seed``, ``lexicon`` or ``difficulty`` is out of range.
        ImportError: if matplotlib, whose fonts are used, is missing.

    Terms:
        Word list and code under the licence of algonets. The DejaVu, STIX and Computer Modern fonts come with
        matplotlib, under free licences.

    Cost:
        About 1.5 s on one core and 18 MB for the default training part; 0.7 s of it once a process, for the
        glyphs. The first use of matplotlib on a machine adds the seconds in which it lists the fonts there.

    Example:
        >>> words = SyntheticWords(size=2, lexicon=["to", "be"])
        >>> words[0].images.shape, sorted(words.words)
        (torch.Size([2, 1, 16, 16]), ['be', 'to'])
    """

    def __init__(
        self,
        train: bool = True,
        size: int | None = None,
        seed: int = 0,
        *,
        lexicon: Sequence[str] | None = None,
        difficulty: float = 1.0,
    ):
        self.train = check_train("SyntheticWords", train)
        if size is None:
            size = _TRAIN_SIZE if train else _TEST_SIZE
        size = check_at_least("SyntheticWords(size=...)", size, 0)
        self.seed = check_at_least("SyntheticWords(seed=...)", seed, 0)
        require(self.seed < 2**62, "SyntheticWords(seed=...)", "must be below 2**62", seed)
        good = isinstance(difficulty, int | float) and 0 <= difficulty < float("inf")
        require(good, "SyntheticWords(difficulty=...)", "must be a finite number of at least 0", difficulty)
        self.difficulty = float(difficulty)
        strings = _check_lexicon(lexicon) if lexicon is not None else list(TRAIN_WORDS if train else TEST_WORDS)
        generator = torch.Generator().manual_seed(2 * seed + (not train))
        chosen = _draw(strings, size, generator)
        lengths = torch.tensor([len(word) for word in chosen], dtype=torch.int64)
        codes = "".join(chosen).encode()
        labels = torch.tensor(list(codes), dtype=torch.int64) - ord("a")
        fonts = torch.randint(len(FONTS), (size,), generator=generator).repeat_interleave(lengths)
        images = render_letters(labels, fonts, self.difficulty, generator)
        super().__init__(images, labels, lengths.tolist(), string.ascii_lowercase)

    def _settings(self) -> str:
        return f"train={self.train}, seed={self.seed}, difficulty={self.difficulty}"


def _check_lexicon(lexicon: Sequence[str]) -> list[str]:
    call = "SyntheticWords(lexicon=...)"
    if isinstance(lexicon, str):
        reject_type(call, "must be a sequence of words", lexicon, "Put the word in a list.")
    require(len(lexicon) > 0, call, "must hold at least one word", lexicon)
    for word in lexicon:
        if not isinstance(word, str) or not word or set(word) - set(string.ascii_lowercase):
            reject(call, "must hold words of the letters a to z", word)
    return list(lexicon)


def _draw(strings: list[str], size: int, generator: torch.Generator) -> list[str]:
    """Shuffle the strings, again and again, until there are ``size``."""
    rounds = -(-size // len(strings))
    order = [index for _ in range(rounds) for index in torch.randperm(len(strings), generator=generator).tolist()]
    return [strings[index] for index in order[:size]]
