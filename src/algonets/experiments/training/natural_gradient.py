"""Natural gradient and K-FAC against gradient descent and Adam, full batch, a few steps."""

import time
from typing import Any, Literal

import torch
from torch.nn import functional

from algonets.experiments._report import Criterion, at_least, at_most
from algonets.experiments.training.samples import accuracy, load_samples
from algonets.experiments.training.study import Study, best_setting, entry
from algonets.nets import MLP
from algonets.training import KFAC, Backtracking, CategoricalOutput, NaturalGradient

__all__ = ["NaturalGradientExperiment"]

RATES = (0.1, 0.3, 1.0, 3.0)
ADAM_RATES = (0.003, 0.01, 0.03, 0.1)
TITLES = {"gd": "gradient descent", "adam": "Adam", "ngd": "natural gradient (CG)", "kfac": "K-FAC"}


class NaturalGradientExperiment(Study):
    """Train a small perceptron on digits for a few full-batch steps: gradient descent, Adam, natural gradient, K-FAC.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        seeds: How many.
        steps: Full-batch steps.
        size: Training images.
        width: Units of the two hidden layers.
        common: See the base class.
    """

    name = "natural-gradient"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        seeds: int = 3,
        steps: int = 15,
        size: int = 1437,
        width: int = 32,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, seeds=seeds, steps=steps, size=size, width=width)
        self.samples = load_samples(data, self.data_dir, size)

    def prepare(self) -> dict[str, Any]:
        """Choose the rates of the first-order methods."""
        return {
            name: best_setting(lambda rate, _, name=name: self._train(name, rate)["loss"][-1], [(r,) for r in grid])[0]
            for name, grid in (("gd", RATES), ("adam", ADAM_RATES))
        }

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train with every method from the same start."""
        found = {}
        for name in TITLES:
            torch.manual_seed(seed)
            found[name] = self._train(name, self.chosen.get(name, 1.0))
        return found

    def _train(self, name: str, rate: float) -> dict[str, Any]:
        data = self.samples
        model = MLP((data.x.shape[1], self.width, self.width, 10), "tanh")
        law, losses = CategoricalOutput(), []
        search = Backtracking()

        def closure() -> Any:
            outputs = model(data.x)
            return functional.cross_entropy(outputs, data.y), outputs

        begin = time.process_time()
        if name in ("gd", "adam"):
            kind = torch.optim.SGD if name == "gd" else torch.optim.Adam
            optimizer: Any = kind(model.parameters(), rate)
            for _ in range(self.steps):
                optimizer.zero_grad()
                loss = closure()[0]
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        else:
            if name == "ngd":
                optimizer = NaturalGradient(
                    model.parameters(), law, damping=1e-2, max_iterations=50, tolerance=1e-3, line_search=search
                )
            else:
                optimizer = KFAC(model, law, damping=1e-2, adaptive=True, line_search=search)
            losses = [optimizer.step(closure).item() for _ in range(self.steps)]
        seconds = time.process_time() - begin
        with torch.no_grad():
            losses.append(closure()[0].item())
        return {"loss": losses, "seconds": seconds, "test": accuracy(model, data.test_x, data.test_y)}

    def criteria(self, mean: Any) -> list[Criterion]:
        """The targets."""
        last = {name: found["loss"][-1] for name, found in mean.items()}
        told = f"loss after {self.steps} steps"
        return [
            at_most(f"{told}, natural gradient", last["ngd"], 0.01),
            at_most(f"{told}, K-FAC", last["kfac"], 0.1),
            at_least(f"{told}, gradient descent", last["gd"], 0.5),
        ]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Losses, time, accuracy."""
        rows = [
            [
                title,
                entry(mean[name]["loss"][-1], deviation[name]["loss"][-1], 4),
                entry(1000 * mean[name]["seconds"] / self.steps, 1000 * deviation[name]["seconds"] / self.steps, 1),
                entry(mean[name]["test"], deviation[name]["test"], 1),
            ]
            for name, title in TITLES.items()
        ]
        return ["method", f"training loss after {self.steps} steps", "ms a step", "test accuracy %"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Loss against steps and against time."""
        left, right = figure.subplots(1, 2, sharey=True)
        for (name, title), colour in zip(TITLES.items(), ("0.6", "#d9902f", "#1f3b73", "#c0392b"), strict=True):
            loss = mean[name]["loss"]
            left.semilogy(range(len(loss)), loss, "o-", ms=3, color=colour, label=title)
            times = [1000 * mean[name]["seconds"] * k / self.steps for k in range(len(loss))]
            right.semilogy(times, loss, "o-", ms=3, color=colour)
        left.set(xlabel="steps", ylabel="training loss", title="By steps")
        right.set(xlabel="ms", title="By time")
        left.legend(frameon=False, fontsize=8)
