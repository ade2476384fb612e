"""ISAAC Newton against SGD on a deep perceptron."""

from typing import Any, Literal

import torch
from torch.nn import functional

from algonets.experiments._report import Criterion, at_most
from algonets.experiments.training.samples import accuracy, batches, load_samples
from algonets.experiments.training.study import Study, best_setting, entry
from algonets.nets import MLP
from algonets.training import IsaacNewton

__all__ = ["IsaacExperiment"]

TITLES = {"sgd": "SGD", "isaac": "ISAAC + SGD", "adam": "Adam"}


class IsaacExperiment(Study):
    """Train a deep perceptron by SGD with ordinary gradients, with those of ISAAC, and by Adam.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        seeds: How many.
        epochs: Passes over the data.
        size: Training images.
        width: Units of a hidden layer.
        depth: Hidden layers.
        batch_size: Images a step.
        common: See the base class.
    """

    name = "isaac"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        seeds: int = 3,
        epochs: int = 4,
        size: int = 10_000,
        width: int = 200,
        depth: int = 5,
        batch_size: int = 60,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, seeds=seeds, epochs=epochs, size=size, width=width, depth=depth, batch_size=batch_size)
        self.samples = load_samples(data, self.data_dir, size)

    def prepare(self) -> dict[str, Any]:
        """Choose rate and damping by the training loss after half of the epochs, on two other seeds."""
        grids = {
            "sgd": [(rate, 1.0) for rate in (0.1, 0.2, 0.3, 0.45, 0.7)],
            "isaac": [(rate, damping) for rate in (0.5, 1.0, 2.0) for damping in (0.1, 0.3, 1.0, 3.0)],
            "adam": [(rate, 1.0) for rate in (3e-4, 1e-3, 3e-3)],
        }
        half = max(1, self.epochs // 2)
        chosen = {}
        for name, grid in grids.items():
            rate, damping = best_setting(
                lambda rate, damping, seed, name=name: self._train(name, rate, damping, half, seed)["loss"][-1],
                grid,
                seeds=(1000, 1001),
            )
            chosen[name] = {"rate": rate, "damping": damping}
            self.console.print(f"{name}: {chosen[name]}")
        return chosen

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train each from the same start."""
        return {name: self._train(name, **self.chosen[name], epochs=self.epochs, seed=seed) for name in TITLES}

    def _train(self, name: str, rate: float, damping: float, epochs: int, seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        data, generator = self.samples, torch.Generator().manual_seed(seed)
        model = MLP((data.x.shape[1], *[self.width] * self.depth, 10))
        if name == "isaac":
            IsaacNewton.replace(model, damping)
        kind = torch.optim.Adam if name == "adam" else torch.optim.SGD
        optimizer = kind(model.parameters(), rate)
        losses, scores = [], []
        for _ in range(epochs):
            for chosen in batches(len(data.x), self.batch_size, generator):
                optimizer.zero_grad()
                functional.cross_entropy(model(data.x[chosen]), data.y[chosen]).backward()
                optimizer.step()
            with torch.no_grad():
                losses.append(functional.cross_entropy(model(data.x), data.y).item())
            scores.append(accuracy(model, data.test_x, data.test_y))
        return {"loss": losses, "test": scores}

    def criteria(self, mean: Any) -> list[Criterion]:
        """The target, half way."""
        half = max(1, self.epochs // 2)
        ratio = mean["isaac"]["loss"][half - 1] / mean["sgd"]["loss"][half - 1]
        return [at_most(f"training loss after {half} epochs, in parts of that of SGD", ratio, 0.6)]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Losses by epoch, accuracy."""
        rows = [
            [
                title,
                *[entry(m, d) for m, d in zip(mean[name]["loss"], deviation[name]["loss"], strict=True)],
                entry(mean[name]["test"][-1], deviation[name]["test"][-1], 1),
            ]
            for name, title in TITLES.items()
        ]
        return ["method", *[f"loss, epoch {k + 1}" for k in range(self.epochs)], "test accuracy %"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Training loss and test accuracy by epoch."""
        left, right = figure.subplots(1, 2)
        for (name, title), colour in zip(TITLES.items(), ("0.5", "#c0392b", "#d9902f"), strict=True):
            epochs = range(1, self.epochs + 1)
            left.errorbar(epochs, mean[name]["loss"], deviation[name]["loss"], fmt="o-", color=colour, label=title)
            right.errorbar(epochs, mean[name]["test"], deviation[name]["test"], fmt="o-", color=colour)
        left.set(xlabel="epoch", ylabel="training loss", yscale="log", xticks=range(1, self.epochs + 1))
        right.set(xlabel="epoch", ylabel="test accuracy, %", xticks=range(1, self.epochs + 1))
        left.legend(frameon=False, fontsize=8)
