"""Generated scenes of three coloured shapes, with questions and answers about them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.errors import require

__all__ = ["SceneBatch", "Scenes"]

COLOURS = ("red", "green", "blue")
SHAPES = ("circle", "square", "triangle")
RELATIONS = ("left", "right", "above", "below")
_RGB = torch.tensor([[0.9, 0.2, 0.15], [0.15, 0.7, 0.25], [0.2, 0.3, 0.9]])


class SceneBatch(NamedTuple):
    """Questions about scenes.

    Attributes:
        images: float32 ``(N, 3, S, S)`` in [0, 1].
        words: int64 ``(N, 7)``, places in :attr:`Scenes.words`; 0 after the end.
        answers: int64 ``(N,)``, places in :attr:`Scenes.answers`.
        kinds: int64 ``(N,)``, places in :attr:`Scenes.kinds`.
    """

    images: Tensor
    words: Tensor
    answers: Tensor
    kinds: Tensor


class Scenes:
    """A red, a green and a blue shape, each a circle, a square or a triangle, anywhere; and a question.

    Half of the questions are about relations (*is the red shape left of the blue shape*), the others about a shape
    (*what is the red shape*) or a count (*how many squares are there*). Without the order of words, a relation cannot
    be told from its opposite; without the picture, nothing can.

    Args:
        side: S, pixels, at least 16.
        relations: Those asked for. With *left* and *above* the order of words alone turns a question into its opposite;
            with *right* and *below* besides, two things do, as in an exclusive or, which takes much longer to learn.

    Attributes:
        words: The vocabulary; place 0 is the padding.
        answers: All answers.
        kinds: Of questions.

    Example:
        >>> scenes = Scenes(32)
        >>> batch = scenes.draw(5, torch.Generator().manual_seed(0))
        >>> batch.images.shape, scenes.text(batch.words[0]), scenes.answers[batch.answers[0]]
        (torch.Size([5, 3, 32, 32]), 'is blue shape left of green shape', 'yes')
    """

    answers = ("yes", "no", *SHAPES, "0", "1", "2", "3")
    kinds = ("relation", "shape", "count")
    words = (
        *("", "is", "the", "shape", "of", "what", "how", "many", "are", "there"),
        *COLOURS,
        *(f"{shape}s" for shape in SHAPES),
        *RELATIONS,
    )

    def __init__(self, side: int = 32, relations: Sequence[str] = ("left", "above")):
        self.side = check_at_least("Scenes(side)", side, 16)
        good = len(relations) > 0 and set(relations) <= set(RELATIONS)
        require(good, "Scenes(relations)", f"must be some of {', '.join(RELATIONS)}", relations)
        self.relations = tuple(relations)

    def draw(self, count: int, generator: torch.Generator) -> SceneBatch:
        """Draw scenes, each with one question."""
        shapes = torch.randint(3, (count, 3), generator=generator)
        places = self._places(count, generator)
        kinds = torch.tensor([0, 0, 1, 2])[torch.randint(4, (count,), generator=generator)]
        words, answers = torch.zeros(count, 7, dtype=torch.long), torch.zeros(count, dtype=torch.long)
        draws = torch.rand(count, 3, generator=generator)
        for i, kind in enumerate(kinds.tolist()):
            u = draws[i].tolist()
            first, second = int(3 * u[0]), (int(3 * u[0]) + 1 + int(2 * u[1])) % 3
            if kind == 0:
                relation = self.relations[int(len(self.relations) * u[2])]
                dy, dx = (places[i, first] - places[i, second]).tolist()
                holds = {"left": dx < 0, "right": dx > 0, "above": dy < 0, "below": dy > 0}[relation]
                text = ["is", COLOURS[first], "shape", relation, "of", COLOURS[second], "shape"]
                answer = "yes" if holds else "no"
            elif kind == 1:
                text = ["what", "is", "the", COLOURS[first], "shape"]
                answer = SHAPES[int(shapes[i, first])]
            else:
                text = ["how", "many", f"{SHAPES[first]}s", "are", "there"]
                answer = str(int((shapes[i] == first).sum()))
            words[i, : len(text)] = torch.tensor([self.words.index(word) for word in text])
            answers[i] = self.answers.index(answer)
        return SceneBatch(self._paint(shapes, places, generator), words, answers, kinds)

    def text(self, words: Tensor) -> str:
        """Return a question as text."""
        return " ".join(self.words[word] for word in words.tolist() if word)

    def _places(self, count: int, generator: torch.Generator) -> Tensor:
        """Centres ``(count, 3, 2)`` in different rows and columns of a grid, so that every relation is clear."""
        cells = torch.stack([torch.rand(count, 5, generator=generator).argsort(-1)[:, :3] for _ in range(2)], -1)
        jitter = 0.3 * (torch.rand(count, 3, 2, generator=generator) - 0.5)
        return (cells + 0.5 + jitter) * self.side / 5

    def _paint(self, shapes: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
        side, radius = self.side, 0.1 * self.side
        line = torch.arange(side) + 0.5
        images = 0.92 + 0.03 * torch.randn(len(shapes), 3, side, side, generator=generator)
        for k in range(3):
            y, x = (places[:, k, d, None, None] for d in (0, 1))
            dy, dx = line[:, None] - y, line[None, :] - x
            circle = dy.square() + dx.square() < radius**2
            square = torch.maximum(dy.abs(), dx.abs()) < 0.9 * radius
            triangle = (dy < radius) & (dy + radius > 2 * dx.abs())
            kind = shapes[:, k, None, None]
            inside = torch.where(kind == 0, circle, torch.where(kind == 1, square, triangle))
            images = torch.where(inside[:, None], _RGB[k][:, None, None], images)
        return images.clamp(0, 1)
