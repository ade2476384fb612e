"""ISAAC Newton against SGD on a deep perceptron."""

from typing import Any, Literal

import torch
from rich.console import Console
from torch import nn
from torch.nn import functional

from algonets.experiments.training.samples import accuracy, batches, load_samples, perceptron
from algonets.experiments.training.study import Study, best_setting, entry
from algonets.training import IsaacNewton

__all__ = ["IsaacExperiment"]

TITLES = {"sgd": "SGD", "isaac": "ISAAC + SGD", "adam": "Adam"}


class IsaacExperiment(Study):
    """Train a deep perceptron by SGD with ordinary gradients, with those of ISAAC, and by Adam.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        data_dir: Folder of the datasets; by default $ALGONETS_DATA, else the user's cache.
        output: Folder for the results; by default runs/isaac.
        overwrite: Replace a run in the output folder.
        seeds: How many.
        epochs: Passes over the data.
        size: Training images.
        width: Units of a hidden layer.
        depth: Hidden layers.
        batch_size: Images a step.
        trainer: Unused; the command line gives it to every experiment.
        config: Text to keep as config.yaml in the output folder.
    """

    name = "isaac"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        data_dir: str | None = None,
        output: str | None = None,
        overwrite: bool = False,
        seeds: int = 3,
        epochs: int = 4,
        size: int = 10_000,
        width: int = 200,
        depth: int = 5,
        batch_size: int = 60,
        trainer: dict[str, Any] | None = None,
        config: str | None = None,
    ):
        super().__init__(locals())
        self.epochs, self.width, self.depth, self.batch_size = epochs, width, depth, batch_size
        self.samples = load_samples(data, data_dir, size)
        self.chosen: dict[str, tuple[Any, ...]] = {}

    def prepare(self, console: Console) -> dict[str, Any]:
        """Choose rate and damping by the training loss after half of the epochs, on two other seeds."""
        grids = {
            "sgd": [(rate, 1.0) for rate in (0.1, 0.2, 0.3, 0.45, 0.7)],
            "isaac": [(rate, damping) for rate in (0.5, 1.0, 2.0) for damping in (0.1, 0.3, 1.0, 3.0)],
            "adam": [(rate, 1.0) for rate in (3e-4, 1e-3, 3e-3)],
        }
        half = max(1, self.epochs // 2)
        for name, grid in grids.items():
            self.chosen[name] = best_setting(
                lambda rate, damping, seed, name=name: self._train(name, rate, damping, half, seed)["loss"][-1],
                grid,
                seeds=(1000, 1001),
            )
            console.print(f"{name}: rate {self.chosen[name][0]}, damping {self.chosen[name][1]}")
        return {name: {"rate": pair[0], "damping": pair[1]} for name, pair in self.chosen.items()}

    def measure(self, seed: int) -> dict[str, Any]:
        """Train each from the same start."""
        found = {}
        for name in TITLES:
            rate, damping = self.chosen[name]
            found[name] = self._train(name, rate, damping, self.epochs, seed)
        return found

    def _train(self, name: str, rate: float, damping: float, epochs: int, seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        data, generator = self.samples, torch.Generator().manual_seed(seed)
        model: nn.Module = perceptron(data.x.shape[1], *[self.width] * self.depth, 10, activation=nn.ReLU)
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

    def criteria(self, mean: Any) -> dict[str, bool]:
        """The target, half way."""
        half = max(1, self.epochs // 2) - 1
        ratios = [own / other for own, other in zip(mean["isaac"]["loss"], mean["sgd"]["loss"], strict=True)]
        told = f"training loss after {half + 1} epochs at most 0.6 of that of SGD (it is {ratios[half]:.2f}"
        return {f"{told}; {ratios[-1]:.2f} after {self.epochs})": ratios[half] <= 0.6}

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
