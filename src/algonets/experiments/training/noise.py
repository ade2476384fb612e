"""Noise in the inputs against the penalty that it stands for, where labels are few."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._report import Criterion, at_least, at_most
from algonets.experiments.training.samples import accuracy, load_samples
from algonets.experiments.training.study import Study, entry
from algonets.nets import MLP
from algonets.training import CategoricalOutput, jacobian_penalty, noise_penalty

__all__ = ["NoiseExperiment"]

TITLES = {"plain": "neither", "noise": "input noise", "penalty": "its penalty, to second order"}
CHECKED = (0.005, 0.01, 0.02, 0.05, 0.1)


class NoiseExperiment(Study):
    """Train on few labels: plainly, with noise in the inputs, with the penalty that stands for it; test theory.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        seeds: How many.
        size: Training images.
        steps: Full-batch steps.
        sigma: Standard deviation of the noise; pixels are in [0, 1].
        draws: Draws of noise for the comparison with theory.
        common: See the base class.
    """

    name = "noise"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        seeds: int = 3,
        size: int = 100,
        steps: int = 400,
        sigma: float = 0.3,
        draws: int = 20_000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, seeds=seeds, size=size, steps=steps, sigma=sigma, draws=draws)
        self.samples = load_samples(data, self.data_dir)

    def prepare(self) -> dict[str, Any]:
        """Nothing: the penalty has the weight that theory gives to the noise."""
        return {"weight of the penalty": 0.5 * self.sigma**2}

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train three networks on the same few images; compare noise and theory on the first of them."""
        data = self.samples
        chosen = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(seed))[: self.size]
        x, y = data.x[chosen], data.y[chosen]
        found: dict[str, Any] = {}
        for name in TITLES:
            torch.manual_seed(seed)
            model = MLP((x.shape[1], 64, 10), "tanh")
            optimizer = torch.optim.Adam(model.parameters(), 0.005)
            generator = torch.Generator().manual_seed(seed)
            for _ in range(self.steps):
                optimizer.zero_grad()
                self._loss(name, model, x, y, generator).backward()
                optimizer.step()
            found[name] = {
                "test": accuracy(model, data.test_x, data.test_y),
                "noisy": accuracy(model, self._noisy(data.test_x, torch.Generator().manual_seed(seed)), data.test_y),
                "jacobian": jacobian_penalty(model, data.test_x[:100]).mean().item(),
            }
            if name == "plain":
                theory = self._theory(model, x[:8], y[:8], generator)
        return {"methods": found, "theory": theory}

    def _noisy(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x + self.sigma * torch.randn(x.shape, generator=generator)

    def _loss(self, name: str, model: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        if name == "noise":
            return functional.cross_entropy(model(self._noisy(x, generator)), y)
        loss = functional.cross_entropy(model(x), y)
        if name == "penalty":  # tr(J^T H J) / 2: a random d with E[d d^T] = H makes it one backward pass
            x = x.detach().requires_grad_()
            logits = model(x)
            seed = CategoricalOutput().sample(logits.detach(), generator)
            (along,) = torch.autograd.grad(logits, x, seed, create_graph=True)
            loss = loss + 0.5 * self.sigma**2 * along.square().sum(-1).mean()
        return loss

    def _theory(self, model: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, Any]:
        """E[noisy loss] - clean loss of the squared error, over what theory says, with and without the Hessian term."""
        targets = functional.one_hot(y, 10).double()
        model, x = model.double(), x.double()

        def square(z: Tensor, target: Tensor) -> Tensor:
            return (z.softmax(-1) - target).square().sum(-1)

        ratios: dict[str, list[float]] = {"full": [], "jacobian only": []}
        half = torch.randn(self.draws // 2, x.shape[1], generator=generator, dtype=torch.float64)
        noise = torch.cat([half, -half])
        for sigma in CHECKED:
            with torch.no_grad():
                drawn = [square(model(row + sigma * noise), t).mean() for row, t in zip(x, targets, strict=True)]
                excess = (torch.stack(drawn) - square(model(x), targets)).sum()
            for key, hessian in (("full", True), ("jacobian only", False)):
                penalty = noise_penalty(model, square, x, targets, sigma=sigma, hessian=hessian).sum()
                ratios[key].append((penalty / excess).item())
        return ratios

    def criteria(self, mean: Any) -> list[Criterion]:
        """Theory and practice."""
        off = {name: abs(ratios[0] - 1) for name, ratios in mean["theory"].items()}
        gains = [mean["methods"][name]["test"] - mean["methods"]["plain"]["test"] for name in ("noise", "penalty")]
        return [
            at_most("relative error of what theory says noise costs", off["full"], 0.02),
            at_least("the same without the Hessian term", off["jacobian only"], 0.05),
            at_least("points that noise gains, and points that the penalty gains", min(gains), 0.1),
        ]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Accuracies and sizes of Jacobians."""
        rows = [
            [
                title,
                *[entry(mean["methods"][n][k], deviation["methods"][n][k], 1) for k in ("test", "noisy", "jacobian")],
            ]
            for n, title in TITLES.items()
        ]
        return ["trained with", "test accuracy %", "the same, noisy images", "squared Jacobian"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Accuracies, and theory over practice."""
        left, right = figure.subplots(1, 2)
        colours = ("0.6", "#1f3b73", "#c0392b")
        for k, key in enumerate(("test", "noisy")):
            heights = [mean["methods"][name][key] for name in TITLES]
            errors = [deviation["methods"][name][key] for name in TITLES]
            left.bar([k * 4 + j for j in range(3)], heights, yerr=errors, color=colours, capsize=3)
        left.set(
            xticks=[1, 5], xticklabels=["clean test images", "noisy test images"], ylabel="accuracy, %", ylim=(0, 125)
        )
        for j, (title, colour) in enumerate(zip(TITLES.values(), colours, strict=True)):
            left.bar(-10 - j, 0, color=colour, label=title)
        left.set_xlim(-0.8, 6.8)
        left.set_yticks(range(0, 101, 20))
        left.legend(frameon=False, fontsize=8, loc="upper center", ncols=3)
        for key, colour in (("full", "#1f3b73"), ("jacobian only", "#c0392b")):
            right.errorbar(CHECKED, mean["theory"][key], deviation["theory"][key], fmt="o-", color=colour, label=key)
        right.axhline(1, color="0.7", lw=0.8)
        right.set(xlabel="sigma", ylabel="penalty / what noise adds", xscale="log", title="Second-order theory")
        right.legend(frameon=False, fontsize=8)
