"""Learn what terrain costs from cheapest paths: Bellman and Ford's algorithm between the pictures and the paths."""

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

import algonets as an
from algonets.data import TerrainMaps
from algonets.experiments._options import at_least
from algonets.experiments.relax.comparison import Comparison
from algonets.experiments.relax.methods import LawName, Method
from algonets.experiments.relax.report import draw_curves, draw_scales
from algonets.graph import GridPath

__all__ = ["PathTask", "RelaxPathExperiment", "cheapest", "occupancy"]

_CURVE_MAPS = 100
_FAR = 100.0
_SHOWN = 3


@an.relax
def cheapest(costs, sweeps):
    """What the cheapest way from the upper left to the lower right cell costs (Bellman 1958, Ford 1956)."""
    height, width = costs.shape
    best = torch.full((height, width), _FAR)
    best[0, 0] = costs[0, 0]
    for _ in range(sweeps):
        around = functional.pad(best, (1, 1, 1, 1), value=_FAR)
        for i in range(3):
            for j in range(3):
                if i != 1 or j != 1:
                    way = around[i : i + height, j : j + width] + costs
                    best = torch.where(way < best, way, best)
    return best[height - 1, width - 1]


def occupancy(costs: Tensor, sweeps: int, law: an.distributions.Distribution, create_graph: bool = False) -> Tensor:
    """How much each cell belongs to the cheapest path: the gradient of what the path costs."""
    with torch.enable_grad():
        costs = costs if costs.requires_grad else costs.clone().requires_grad_()
        total = cheapest.soft(costs, sweeps, distribution=law)
        return torch.autograd.grad(total.sum(), costs, create_graph=create_graph)[0]


class _Tiles(nn.Module):
    """A picture to one number for each tile; with a wide view it sees the whole map at each tile."""

    def __init__(self, tile: int, width: int, wide_view: bool):
        super().__init__()
        halvings = (tile - 1).bit_length()
        layers: list[nn.Module] = []
        channels = 3
        for _ in range(halvings):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
            channels = width
        if wide_view:
            for dilation in (1, 2, 4, 8, 1):
                layers += [nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)


class PathTask:
    """Pictures of terrain with the cheapest path through each.

    Args:
        train: maps to train on.
        test: maps that are held out.
        batch_size: maps of a batch.
        sweeps: of Bellman and Ford's algorithm; it finds paths of at most so many steps.
        width: channels of the network.
    """

    score = "optimal"

    def __init__(self, train: TerrainMaps, test: TerrainMaps, batch_size: int, sweeps: int, width: int):
        self.train, self.test, self.batch_size, self.sweeps, self.width = train, test, batch_size, sweeps, width
        self.best = (test.costs * test.paths).sum((1, 2))

    def network(self, method: Method) -> nn.Module:
        """Tiles to costs; the baseline tells at each tile whether the path goes there."""
        return _Tiles(self.train.tile, self.width, method.law is None)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Maps and their paths."""
        chosen = torch.randint(len(self.train), (self.batch_size,), generator=generator)
        return self.train.images[chosen].float() / 255, self.train.paths[chosen]

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...], method: Method) -> Tensor:
        """Squared error of the path, summed over its cells; cross-entropy of the baseline."""
        images, paths = batch
        found = network(images)
        if method.law is None:
            return functional.binary_cross_entropy_with_logits(found, paths)
        share = occupancy(self.costs(found), self.sweeps, method.law, create_graph=True)
        return (share - paths).square().sum((1, 2)).mean()

    @staticmethod
    def costs(found: Tensor) -> Tensor:
        """Positive costs."""
        return functional.softplus(found) + 0.01

    def solve(self, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        """The costs that a network sees, and the cheapest paths; those of a baseline avoid unlikely cells."""
        with torch.inference_mode():
            found = torch.cat([network(part.float() / 255) for part in images.split(50)])
        wide_view = sum(isinstance(layer, nn.Conv2d) for layer in network.layers) > 5  # pyright: ignore
        costs = 1.001 - torch.sigmoid(found) if wide_view else self.costs(found)
        return costs, GridPath(8)(costs)

    def measure(self, network: nn.Module, final: bool) -> dict[str, float]:
        """Maps whose path costs no more than the cheapest one, and what the paths cost too much."""
        count = len(self.test) if final else _CURVE_MAPS
        _, paths = self.solve(network, self.test.images[:count])
        ratio = (self.test.costs[:count] * paths).sum((1, 2)) / self.best[:count]
        return {"optimal": 100 * (ratio < 1 + 1e-4).float().mean().item(), "excess": 100 * (ratio.mean().item() - 1)}


class RelaxPathExperiment(Comparison):
    """See what terrain costs after training on nothing but cheapest paths.

    A small CNN turns the picture of each tile into its cost; Bellman and Ford's algorithm, relaxed by algonets.relax,
    computes what the cheapest path costs, the gradient of that is the path, and the loss compares it with the true one.
    The baseline is a CNN that sees the whole map and marks the path itself. Writes a table to the console and, into the
    output folder: metrics.json, report.png, and for each method checkpoints, TensorBoard logs and the settings.

    Args:
        side: Tiles along a side of a map.
        train_size: Training maps.
        test_size: Held-out maps.
        sweeps: Of Bellman and Ford's algorithm; by default one and a half times the side.
        width: Channels of the convolutions.
    """

    name = "relax-path"
    baselines = ("cnn",)

    def __init__(
        self,
        side: int = 12,
        train_size: int = 1000,
        test_size: int = 500,
        sweeps: int | None = None,
        width: int = 16,
        laws: list[LawName] | None = None,
        scales: list[float] | None = None,
        steps: int = 300,
        batch_size: int = 16,
        interval: int = 50,
        learning_rate: float = 1e-2,
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
        at_least(2, side=side)
        at_least(1, train_size=train_size, test_size=test_size, sweeps=sweeps, width=width)
        self.side, self.sizes, self.width = side, (train_size, test_size), width
        self.sweeps = -(-3 * side // 2) if sweeps is None else sweeps

    def settings(self) -> dict[str, Any]:
        """The options of this experiment."""
        sizes = {"train_size": self.sizes[0], "test_size": self.sizes[1]}
        return {"side": self.side, **sizes, "sweeps": self.sweeps, "width": self.width}

    def task(self, console: Console) -> PathTask:
        """Draw the maps."""
        train, test = (
            TerrainMaps(part, size, self.side, seed=self.seed)
            for part, size in zip((True, False), self.sizes, strict=True)
        )
        console.print(f"[bold]train   [/] {train!r}\n[bold]held out[/] {test!r}")
        return PathTask(train, test, self.batch_size, self.sweeps, self.width)

    def picture(self, path: Path, metrics: dict[str, Any], task: Any, networks: dict[str, nn.Module]) -> None:
        """Scores over temperature and steps; maps with the costs that were learnt and the paths."""
        import matplotlib.figure

        figure = matplotlib.figure.Figure(figsize=(11, 9), layout="constrained", dpi=110)
        above, below = figure.subfigures(2, 1, height_ratios=(4, 5))  # pyright: ignore[reportGeneralTypeIssues]
        left, right = above.subplots(1, 2)
        draw_scales(left, metrics, "held-out maps with a cheapest path, %")
        draw_curves(right, metrics, "held-out maps with a cheapest path, %")
        above.suptitle("Terrain costs from nothing but cheapest paths")
        relaxed = [name for name in networks if metrics["methods"][name]["scale"]]
        best = max(relaxed, key=lambda name: metrics["methods"][name][task.score])
        images = task.test.images[:_SHOWN]
        costs, paths = task.solve(networks[best], images)
        method = self.methods[best]
        share = occupancy(costs, self.sweeps, method.law)  # pyright: ignore[reportArgumentType]
        axes = below.subplots(_SHOWN, 5, squeeze=False)
        for row in range(len(images)):
            shown = (images[row].movedim(0, -1), task.test.costs[row], costs[row], share[row], paths[row])
            for axis, values in zip(axes[row], shown, strict=True):
                axis.imshow(values, cmap="viridis", interpolation="nearest")
                axis.set_axis_off()
        for axis, title in zip(
            axes[0], ("map", "true costs", f"costs seen by {best}", "soft path", "its cheapest path"), strict=True
        ):
            axis.set_title(title, fontsize=9)
        figure.savefig(path)
