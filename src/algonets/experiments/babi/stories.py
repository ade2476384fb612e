"""Questions as tensors: a vocabulary, stories padded to one size, and time that runs unevenly in training."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from algonets.data import BabiQuestion

__all__ = ["StoryBatch", "StorySet", "Vocabulary", "spread", "trim"]

NOISE = 0.1
"""Empty memories for each sentence, at most, that :func:`spread` puts in."""


class Vocabulary:
    """Numbers of words and answers, from 1; 0 is padding.

    Args:
        questions: what occurs in them is known, nothing else.
        memories: most sentences of a story that are kept.
    """

    def __init__(self, questions: Iterable[BabiQuestion], memories: int):
        questions = list(questions)
        sentences = [s for q in questions for s in (*q.story, q.question)]
        names = {word for sentence in sentences for word in sentence} | {q.answer for q in questions}
        self.names = ["", *sorted(names)]
        self.numbers = {name: number for number, name in enumerate(self.names) if number}
        self.words = max(map(len, sentences))
        longest = max(len(q.story) for q in questions)
        self.memories = min(memories, longest + math.ceil(NOISE * longest))

    def __len__(self) -> int:
        return len(self.names)

    def number(self, words: Iterable[str]) -> list[int]:
        """Numbers of the words of a sentence, padded at the end; unknown words and those beyond the size are 0."""
        numbers = [self.numbers.get(word, 0) for word in words][: self.words]
        return numbers + [0] * (self.words - len(numbers))


class StoryBatch(NamedTuple):
    """Some questions.

    Attributes:
        stories: int64 ``(B, memories, words)``, the latest sentence last.
        questions: int64 ``(B, words)``.
        answers: int64 ``(B,)``; -1 for one that never occurs in training.
        facts: bool ``(B, memories)``, the sentences from which the answer follows.
    """

    stories: Tensor
    questions: Tensor
    answers: Tensor
    facts: Tensor


class StorySet(Dataset[StoryBatch]):
    """Questions as tensors.

    Args:
        questions: of one task or of several.
        vocabulary: made from the training part.
    """

    def __init__(self, questions: list[BabiQuestion], vocabulary: Vocabulary):
        count, memories, words = len(questions), vocabulary.memories, vocabulary.words
        stories = torch.zeros(count, memories, words, dtype=torch.int64)
        facts = torch.zeros(count, memories, dtype=torch.bool)
        for i, question in enumerate(questions):
            kept = question.story[-memories:]
            if kept:
                stories[i, -len(kept) :] = torch.tensor([vocabulary.number(sentence) for sentence in kept])
            for fact in question.facts:
                place = memories - len(question.story) + fact
                if place >= 0:
                    facts[i, place] = True
        asked = torch.tensor([vocabulary.number(question.question) for question in questions])
        answers = torch.tensor([vocabulary.numbers.get(question.answer, -1) for question in questions])
        self.batch = StoryBatch(stories, asked, answers, facts)

    def __len__(self) -> int:
        return len(self.batch.answers)

    def __getitem__(self, index: int) -> StoryBatch:
        return StoryBatch(*(part[index] for part in self.batch))

    def __getitems__(self, indices: list[int]) -> StoryBatch:
        """Return a whole batch at once, which loaders prefer."""
        return trim(StoryBatch(*(part[indices] for part in self.batch)))


def trim(batch: StoryBatch) -> StoryBatch:
    """Leave out the oldest memories that are empty in the whole batch, but for one."""
    used = (batch.stories != 0).any(-1).any(0)
    first = int(used.to(torch.uint8).argmax()) if bool(used.any()) else len(used) - 1
    return batch._replace(stories=batch.stories[:, first:], facts=batch.facts[:, first:])


def spread(stories: Tensor, room: int) -> Tensor:
    """Put empty memories between the sentences at random, up to a tenth as many: time is not the place alone.

    Args:
        stories: ``(B, M, words)``, the latest sentence last.
        room: most memories of the result; what is older falls out.

    Returns:
        ``(B, M', words)`` with ``M <= M' <= room``.
    """
    batch, length, words = stories.shape
    lengths = (stories != 0).any(-1).sum(-1)
    most = (NOISE * lengths).ceil()
    largest = int(most.max()) if batch else 0
    blanks = (torch.rand(batch) * (most + 1)).floor()
    # Each blank falls before one of the sentences; all that are older move by one.
    before = (torch.rand(batch, max(largest, 1)) * (lengths[:, None] + 1)).floor()
    counts = torch.arange(max(largest, 1)) < blanks[:, None]
    ago = torch.arange(length - 1, -1, -1)
    moved = ago + (counts[:, None, :] & (before[:, None, :] <= ago[:, None])).sum(-1)
    size = min(length + largest, room)
    place = size - 1 - moved
    kept = (stories != 0).any(-1) & (place >= 0)
    result = stories.new_zeros(batch, size, words)
    rows, columns = kept.nonzero(as_tuple=True)
    result[rows, place[rows, columns]] = stories[rows, columns]
    return result
