"""Three readers of a strip: given segmentation, CTC over columns, and a graph transformer over candidate pieces."""

from dataclasses import dataclass

import torch
from torch import nn

from algonets.dp import CTC, Lattice
from algonets.experiments.strips.strip import LONGEST, PIECE, Strip, piece_images
from algonets.nets import LetterScorer

__all__ = ["ColumnReader", "GraphReader", "SegmentedReader"]

LETTERS = 26


class SegmentedReader(nn.Module):
    """The baseline that is told where each letter begins and ends."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.scorer = LetterScorer((1, height, PIECE), LETTERS, width, 0.1)

    def scores(self, strip: Strip) -> torch.Tensor:
        """(letters, 26) log-probabilities."""
        return self.scorer(piece_images(strip, list(zip(strip.begins, strip.ends, strict=True)))).log_softmax(-1)

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Cross-entropy of the letters."""
        pieces = torch.cat([piece_images(s, list(zip(s.begins, s.ends, strict=True))) for s in strips])
        return nn.functional.cross_entropy(self.scorer(pieces), torch.cat([s.labels for s in strips]))

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: list[list[int]] | None) -> list[list[int]]:
        """Best letters, or best word of the lexicon with as many letters."""
        found = []
        for strip in strips:
            scores = self.scores(strip)
            fitting = [word for word in lexicon or [] if len(word) == len(scores)]
            if not fitting:
                found.append(scores.argmax(-1).tolist())
                continue
            each = scores.gather(1, torch.tensor(fitting).T).sum(0)
            found.append(fitting[int(each.argmax())])
        return found


class ColumnReader(nn.Module):
    """Convolutions over the strip and a CTC output every second column; label 0 is the blank."""

    def __init__(self, height: int, width: int):
        super().__init__()
        wide = 2 * width
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, wide, 3, padding=1),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.MaxPool2d((2, 1)),
        )
        self.head = nn.Sequential(
            nn.Conv1d(wide * (height // 4), 4 * width, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(4 * width, LETTERS + 1, 3, padding=1),
        )

    def log_probs(self, strips: list[Strip]) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, 27) log-probabilities and the frames of each."""
        lengths = torch.tensor([s.image.shape[1] // 2 for s in strips])
        images = torch.zeros(len(strips), 1, strips[0].image.shape[0], 2 * int(lengths.max()))
        for b, strip in enumerate(strips):
            images[b, 0, :, : 2 * lengths[b]] = strip.image[:, : 2 * lengths[b]]
        return self.head(self.features(images).flatten(1, 2)).transpose(1, 2).log_softmax(-1), lengths

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Minus the log-probability of the words, by letter; words that do not fit in their frames are left out."""
        log_probs, lengths = self.log_probs(strips)
        targets = nn.utils.rnn.pad_sequence([s.labels + 1 for s in strips], batch_first=True, padding_value=1)
        sizes = torch.tensor([len(s.labels) for s in strips])
        total = CTC(log_probs, targets, lengths, sizes).log_partition()
        return -(total / sizes)[total > -torch.inf].mean()

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: list[list[int]] | None) -> list[list[int]]:
        """Best label a frame, collapsed; or the word of the lexicon with the largest probability."""
        log_probs, lengths = self.log_probs(strips)
        found = []
        for scores, n in zip(log_probs, lengths.tolist(), strict=True):
            if lexicon is None:
                merged = torch.unique_consecutive(scores[:n].argmax(-1))
                found.append((merged[merged > 0] - 1).tolist())
                continue
            words = [torch.tensor(word) + 1 for word in lexicon]
            targets = nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=1)
            sizes = torch.tensor([len(word) for word in words])
            frames = scores[:n].expand(len(words), -1, -1)
            found.append(lexicon[int(CTC(frames, targets, target_lengths=sizes).log_partition().argmax())])
        return found


@dataclass
class _Plan:
    """What is fixed for a strip: its pieces, the graph of all readings, and that of the right ones."""

    spans: list[tuple[int, int]]
    every: Lattice
    right: Lattice
    right_arcs: torch.Tensor  # arc of ``every`` behind each arc of ``right``


class GraphReader(nn.Module):
    """Over-segmentation, a recogniser on each candidate piece, a lattice of interpretations, trained as a whole.

    The loss is Bottou and LeCun's discriminative forward criterion: the log-sum over all paths of the lattice minus
    that over the paths which spell the word.
    """

    def __init__(self, height: int, width: int):
        super().__init__()
        self.scorer = LetterScorer((1, height, PIECE), LETTERS, width, 0.1)
        self._plans: dict[int, _Plan] = {}

    def plan(self, strip: Strip) -> _Plan:
        """Return the lattice's shape for a strip, made once."""
        if id(strip) not in self._plans:
            self._plans[id(strip)] = _plan(strip)
        return self._plans[id(strip)]

    def lattices(self, strips: list[Strip]) -> tuple[Lattice, Lattice]:
        """Return the lattices of all readings and of the right ones, with the recogniser's scores."""
        plans = [self.plan(strip) for strip in strips]
        pieces = torch.cat([piece_images(s, p.spans) for s, p in zip(strips, plans, strict=True)])
        scores = self.scorer(pieces).split([len(plan.spans) for plan in plans])
        weights = [part.reshape(-1) for part in scores]
        every = Lattice.stack([plan.every for plan in plans]).with_weight(torch.cat(weights))
        kept = [weight[plan.right_arcs] for weight, plan in zip(weights, plans, strict=True)]
        return every, Lattice.stack([plan.right for plan in plans]).with_weight(torch.cat(kept))

    def loss(self, strips: list[Strip]) -> torch.Tensor:
        """Discriminative forward criterion, by letter; words that the cuts cannot spell are left out."""
        every, right = self.lattices(strips)
        sizes = torch.tensor([len(s.labels) for s in strips])
        spelled = right.forward()
        return ((every.forward() - spelled) / sizes)[spelled > -torch.inf].mean()

    @torch.no_grad()
    def read(self, strips: list[Strip], lexicon: Lattice | None) -> list[list[int]]:
        """Return what the best paths spell, within a lexicon's acceptor if one is given."""
        every, _ = self.lattices(strips)
        return (every if lexicon is None else every.intersect(lexicon)).paths()


def _plan(strip: Strip) -> _Plan:
    cuts = strip.cuts
    spans, source, target, labels = [], [], [], []
    for i in range(len(cuts)):
        for j in range(i + 1, min(i + LONGEST, len(cuts) - 1) + 1):
            if cuts[j] - cuts[i] > PIECE + 2 and j > i + 1:
                continue
            spans.append((cuts[i], cuts[j]))
            for letter in range(LETTERS):
                source.append(i)
                target.append(j)
                labels.append(letter)
    weight = torch.arange(len(source), dtype=torch.float64)  # the arc's number, to be seen in what comes out
    every = Lattice(source, target, weight, len(cuts), [0], [len(cuts) - 1], labels=labels)
    word = Lattice.from_lexicon([strip.labels.tolist()], torch.zeros(1, dtype=torch.float64))
    right = every.intersect(word)
    return _Plan(spans, every, right, right.weight.long())
