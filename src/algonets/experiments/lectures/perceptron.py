"""Linear separability: what one unit can learn, what a hidden layer adds, and how width approximates a function."""

import itertools
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._pictures import COLOURS, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import MLP, Perceptron

__all__ = ["PerceptronExperiment"]

SQUARE = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = torch.tensor([0.0, 1.0, 1.0, 0.0])
TRIES = 3  # networks of each width; the median counts


@final
class PerceptronExperiment(AbstractExperiment):
    """A perceptron on all functions of two bits, an MLP on XOR, and one wide layer on a curve.

    Args:
        seeds: How many MLPs learn XOR.
        hidden: Their hidden units.
        widths: Hidden units of the networks that learn the curve.
        steps: Of each training.
        common: See the base class.
    """

    name = "perceptron"

    def __init__(
        self, seeds: int = 20, hidden: int = 4, widths: list[int] | None = None, steps: int = 1000, **common: Any
    ):
        super().__init__(**common)
        self.keep(seeds=seeds, hidden=hidden, widths=[1, 2, 4, 8, 16, 32, 64] if widths is None else widths)
        self.keep(steps=steps)

    def measure(self) -> Report:
        """Count what is learnt."""
        learnt = {
            bits: Perceptron(2).fit(SQUARE, torch.tensor(bits)) for bits in itertools.product([0.0, 1.0], repeat=4)
        }
        networks = nn.ModuleList(MLP((2, self.hidden, 1), "tanh") for _ in range(self.seeds))
        self.train("xor", networks, _xor_loss, lambda step: SQUARE, self.steps, 0.04)
        with torch.no_grad():
            solved = [bool(((net(SQUARE)[:, 0] > 0) == (XOR > 0.5)).all()) for net in networks]
        x = torch.linspace(-1, 1, 256)[:, None]
        wide = nn.ModuleList(_spread(MLP((1, width, 1), "tanh")) for width in self.widths for _ in range(TRIES))
        self.train("curve", wide, lambda nets, x: torch.stack(_errors(nets, x)).sum(), lambda step: x, self.steps, 0.02)
        with torch.no_grad():
            errors = torch.stack(_errors(wide, x)).sqrt().reshape(-1, TRIES).median(1).values.tolist()
        falls = sum(b < a for a, b in itertools.pairwise(errors))
        rows = [
            {"system": "perceptron", "task": "16 functions of 2 bits", "learnt": f"{sum(learnt.values())} of 16"},
            {"system": "perceptron", "task": "XOR", "learnt": "yes" if learnt[tuple(XOR.tolist())] else "no"},
            {"system": f"MLP 2-{self.hidden}-1", "task": "XOR", "learnt": f"{sum(solved)} of {self.seeds} seeds"},
        ]
        rows += [
            {"system": f"MLP 1-{width}-1", "task": "curve", "learnt": f"error {error:.4f}"}
            for width, error in zip(self.widths, errors, strict=True)
        ]
        criteria = [
            at_least("functions that a perceptron learns", sum(learnt.values()), 14),
            at_least("share of MLPs that solve XOR", sum(solved) / self.seeds, 0.9),
            at_least("error of the narrowest / error of the widest", errors[0] / errors[-1], 10),
            at_least("share of wider networks with a smaller error", falls / max(1, len(errors) - 1), 0.8),
        ]
        best = networks[solved.index(True) if any(solved) else 0]
        figure = self._draw(learnt, best, x, wide, errors)
        return Report("What one layer can do, and what two can", rows, criteria, figure, {"errors": errors})

    def _draw(self, learnt: dict, best: nn.Module, x: Tensor, wide: nn.ModuleList, errors: list[float]) -> Any:
        figure = new_figure(12, 4)
        grid, xor, curve, falling = figure.subplots(1, 4, width_ratios=(1, 1, 1.2, 1.2))
        for i, (bits, good) in enumerate(learnt.items()):
            top, left = i // 4 * 2.1, i % 4 * 2.1
            for (a, b), bit in zip(SQUARE.tolist(), bits, strict=True):
                grid.plot(left + a, -top + b, "o", ms=6, mec="black", mew=0.7, color="black" if bit else "white")
            if not good:
                grid.add_patch(_frame(left, -top))
        grid.set(xlim=(-0.6, 7.9), ylim=(-6.9, 1.6), aspect="equal")
        grid.axis("off")
        tidy(grid, "14 of 16 functions\nare linearly separable")
        line = torch.linspace(-0.4, 1.4, 120)
        b, a = torch.meshgrid(line, line, indexing="ij")
        with torch.no_grad():
            field = best(torch.stack([a, b], -1))[..., 0].sigmoid()
        show(xor, field, f"XOR by an MLP 2-{self.hidden}-1", cmap="RdBu_r", vmin=0, vmax=1, origin="lower",
             extent=(-0.4, 1.4, -0.4, 1.4))  # fmt: skip
        for (u, v), bit in zip(SQUARE.tolist(), XOR.tolist(), strict=True):
            xor.plot(u, v, "o", ms=11, mec="black", color="black" if bit else "white")
        xor.set(xlabel="first bit", ylabel="second bit")
        curve.plot(x, _target(x), color="0.7", lw=4, label="target")
        with torch.no_grad():
            for k, colour in zip((1, len(self.widths) // 2, len(self.widths) - 1), COLOURS, strict=False):
                curve.plot(x, wide[k * TRIES](x), color=colour, lw=1.3, label=f"{self.widths[k]} hidden")
        tidy(curve, "One hidden layer draws any curve", "x", "y", legend=True)
        falling.loglog(self.widths, errors, "o-", color=COLOURS[0])
        tidy(falling, "... the wider, the better", "hidden units", "root mean squared error")
        return figure


def _spread(network: MLP) -> MLP:
    """Give the hidden units steep slopes at places all over [-1, 1]: flat ones at the edge take very long to get
    there."""
    slopes, places = (network.get_parameter(f"layers.0.{name}") for name in ("weight", "bias"))
    with torch.no_grad():
        slopes.copy_(5 * torch.randn(slopes.shape))
        places.copy_(-slopes[:, 0] * torch.linspace(-0.95, 0.95, len(places)))
    return network


def _target(x: Tensor) -> Tensor:
    """A curve with a bend, a kink and a bump."""
    return (6 * x).sin() * 0.5 + x.abs() - 0.5 + torch.exp(-80 * (x - 0.4).square())


def _errors(networks: Any, x: Tensor) -> list[Tensor]:
    return [(net(x) - _target(x)).square().mean() for net in networks]


def _xor_loss(networks: Any, batch: Tensor) -> Tensor:
    return torch.stack([functional.binary_cross_entropy_with_logits(net(batch)[:, 0], XOR) for net in networks]).sum()


def _frame(left: float, bottom: float) -> Any:
    import matplotlib.patches

    return matplotlib.patches.Rectangle((left - 0.25, bottom - 0.25), 1.5, 1.5, fill=False, ec="#b03060", lw=2)
