"""Two domains, labels in one of them: an adversary makes the features alike."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._report import Criterion, at_least
from algonets.experiments.training.samples import accuracy, load_samples
from algonets.experiments.training.study import Study, best_setting, entry
from algonets.training import Annealing, DomainAdversary, GradientReversal, RampSchedule

__all__ = ["DomainAdversaryExperiment", "change_background", "moons"]

TITLES = {"source": "source only", "adversary": "domain adversary", "target": "trained on the target"}
GRID = [(rate, part) for rate in (1e-3, 3e-3) for part in (0.3, 1.0)]
TASKS = {"moons": "rotated moons", "digits": "digits, changed backgrounds"}


class Domains(NamedTuple):
    """Inputs and labels of both domains; the labels of the target serve testing and the upper bound alone."""

    x: Tensor
    y: Tensor
    target_x: Tensor
    target_y: Tensor
    test_x: Tensor
    test_y: Tensor


class Classifier(nn.Module):
    """Features, and a linear classifier on them."""

    def __init__(self, features: nn.Sequential, width: int, classes: int):
        super().__init__()
        self.features = features
        self.head = nn.Linear(width, classes)

    @classmethod
    def of_points(cls) -> "Classifier":
        """A perceptron for two coordinates."""
        return cls(nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU()), 16, 2)

    @classmethod
    def of_pictures(cls) -> "Classifier":
        """Three convolutions for 8 x 8 pixels; no batch norm, whose statistics would differ between the domains."""
        layers = [nn.Unflatten(1, (1, 8, 8))]
        for inputs, outputs, pool in ((1, 16, 1), (16, 32, 2), (32, 32, 2)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(pool)]
        return cls(nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 64), nn.ReLU()), 64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.head(self.features(x))


class DomainAdversaryExperiment(Study):
    """Learn from labels in a source domain, and from unlabelled examples of a target domain, with an adversary.

    Args:
        seeds: How many.
        angle: Degrees by which the target moons are rotated.
        steps: Of training.
        strength: Of the adversary at the end, in percent, at most; rate and strength are chosen by reverse validation.
        common: See the base class.
    """

    name = "domain-adversary"

    def __init__(
        self,
        seeds: int = 3,
        angle: int = 35,
        steps: int = 1000,
        strength: int = 100,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(seeds=seeds, angle=angle, steps=steps, strength=strength)
        self.digits = load_samples("digits", None)

    def prepare(self) -> dict[str, Any]:
        """Choose rate and strength with no label of the target: by reverse validation (Ganin et al. 2016, 5.1.2)."""
        chosen = {}
        grid = [(rate, part * self.strength / 100) for rate, part in GRID]
        for task in TASKS:
            rate, strength = best_setting(lambda *setting, task=task: self._reverse(task, *setting), grid)
            chosen[task] = {"rate": rate, "strength": strength}
            self.console.print(f"{task}: {chosen[task]}")
        return chosen

    def _reverse(self, task: str, rate: float, strength: float, seed: int) -> float:
        """Percent wrong on the source, after adapting to the target, and back from the labels guessed there."""
        domains = self._domains(task, seed)
        there = self._fit(domains, "adversary", rate, strength, seed)
        with torch.no_grad():
            guessed = there(domains.target_x).argmax(-1)
        swapped = domains._replace(x=domains.target_x, y=guessed, target_x=domains.x, target_y=domains.y)
        back = self._fit(swapped, "adversary", rate, strength, seed)
        return 100 - accuracy(back, domains.x, domains.y)

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Both tasks, three ways each."""
        return {task: {way: self._train(task, way, seed) for way in TITLES} for task in TASKS}

    def _domains(self, task: str, seed: int) -> Domains:
        generator = torch.Generator().manual_seed(seed)
        if task == "moons":
            x, y = moons(600, 0.0, generator)
            return Domains(x, y, *moons(600, self.angle, generator), *moons(1000, self.angle, generator))
        data = self.digits
        half = len(data.x) // 2
        changed = change_background(data.x, generator)
        test = change_background(data.test_x, generator)
        return Domains(data.x[:half], data.y[:half], changed[half:], data.y[half:], test, data.test_y)

    def _train(self, task: str, way: str, seed: int) -> dict[str, float]:
        domains = self._domains(task, seed)
        model = self._fit(domains, way, **self.chosen[task], seed=seed)
        return {
            "target": accuracy(model, domains.test_x, domains.test_y),
            "source": accuracy(model, domains.x, domains.y),
        }

    def _fit(self, domains: Domains, way: str, rate: float, strength: float, seed: int) -> Classifier:
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        points = domains.x.shape[1] == 2
        model = Classifier.of_points() if points else Classifier.of_pictures()
        adversary = DomainAdversary(model.head.in_features, 32)
        annealing = Annealing(adversary, GradientReversal, RampSchedule(strength))
        optimizer = torch.optim.Adam([*model.parameters(), *adversary.parameters()], rate)
        # On pictures the game between the two swings to the end unless the rate falls; the moons need the whole rate.
        slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1.0 if points else 0.0, self.steps)
        x, y = (domains.target_x, domains.target_y) if way == "target" else (domains.x, domains.y)
        for step in range(self.steps):
            annealing.set(step / self.steps)
            chosen = torch.randint(len(x), (64,), generator=generator)
            features = model.features(x[chosen])  # each domain by itself
            loss = functional.cross_entropy(model.head(features), y[chosen])
            if way == "adversary":
                other = torch.randint(len(domains.target_x), (64,), generator=generator)
                loss = loss + adversary(features, model.features(domains.target_x[other]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            slower.step()
        return model

    def criteria(self, mean: Any) -> list[Criterion]:
        """At least half of the way."""
        return [at_least(f"{TASKS[task]}: part of the way", part, 0.5) for task, part in _ways(mean)]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Accuracies on both domains."""
        rows = [
            [
                f"{TASKS[task]}: {title}",
                *[entry(mean[task][way][k], deviation[task][way][k], 1) for k in ("source", "target")],
            ]
            for task in TASKS
            for way, title in TITLES.items()
        ]
        return ["trained", "source domain, training accuracy %", "target domain, test accuracy %"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Accuracies; examples of both domains."""
        left, right = figure.subplots(1, 2)
        colours = ("0.6", "#c0392b", "#1f3b73")
        for k, task in enumerate(TASKS):
            for j, (way, title) in enumerate(TITLES.items()):
                found = mean[task][way]["target"], deviation[task][way]["target"]
                label = title if k == 0 else None
                left.bar(4 * k + j, found[0], yerr=found[1], color=colours[j], capsize=3, label=label)
        left.set(xticks=[1, 5], xticklabels=list(TASKS.values()), ylabel="accuracy on the target, %", ylim=(0, 125))
        left.set_yticks(range(0, 101, 20))
        left.legend(frameon=False, fontsize=8, ncols=3)
        domains = self._domains("digits", 0)
        rows = [part[:8].reshape(8, 8, 8).transpose(0, 1).reshape(8, 64) for part in (domains.x, domains.target_x)]
        right.imshow(torch.cat([rows[0], torch.full((1, 64), 0.5), rows[1]]), cmap="gray", vmin=0, vmax=1)
        right.set(xticks=[], yticks=[4, 13], yticklabels=["source", "target"], title="Digits, backgrounds changed")


def _ways(mean: Any) -> list[tuple[str, float]]:
    found = []
    for task in TASKS:
        low, own, high = (mean[task][way]["target"] for way in TITLES)
        found.append((task, (own - low) / (high - low) if high > low else 0.0))
    return found


def moons(count: int, angle: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two interleaved half circles with noise, rotated by degrees around their middle."""
    y = torch.arange(count) % 2
    t = math.pi * torch.rand(count, generator=generator)
    upper = torch.stack([t.cos(), t.sin()], 1)
    lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)
    x = torch.where(y[:, None] == 0, upper, lower) - torch.tensor([0.5, 0.25])
    x = x + 0.1 * torch.randn(x.shape, generator=generator)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return x @ torch.tensor([[c, s], [-s, c]]), y


def change_background(images: Tensor, generator: torch.Generator) -> Tensor:
    """Put a random slope behind the strokes, ``(N, 64)`` in [0, 1]."""
    grid = torch.linspace(-1, 1, 8)
    direction = 2 * math.pi * torch.rand(len(images), 1, 1, generator=generator)
    slope = direction.cos() * grid[:, None] + direction.sin() * grid[None, :]
    level = 0.2 + 0.4 * torch.rand(len(images), 1, 1, generator=generator)
    background = (level + 0.25 * slope).clamp(0, 1).flatten(1)
    return images + (1 - images) * background
