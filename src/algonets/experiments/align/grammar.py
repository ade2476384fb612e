"""A small grammar with ambiguous words, and parsers of its sentences: spans by CKY, heads by Eisner's algorithm."""

from typing import NamedTuple

import torch
from torch import nn

from algonets.dp import CKY, ProjectiveDependency
from algonets.losses import nll

__all__ = ["Parser", "Sentence", "make_sentences", "measure", "train"]

WORDS = {
    "D": ["the", "a", "every"],
    "A": ["old", "small", "red", "quick"],
    "N": ["dog", "cat", "bird", "saw", "park", "walk"],
    "V": ["saw", "walk", "chased", "likes"],
    "P": ["in", "near", "with"],
}
VOCABULARY = sorted({word for words in WORDS.values() for word in words})
LONGEST = 14


class Sentence(NamedTuple):
    """Words, the inner spans of its binary tree, and the head of each word (itself: the root)."""

    words: list[int]
    spans: set[tuple[int, int]]
    heads: list[int]


def make_sentences(count: int, generator: torch.Generator) -> list[Sentence]:
    """Draw sentences of 3 to 14 words."""
    found = []
    while len(found) < count:
        sentence = _Derivation(generator).sentence()
        if 3 <= len(sentence.words) <= LONGEST:
            found.append(sentence)
    return found


class _Derivation:
    """S: NP VP; NP: D N', with a phrase behind; N': A N' or N; VP: V NP; PP: P NP."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator
        self.words: list[int] = []
        self.spans: set[tuple[int, int]] = set()
        self.heads: dict[int, int] = {}

    def sentence(self) -> Sentence:
        subject = self.noun_phrase(0)
        split = len(self.words) - 1
        verb = self.word("V")
        other = self.noun_phrase(0)
        self.close(split + 1)
        self.close(0)
        self.heads |= {subject: verb, other: verb, verb: verb}
        return Sentence(self.words, self.spans, [self.heads[k] for k in range(len(self.words))])

    def noun_phrase(self, depth: int) -> int:
        begin = len(self.words)
        article = self.word("D")
        adjectives = [self.word("A") for _ in range(int(self.chance() < 0.4) + int(self.chance() < 0.15))]
        noun = self.word("N")
        for k, adjective in enumerate(reversed(adjectives)):
            self.spans.add((adjective, noun))
            self.heads[adjectives[k]] = noun
        self.close(begin)
        self.heads[article] = noun
        if depth < 1 and self.chance() < 0.35:
            phrase = len(self.words)
            preposition = self.word("P")
            inner = self.noun_phrase(depth + 1)
            self.close(phrase)
            self.close(begin)
            self.heads |= {preposition: noun, inner: preposition}
        return noun

    def word(self, kind: str) -> int:
        choice = int(torch.randint(len(WORDS[kind]), (), generator=self.generator))
        self.words.append(VOCABULARY.index(WORDS[kind][choice]))
        return len(self.words) - 1

    def close(self, begin: int) -> None:
        self.spans.add((begin, len(self.words) - 1))

    def chance(self) -> float:
        return float(torch.rand((), generator=self.generator))


class Parser(nn.Module):
    """Embeddings, a two-way GRU, and a score for each pair of words: of a span, or of a head and its child."""

    def __init__(self, size: int = 32):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY) + 1, size)
        self.context = nn.GRU(size, size // 2, batch_first=True, bidirectional=True)
        self.pair = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, 1))

    def forward(self, sentences: list[Sentence]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (B, n, n) scores and the lengths."""
        rows = [torch.tensor(s.words) + 1 for s in sentences]
        x = self.context(self.embedding(nn.utils.rnn.pad_sequence(rows, batch_first=True)))[0]
        n = x.shape[1]
        pairs = torch.cat([x.unsqueeze(2).expand(-1, -1, n, -1), x.unsqueeze(1).expand(-1, n, -1, -1)], 3)
        return self.pair(pairs).squeeze(3), torch.tensor([len(row) for row in rows])


def _span_parts(sentences: list[Sentence], n: int) -> torch.Tensor:
    parts = torch.zeros(len(sentences), n, n)
    for b, sentence in enumerate(sentences):
        for begin, end in sentence.spans:
            parts[b, begin, end] = 1
        for k in range(len(sentence.words)):
            parts[b, k, k] = 1
    return parts


def _heads(sentences: list[Sentence], n: int) -> torch.Tensor:
    return torch.tensor([s.heads + [0] * (n - len(s.heads)) for s in sentences])


def train(kind: str, sentences: list[Sentence], epochs: int, seed: int) -> Parser:
    """Train a parser: ``CKY`` and ``Eisner`` by their log-likelihood, ``local`` one head at a time."""
    torch.manual_seed(seed)
    parser = Parser()
    optimizer = torch.optim.Adam(parser.parameters(), 5e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(sentences)).split(32):
            batch = [sentences[k] for k in chosen.tolist()]
            scores, lengths = parser(batch)
            n = scores.shape[1]
            if kind == "CKY":
                loss = nll(CKY(scores.unsqueeze(3), lengths), _span_parts(batch, n).unsqueeze(3))
            elif kind == "Eisner":
                trees = ProjectiveDependency(scores, lengths)
                loss = nll(trees, trees.parts(_heads(batch, n)))
            else:
                inside = torch.arange(n) < lengths[:, None]
                log_p = scores.masked_fill(~inside.unsqueeze(2), -torch.inf).log_softmax(1)
                loss = -log_p.gather(1, _heads(batch, n).unsqueeze(1)).squeeze(1)[inside].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return parser.eval()


@torch.no_grad()
def measure(kind: str, parser: Parser, sentences: list[Sentence]) -> dict[str, float]:
    """Return the percentages of right spans or heads, and of sentences that are right as a whole."""
    scores, lengths = parser(sentences)
    right = total = whole = 0
    if kind == "CKY":
        for sentence, spans in zip(sentences, CKY(scores.unsqueeze(3), lengths).spans(), strict=True):
            found = {(i, j) for i, j, _ in spans if i < j}
            right, total, whole = (
                right + len(found & sentence.spans),
                total + len(found),
                whole + (found == sentence.spans),
            )
    else:
        inside = torch.arange(scores.shape[1]) < lengths[:, None]
        if kind == "Eisner":
            heads = ProjectiveDependency(scores, lengths).heads()
        else:
            heads = scores.masked_fill(~inside.unsqueeze(2), -torch.inf).argmax(1)
        for sentence, found in zip(sentences, heads.tolist(), strict=True):
            same = [a == b for a, b in zip(sentence.heads, found, strict=False)]
            right, total, whole = right + sum(same), total + len(same), whole + all(same)
    return {"right": round(100 * right / total, 2), "sentences": round(100 * whole / len(sentences), 2)}
