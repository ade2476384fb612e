"""Learn to read numbers from their order: the relaxed bubble sort counts the swaps that the scores still need."""

from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from torch import Tensor, nn

import algonets as an
from algonets.data import Digits, Mnist, NumberSets
from algonets.experiments._options import at_least
from algonets.experiments.relax.comparison import Comparison
from algonets.experiments.relax.methods import LawName, Method
from algonets.experiments.relax.report import draw_curves, draw_scales
from algonets.experiments.sort_digits.evaluate import evaluate
from algonets.experiments.sort_digits.model import order_loss
from algonets.nets import DigitRanker

__all__ = ["RelaxSortExperiment", "SortTask", "bubble_sort"]

_CURVE_SETS = 300


@an.relax
def bubble_sort(scores):
    """Sort; returns the sorted scores and the number of swaps."""
    n = len(scores) - 1
    swaps = 0
    swapped = True
    while swapped:
        swapped = False
        for i in range(n):
            if scores[i] > scores[i + 1]:
                scores[i], scores[i + 1] = scores[i + 1], scores[i]
                swapped = True
                swaps += 1
        n -= 1
    return scores, swaps


class SortTask:
    """Numbers glued from digits; what is known of a set is its order.

    Args:
        train: images and labels of single digits.
        test: sets to measure on.
        batch_size: sets of a batch.
        width: channels of the network.
    """

    score = "EM"

    def __init__(self, train: tuple[Tensor, Tensor], test: NumberSets, batch_size: int, width: int):
        self.train, self.test, self.batch_size, self.width = train, test, batch_size, width

    def network(self, method: Method) -> nn.Module:
        """One score for each number."""
        return DigitRanker(self.test.image_shape, self.width)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Sets whose numbers are in their true order."""
        seed = int(torch.randint(2**62, (), generator=generator))
        sets = NumberSets(*self.train, self.test.n, self.test.digits, self.batch_size, seed)
        images, values = sets.batch(range(self.batch_size))
        order = values.argsort(-1)
        return images[torch.arange(len(values))[:, None], order], values.gather(-1, order)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], method: Method) -> Tensor:
        """The swaps that the scores need, which should be none."""
        images, values = batch
        scores = network(images)
        if method.law is None:
            return order_loss(method.family, scores, values)  # pyright: ignore[reportArgumentType]
        _, swaps = bubble_sort.soft(scores, distribution=method.law)
        return swaps.mean()

    def measure(self, network: nn.Module, final: bool) -> dict[str, float]:
        """Sets with every rank right, and ranks that are right."""
        found = evaluate(network, self.test if final else self.test.head(_CURVE_SETS))
        return {"EM": 100 * found.exact_match, "EW": 100 * found.element_wise}


class RelaxSortExperiment(Comparison):
    """Order numbers, each glued from images of digits, after training on nothing but orders.

    A network gives each number of a set a score; the scores, put into the true order, go through bubble sort, relaxed
    by algonets.relax, and the loss is the expected number of swaps. Baselines without the algorithm: the logistic loss
    of every pair, and the ranks as targets of a regression. Writes a table to the console and, into the output folder:
    metrics.json, report.png, and for each method checkpoints, TensorBoard logs and the settings.

    Args:
        data: digits are scikit-learn's, 8 x 8; mnist is read from the data directory or downloaded.
        n: Numbers a set.
        digits: Digits a number.
        test_sets: Held-out sets of the final scores.
        width: Channels of the first convolution.
    """

    name = "relax-sort"
    baselines = ("regression", "pairwise")

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        n: int = 5,
        digits: int = 4,
        test_sets: int = 2000,
        width: int = 16,
        laws: list[LawName] | None = None,
        scales: list[float] | None = None,
        steps: int = 1500,
        batch_size: int = 64,
        interval: int = 150,
        learning_rate: float = 2e-3,
        **options: Any,
    ):
        super().__init__(
            laws or ["logistic", "cauchy"],
            scales or [0.03, 0.1, 0.3],
            steps,
            batch_size,
            interval,
            learning_rate,
            **options,
        )
        at_least(2, n=n)
        at_least(1, digits=digits, test_sets=test_sets, width=width)
        self.data, self.n, self.digits, self.test_sets, self.width = data, n, digits, test_sets, width

    def settings(self) -> dict[str, Any]:
        """The options of this experiment."""
        return {
            "data": self.data,
            "n": self.n,
            "digits": self.digits,
            "test_sets": self.test_sets,
            "width": self.width,
        }

    def task(self, console: Console) -> SortTask:
        """Read the digits and glue the held-out sets."""
        train, test = (Digits(part) if self.data == "digits" else Mnist(part, self.data_dir) for part in (True, False))
        sets = NumberSets(test.images, test.labels, self.n, self.digits, self.test_sets, self.seed)
        console.print(f"[bold]train   [/] {len(train)} images of digits\n[bold]held out[/] {sets!r}")
        return SortTask((train.images, train.labels), sets, self.batch_size, self.width)

    def picture(self, path: Path, metrics: dict[str, Any], task: Any, networks: dict[str, nn.Module]) -> None:
        """Scores over temperature and over steps."""
        import matplotlib.figure

        figure = matplotlib.figure.Figure(figsize=(11, 4.5), layout="constrained", dpi=110)
        left, right = figure.subplots(1, 2)
        label = "held-out sets in the right order, %"
        draw_scales(left, metrics, label)
        draw_curves(right, metrics, label)
        figure.suptitle(f"Order of {self.n} numbers of {self.digits} digits from the swaps of a relaxed bubble sort")
        figure.savefig(path)
