"""How much of a network can go: pruning by magnitude, at random, by signal to noise; bits."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._report import Criterion, at_least, at_most
from algonets.experiments._training import RunError
from algonets.experiments.training.samples import accuracy, batches, load_samples
from algonets.experiments.training.study import Study, entry
from algonets.nets import MLP
from algonets.training import (
    BayesianLinear,
    description_length,
    gradual_pruning,
    prune_magnitude,
    prune_random,
    round_weights,
    sparsity,
)

__all__ = ["CompressExperiment"]

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98)
STEP = 2**-5
TITLES = {
    "dense": "all weights",
    "magnitude": "by magnitude, gradually",
    "one shot": "by magnitude at once, no training after",
    "random": "at random, gradually",
    "bayes": "by signal to noise (Bayes by backprop)",
}


class CompressExperiment(Study):
    """Remove most of the weights of a classifier, by magnitude, at random, by signal to noise; count bits.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        seeds: How many.
        size: Training images.
        epochs: Passes over the data before pruning.
        tuning: Passes after; before each of the first half, a step of gradual pruning.
        amount: Percent of the weights that go.
        common: See the base class.
    """

    name = "compress"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        seeds: int = 3,
        size: int = 10_000,
        epochs: int = 8,
        tuning: int = 16,
        amount: int = 90,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, seeds=seeds, size=size, epochs=epochs, tuning=tuning, amount=amount)
        if amount > 99:
            raise RunError(f"--amount must be at most 99 percent, got {amount}.")
        self.gone = amount / 100
        self.samples = load_samples(data, self.data_dir, size)

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train once, prune in several ways."""
        generator = torch.Generator().manual_seed(seed)
        dense = self._network()
        self._fit(dense, self.epochs, generator)
        found = {"one shot": self._judge(prune_magnitude(copy.deepcopy(dense), self.gone))}
        for name in ("magnitude", "random"):
            model = copy.deepcopy(dense)
            self._fit(model, self.tuning, generator, prune=self._pruning(name, model, generator))
            found[name] = self._judge(model)
        curve = {f"{level:g}": accuracy(prune_magnitude(copy.deepcopy(dense), level), *self._test) for level in LEVELS}
        self._fit(dense, self.tuning, generator, prune=iter(()))  # as long as the pruned ones, with their rates
        found["dense"] = self._judge(dense)
        found["bayes"] = self._bayes(generator)
        return {"methods": {name: found[name] for name in TITLES}, "one shot by level": curve}

    def _network(self) -> nn.Sequential:
        return MLP((self.samples.x.shape[1], 300, 100, 10)).layers

    @property
    def _test(self) -> tuple[Tensor, Tensor]:
        return self.samples.test_x, self.samples.test_y

    def _pruning(self, name: str, model: nn.Module, generator: torch.Generator) -> Iterator[float]:
        """A step before each of the first half of the epochs; the rest is for recovery."""
        steps = max(1, self.tuning // 2)
        if name == "magnitude":
            return gradual_pruning(model, self.gone, steps)
        parts = [self.gone * (1 - (1 - k / steps) ** 3) for k in range(1, steps + 1)]
        return (sparsity(prune_random(model, part, generator=generator)) for part in parts)

    def _fit(
        self,
        model: nn.Module,
        epochs: int,
        generator: torch.Generator,
        cost: Callable[[], Tensor] | None = None,
        prune: Iterator[float] | None = None,
    ) -> None:
        """Train by Adam; when tuning, prune before an epoch while there is something to, and let the rate fall."""
        data, optimizer = self.samples, torch.optim.Adam(model.parameters(), 1e-3)
        for epoch in range(epochs):
            if prune is not None:
                next(prune, None)
                for group in optimizer.param_groups:
                    group["lr"] = 1e-3 * (1 - epoch / epochs)
            for chosen in batches(len(data.x), 100, generator):
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(data.x[chosen]), data.y[chosen])
                (loss if cost is None else loss + cost()).backward()
                optimizer.step()

    def _bayes(self, generator: torch.Generator) -> dict[str, float]:
        inputs = self.samples.x.shape[1]
        layers = [BayesianLinear(a, b, 0.1, 0.02) for a, b in ((inputs, 300), (300, 100), (100, 10))]
        model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self._fit(
            model,
            self.epochs + self.tuning,
            generator,
            lambda: torch.stack([layer.kl() for layer in layers]).sum() * (0.1 / len(self.samples.x)),
        )
        ratios = torch.cat([layer.signal_to_noise().flatten() for layer in layers])
        threshold = ratios.sort().values[round(self.gone * len(ratios))].item()
        for layer in layers:
            layer.prune(threshold)
        weights = [part.detach() for layer in layers for part in (layer.mean * layer.mask, layer.bias)]
        zeros = sum(int((w == 0).sum()) for w in weights[::2]) / sum(w.numel() for w in weights[::2])
        score = accuracy(model, *self._test)
        with torch.no_grad():
            for layer in layers:
                layer.mean.copy_((layer.mean / STEP).round() * STEP)
                layer.bias.copy_((layer.bias / STEP).round() * STEP)
        bits = description_length(weights, STEP).bits
        return {"test": score, "rounded": accuracy(model, *self._test), "gone": 100 * zeros, "kbit": bits / 1000}

    def _judge(self, model: nn.Module) -> dict[str, float]:
        final = self._network()  # masked weights are no leaves: a module that has them cannot be copied
        with torch.no_grad():
            for layer, pruned in zip(final, model.children(), strict=True):
                if isinstance(layer, nn.Linear) and isinstance(pruned, nn.Linear):
                    layer.weight.copy_(pruned.weight)
                    layer.bias.copy_(pruned.bias)
        score, gone = accuracy(final, *self._test), 100 * sparsity(final)
        round_weights(final, STEP)
        bits = description_length(final, STEP).bits
        return {"test": score, "rounded": accuracy(final, *self._test), "gone": gone, "kbit": bits / 1000}

    def criteria(self, mean: Any) -> list[Criterion]:
        """The target, and the control."""
        scores = {name: found["test"] for name, found in mean["methods"].items()}
        return [
            at_most(f"points lost, {self.amount} % gone by magnitude", scores["dense"] - scores["magnitude"], 0.1),
            at_least("points that are lost more at random", scores["magnitude"] - scores["random"], 0.1),
        ]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Accuracy and bits."""
        rows = [
            [title, *[entry(mean["methods"][n][k], deviation["methods"][n][k], d) for k, d in _COLUMNS]]
            for n, title in TITLES.items()
        ]
        return ["which go", "weights gone %", "test accuracy %", "rounded to 1/32", "kilobits"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Accuracy by bits, and by what is gone at once."""
        left, right = figure.subplots(1, 2)
        for (name, title), colour in zip(
            TITLES.items(), ("black", "#1f3b73", "#d9902f", "#c0392b", "#3d9970"), strict=True
        ):
            found, spread = mean["methods"][name], deviation["methods"][name]
            left.errorbar(
                found["kbit"], found["rounded"], spread["rounded"], spread["kbit"], "o", color=colour, label=title
            )
        left.set(xlabel="kilobits", xscale="log", ylabel="test accuracy of rounded weights, %")
        left.legend(frameon=False, fontsize=7, loc="lower right")
        curve, spread = mean["one shot by level"], deviation["one shot by level"]
        right.errorbar(
            [100 * float(k) for k in curve], list(curve.values()), list(spread.values()), fmt="o-", color="#d9902f"
        )
        right.axhline(mean["methods"]["dense"]["test"], color="black", lw=0.8)
        right.set(xlabel="removed at once by magnitude, %", ylabel="test accuracy, %", title="Without training after")


_COLUMNS = (("gone", 1), ("test", 2), ("rounded", 2), ("kbit", 0))
