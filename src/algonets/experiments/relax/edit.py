"""Learn letters from edit distances between words: nobody ever says which letter is which."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

import algonets as an
from algonets.data import AbstractWordDataset, OcrLetters, SyntheticWords
from algonets.data.lexicon import TEST_WORDS, TRAIN_WORDS
from algonets.experiments._options import at_least
from algonets.experiments._training import RunError
from algonets.experiments.relax.comparison import Comparison
from algonets.experiments.relax.methods import LawName, Method
from algonets.experiments.relax.report import draw_curves, draw_scales
from algonets.nets import LetterScorer

__all__ = ["EditTask", "RelaxEditExperiment", "edit_distance", "levenshtein"]

_CURVE_LETTERS = 1500


@an.relax
def levenshtein(x, y, m, n):
    """The edit distance of the first ``m`` letters of ``x`` and the first ``n`` of ``y``; a letter is a row."""
    d = torch.zeros(len(x) + 1, len(y) + 1)
    for i in range(len(x) + 1):
        d[i, 0] = i
    for j in range(len(y) + 1):
        d[0, j] = j
    for i in range(len(x)):
        for j in range(len(y)):
            cost = 0.0 if an.relax.equal(x[i], y[j]) else 1.0
            d[i + 1, j + 1] = min(d[i, j + 1] + 1, d[i + 1, j] + 1, d[i, j] + cost)
    return d[m, n]


def edit_distance(a: str, b: str) -> int:
    """The edit distance of two strings.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


class _Letters(nn.Module):
    """Probabilities of letter clusters; the baseline has a network beside it that guesses the distance of two words."""

    def __init__(self, image_shape: tuple[int, int, int], clusters: int, width: int, longest: int, guess: bool):
        super().__init__()
        self.scorer = LetterScorer(image_shape, clusters, width, dropout=0.0)
        inputs = 2 * longest * (clusters + 1)
        self.guess = (
            nn.Sequential(nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
            if guess
            else None
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(self.scorer(images), -1)


class EditTask:
    """Pairs of words as rows of letter images; what is known of a pair is its edit distance.

    Args:
        train: words to train on.
        test: words whose letters are held out.
        batch_size: pairs of a batch.
        clusters: letters that the network tells apart.
        longest: words have at most so many letters.
        width: channels of the network.
    """

    score = "letters"

    def __init__(
        self,
        train: AbstractWordDataset,
        test: AbstractWordDataset,
        batch_size: int,
        clusters: int,
        longest: int,
        width: int,
    ):
        self.train, self.batch_size, self.clusters = train, batch_size, clusters
        self.longest, self.width = longest, width
        self.usable = [k for k, word in enumerate(train.words) if len(word) <= longest]
        if len(self.usable) < 2:
            raise RunError(f"--longest must leave words to train on, got {longest}.")
        self.alike: dict[str, list[int]] = {}
        for k in self.usable:
            self.alike.setdefault(train.words[k], []).append(k)
        kept = [k for k, word in enumerate(test.words) if len(word) <= longest]
        samples = [test[k] for k in kept] or [train[k] for k in self.usable[:10]]
        self.images = torch.cat([sample.images for sample in samples])
        self.labels = torch.cat([sample.labels for sample in samples])

    def network(self, method: Method) -> nn.Module:
        """A recogniser of letters."""
        return _Letters(self.train.image_shape, self.clusters, self.width, self.longest, method.law is None)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Pairs: a third of them are two pictures of one string, a third near each other, the rest as it comes."""
        left, right = [], []
        for k in range(self.batch_size):
            first = self._draw(self.usable, generator)
            others = [self._draw(self.usable, generator) for _ in range(1 if k % 3 == 0 else 8)]
            word = self.train.words[first]
            if k % 3 == 1:
                others = [self._draw(self.alike[word], generator)]
            left.append(first)
            right.append(min(others, key=lambda other: edit_distance(word, self.train.words[other])))
        words = [[self.train.words[k] for k in side] for side in (left, right)]
        distances = torch.tensor([float(edit_distance(a, b)) for a, b in zip(*words, strict=True)])
        lengths = torch.tensor([[len(word) for word in side] for side in words])
        return self._padded(left), self._padded(right), lengths[0], lengths[1], distances

    def _draw(self, items: list[int], generator: torch.Generator) -> int:
        return items[int(torch.randint(len(items), (), generator=generator))]

    def _padded(self, words: list[int]) -> Tensor:
        images = torch.zeros(len(words), self.longest, *self.train.image_shape)
        for row, k in enumerate(words):
            sample = self.train[k].images
            images[row, : len(sample)] = sample
        return images

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], method: Method) -> Tensor:
        """Squared error of the distance."""
        left, right, m, n, distances = batch
        x, y = network(torch.cat([left, right])).chunk(2)
        if method.law is not None:
            found = levenshtein.soft(x, y, m, n, distribution=method.law)
        else:
            positions = torch.arange(self.longest)
            sides = [
                torch.cat([p, torch.ones_like(p[..., :1])], -1) * (positions < length[:, None])[..., None]
                for p, length in ((x, m), (y, n))
            ]
            found = network.guess(torch.cat(sides, -1).flatten(1)).squeeze(-1)  # pyright: ignore
        return functional.mse_loss(found, distances)

    def measure(self, network: nn.Module, final: bool) -> dict[str, float]:
        """Held-out letters that are right under the best assignment of clusters to letters."""
        count = len(self.labels) if final else _CURVE_LETTERS
        with torch.inference_mode():
            found = torch.cat([network(part).argmax(-1) for part in self.images[:count].split(500)])
        table = torch.zeros(self.clusters, 26)
        table.index_put_((found, self.labels[:count]), torch.ones(len(found)), accumulate=True)
        used = int((table.sum(1) > 0).sum())
        return {"letters": 100 * _assigned(table) / len(found), "clusters used": 100 * used / self.clusters}


def _assigned(table: Tensor) -> float:
    """The most that an assignment of rows to columns collects."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-table.numpy())
    return float(table[torch.as_tensor(rows), torch.as_tensor(columns)].sum())


class RelaxEditExperiment(Comparison):
    """Recognise letters after training on nothing but the edit distances between words.

    A network turns each letter of two words into probabilities of clusters; Levenshtein's algorithm, relaxed by
    algonets.relax, computes their edit distance, and the loss is its squared error. Letters have no names, so accuracy
    is that of the best assignment of clusters to letters. The baseline has the same recogniser, and a network of two
    hidden layers in place of the algorithm. Writes a table to the console and, into the output folder: metrics.json,
    report.png, and for each method checkpoints, TensorBoard logs and the settings.

    Args:
        data: synthetic words are rendered; ocr is read from the data directory or downloaded.
        longest: Words of at most so many letters.
        clusters: Letters that the network can tell apart.
        train_size: Generated training words.
        test_size: Generated test words.
        difficulty: Of generated letters: factor on every distortion.
        width: Channels of the first convolution.
    """

    name = "relax-edit"
    baselines = ("network",)

    def __init__(
        self,
        data: Literal["synthetic", "ocr"] = "synthetic",
        longest: int = 5,
        clusters: int = 26,
        train_size: int = 3000,
        test_size: int = 1000,
        difficulty: float = 0.5,
        width: int = 16,
        laws: list[LawName] | None = None,
        scales: list[float] | None = None,
        steps: int = 600,
        batch_size: int = 48,
        interval: int = 100,
        learning_rate: float = 3e-3,
        **options: Any,
    ):
        super().__init__(
            laws or ["logistic", "cauchy"],
            scales or [0.1, 0.3, 1.0],
            steps,
            batch_size,
            interval,
            learning_rate,
            **options,
        )
        at_least(1, longest=longest, clusters=clusters, train_size=train_size, test_size=test_size, width=width)
        self.data, self.longest, self.clusters, self.width = data, longest, clusters, width
        self.sizes, self.difficulty = (train_size, test_size), difficulty

    def settings(self) -> dict[str, Any]:
        """The options of this experiment."""
        own = {"train_size": self.sizes[0], "test_size": self.sizes[1], "difficulty": self.difficulty}
        shared = {"data": self.data, "longest": self.longest, "clusters": self.clusters, "width": self.width}
        return {**shared, **(own if self.data == "synthetic" else {})}

    def task(self, console: Console) -> EditTask:
        """Render or read the words."""
        if self.data == "synthetic":
            train, test = (
                SyntheticWords(part, size, self.seed, lexicon=self._short(words), difficulty=self.difficulty)
                for part, size, words in zip((True, False), self.sizes, (TRAIN_WORDS, TEST_WORDS), strict=True)
            )
        else:
            train, test = (OcrLetters("large", 0, part, self.data_dir) for part in (True, False))
        console.print(f"[bold]train   [/] {train!r}\n[bold]held out[/] {test!r}")
        return EditTask(train, test, self.batch_size, self.clusters, self.longest, self.width)

    def _short(self, words: Sequence[str]) -> list[str]:
        short = [word for word in words if len(word) <= self.longest]
        if not short:
            raise RunError(f"--longest must leave words, got {self.longest}.")
        return short

    def picture(self, path: Path, metrics: dict[str, Any], task: Any, networks: dict[str, nn.Module]) -> None:
        """Scores over temperature and steps, and letters by the cluster that the best network puts them into."""
        import matplotlib.figure

        figure = matplotlib.figure.Figure(figsize=(11, 8), layout="constrained", dpi=110)
        above, below = figure.subfigures(2, 1, height_ratios=(4.5, 3.5))  # pyright: ignore[reportGeneralTypeIssues]
        left, right = above.subplots(1, 2)
        draw_scales(left, metrics, "held-out letters right, %")
        draw_curves(right, metrics, "held-out letters right, %")
        above.suptitle("Letters from nothing but edit distances between words")
        relaxed = [name for name in networks if metrics["methods"][name]["scale"]]
        best = max(relaxed, key=lambda name: metrics["methods"][name][task.score])
        with torch.inference_mode():
            found = networks[best](task.images[:_CURVE_LETTERS]).argmax(-1)
        shown = sorted(found.unique().tolist(), key=lambda c: -int((found == c).sum()))[:26]
        below.suptitle(f"Held-out letters, a column for each cluster that {best} found")
        axis = below.subplots()
        axis.imshow(_columns(task.images, found, shown, 5), cmap="gray_r", interpolation="nearest")
        axis.set_axis_off()
        figure.savefig(path)


def _columns(images: Tensor, found: Tensor, shown: list[int], count: int) -> Tensor:
    """The first images of each cluster, one below another."""
    height, width = images.shape[-2:]
    sheet = torch.zeros(count * (height + 1), len(shown) * (width + 2))
    for column, cluster in enumerate(shown):
        for row, k in enumerate((found == cluster).nonzero().flatten().tolist()[:count]):
            top, left = row * (height + 1), column * (width + 2)
            sheet[top : top + height, left : left + width] = images[k, 0]
    return sheet
