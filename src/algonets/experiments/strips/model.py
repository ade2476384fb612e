"""Three readers of a strip: given segmentation, CTC over columns, and a graph transformer over candidate pieces."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from algonets.dp import CTC, Lattice
from algonets.experiments.strips.network import LETTERS, MARGIN, PieceScorer, StripFeatures
from algonets.experiments.strips.strip import Strip

__all__ = ["ColumnReader", "GraphReader", "SegmentedReader"]


class SegmentedReader(nn.Module):
    """The baseline that is told where each letter begins and ends; the same recogniser as the graph transformer's."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.features = StripFeatures(height, width)
        self.scorer = PieceScorer(self.features.channels, 4 * width)

    def scores(self, strips: list[Strip]) -> torch.Tensor:
        """(all letters, 26) scores."""
        pieces = [list(zip(strip.begins, strip.ends, strict=True)) for strip in strips]
        return self.scorer(self.features(strips), pieces)

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Cross-entropy of the letters."""
        return nn.functional.cross_entropy(self.scores(strips), torch.cat([strip.labels for strip in strips]))

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: list[list[int]] | None) -> list[list[int]]:
        """Best letters, or best word of the lexicon with as many letters."""
        found = []
        for scores in self.scores(strips).log_softmax(-1).split([len(strip.labels) for strip in strips]):
            fitting = [word for word in lexicon or [] if len(word) == len(scores)]
            if not fitting:
                found.append(scores.argmax(-1).tolist())
                continue
            each = scores.gather(1, torch.tensor(fitting).T).sum(0)
            found.append(fitting[int(each.argmax())])
        return found


def _padded(words: list[torch.Tensor]) -> torch.Tensor:
    """Targets of CTC (label 0 is the blank), to a multiple of 4: a circuit serves many batches."""
    targets = torch.ones(len(words), -(-max(map(len, words)) // 4) * 4, dtype=torch.int64)
    for row, word in zip(targets, words, strict=True):
        row[: len(word)] = word + 1
    return targets


def _along(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv1d(inputs, outputs, 7, padding=3, bias=False)
    return convolution, nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.2)


class ColumnReader(nn.Module):
    """The same convolutions over the strip and a CTC output every second column; label 0 is the blank."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.features = StripFeatures(height, width)
        wide = 8 * width  # an output sees about the columns of a wide letter
        self.head = nn.Sequential(
            *_along(self.features.channels, wide), *_along(wide, wide), nn.Conv1d(wide, LETTERS + 1, 3, padding=1)
        )

    def log_probs(self, strips: list[Strip]) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, 27) log-probabilities and the frames of each."""
        lengths = torch.tensor([strip.image.shape[1] // 2 + MARGIN for strip in strips])
        return self.head(self.features(strips)).transpose(1, 2).log_softmax(-1), lengths

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Minus the log-probability of the words, by letter; words that do not fit in their frames are left out."""
        log_probs, lengths = self.log_probs(strips)
        sizes = torch.tensor([len(strip.labels) for strip in strips])
        total = CTC(log_probs, _padded([strip.labels for strip in strips]), lengths, sizes).log_partition()
        return -(total / sizes)[total > -torch.inf].mean()

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: list[list[int]] | None) -> list[list[int]]:
        """Best label a frame, collapsed; or the word of the lexicon with the largest probability."""
        log_probs, lengths = self.log_probs(strips)
        if lexicon is None:
            merged = [torch.unique_consecutive(row[:n].argmax(-1)) for row, n in zip(log_probs, lengths, strict=True)]
            return [(word[word > 0] - 1).tolist() for word in merged]
        targets = _padded([torch.tensor(word) for word in lexicon])
        sizes = torch.tensor([len(word) for word in lexicon])
        found = []
        for scores, n in zip(log_probs, lengths, strict=True):
            frames = scores.expand(len(lexicon), -1, -1)
            total = CTC(frames, targets, n.expand(len(lexicon)), sizes).log_partition()
            found.append(lexicon[int(total.argmax())])
        return found


@dataclass
class _Plan:
    """What is fixed for a strip: the graph of its pieces, and that of the right readings."""

    strip: Strip
    pieces: list[tuple[int, int]]  # begin and end columns
    every: Lattice  # an arc for each piece, whatever its letter
    right: Lattice  # an arc for each piece and letter of the word that it may be
    right_scores: torch.Tensor  # where the score of each of these lies among (pieces, 26)


class GraphReader(nn.Module):
    """Over-segmentation, a recogniser on each candidate piece, a lattice of interpretations, trained as a whole.

    The loss is Bottou and LeCun's discriminative forward criterion: the log-sum over all paths of the lattice minus
    that over the paths which spell the word.
    """

    def __init__(self, height: int, width: int):
        super().__init__()
        self.features = StripFeatures(height, width)
        self.scorer = PieceScorer(self.features.channels, 4 * width)
        self._plans: dict[int, _Plan] = {}

    def _scores(self, strips: list[Strip]) -> tuple[list[_Plan], torch.Tensor]:
        plans = []
        for strip in strips:
            if id(strip) not in self._plans:
                self._plans[id(strip)] = _plan(strip)
            plans.append(self._plans[id(strip)])
        return plans, self.scorer(self.features(strips), [plan.pieces for plan in plans])

    def lattice(self, strips: list[Strip]) -> Lattice:
        """Return the lattices of all interpretations: an arc for each candidate piece and each letter."""
        return Lattice.stack([_readings(strip) for strip in strips]).with_weight(self._scores(strips)[1].flatten())

    def sums(self, strips: list[Strip]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the log-sums over all interpretations and over the right ones.

        In the first the letters of a piece are summed beforehand: parallel arcs are one arc.
        """
        plans, scores = self._scores(strips)
        every = Lattice.stack([plan.every for plan in plans]).with_weight(scores.logsumexp(-1))
        parts = scores.split([len(plan.pieces) for plan in plans])
        kept = [part.flatten()[plan.right_scores] for part, plan in zip(parts, plans, strict=True)]
        right = Lattice.stack([plan.right for plan in plans]).with_weight(torch.cat(kept))
        return every.forward(), right.forward()

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Discriminative forward criterion, by letter; words that the cuts cannot spell are left out."""
        every, right = self.sums(strips)
        sizes = torch.tensor([len(strip.labels) for strip in strips])
        return ((every - right) / sizes)[right > -torch.inf].mean()

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: Lattice | None) -> list[list[int]]:
        """Return what the best paths spell, within a lexicon's acceptor if one is given."""
        every = self.lattice(strips)
        return (every if lexicon is None else every.intersect(lexicon)).paths()


def _readings(strip: Strip, weight: Any = None) -> Lattice:
    """Every candidate piece with every letter."""
    spans, letters = torch.tensor(strip.spans), torch.arange(LETTERS)
    source, target = spans.repeat_interleave(LETTERS, 0).T
    weight = torch.zeros(len(source)) if weight is None else weight
    states = len(strip.cuts)
    return Lattice(source, target, weight, states, [0], [states - 1], labels=letters.repeat(len(spans)))


def _plan(strip: Strip) -> _Plan:
    source, target = torch.tensor(strip.spans).T
    every = Lattice(source, target, torch.zeros(len(source)), len(strip.cuts), [0], [len(strip.cuts) - 1])
    number = torch.arange(len(source) * LETTERS, dtype=torch.float64)  # of the arc, to be seen in what comes out
    word = Lattice.from_lexicon([strip.labels.tolist()], torch.zeros(1, dtype=torch.float64))
    right = _readings(strip, number).intersect(word)
    pieces = [(strip.cuts[i], strip.cuts[j]) for i, j in strip.spans]
    return _Plan(strip, pieces, every, right.with_weight(right.weight.float()), right.weight.long())
