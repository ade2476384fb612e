"""How many questions a reader answers right, and whether it looked at the right sentences."""

from typing import NamedTuple

import torch

from algonets.experiments.babi.model import StoryReader
from algonets.experiments.babi.stories import StoryBatch, StorySet

__all__ = ["Answers", "evaluate"]


class Answers(NamedTuple):
    """What a reader makes of the questions of a task.

    Attributes:
        error: questions answered wrong, percent.
        found: supporting facts that are the strongest sentence of some hop, percent; ``None`` without a memory.
        given: int64 ``(N,)``, the answers.
    """

    error: float
    found: float | None
    given: torch.Tensor


def evaluate(reader: StoryReader, questions: StorySet, batch_size: int = 250) -> Answers:
    """Answer all questions of a set."""
    reader.eval()
    given, strongest = [], []
    with torch.inference_mode():
        for parts in zip(*(part.split(batch_size) for part in questions.batch), strict=True):
            batch = StoryBatch(*parts)
            given.append(reader(batch).argmax(-1))
            if reader.model == "memory":
                best = reader.attention(batch).argmax(-1)
                strongest.append(torch.zeros_like(batch.facts).scatter(1, best, True))
    answers = torch.cat(given)
    error = 100 * float((answers != questions.batch.answers).float().mean())
    facts = questions.batch.facts
    found = 100 * float(torch.cat(strongest)[facts].float().mean()) if strongest and bool(facts.any()) else None
    return Answers(error, found, answers)
