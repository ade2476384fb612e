"""How well a reader reads: letters and words right, without a lexicon."""

from typing import NamedTuple

import torch

from algonets.data import AbstractWordDataset, WordBatch, collate_words
from algonets.experiments.words.model import WordReader

__all__ = ["Reading", "evaluate"]


class Reading(NamedTuple):
    """What a reader makes of a dataset."""

    words: list[str]
    letter_accuracy: float
    word_accuracy: float


def evaluate(reader: WordReader, dataset: AbstractWordDataset, batch_size: int = 256) -> Reading:
    """Read every word of a dataset; accuracies are fractions in [0, 1], lexicon-free."""
    reader.eval()
    words: list[str] = []
    with torch.inference_mode():
        for first in range(0, len(dataset), batch_size):
            last = min(first + batch_size, len(dataset))
            batch: WordBatch = collate_words([dataset[i] for i in range(first, last)])
            labels = reader.read(reader.chain(batch.images, batch.lengths))
            words += [reader.spell(row) for row in labels]
    pairs = list(zip(words, dataset.words, strict=True))
    letters = sum(a == b for word, truth in pairs for a, b in zip(word, truth, strict=True))
    right = sum(word == truth for word, truth in pairs)
    return Reading(words, letters / max(sum(map(len, dataset.words)), 1), right / max(len(pairs), 1))
