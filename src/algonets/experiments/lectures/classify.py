"""Depth: the same stack of convolutions with and without sums, deeper and deeper."""

from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.data import Cifar10
from algonets.experiments import _options
from algonets.experiments._digits import Images, load_digits
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._measures import accuracy
from algonets.experiments._pictures import COLOURS, lines, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import VGG, ResNet

__all__ = ["ClassifyExperiment"]


@final
class ClassifyExperiment(AbstractExperiment):
    """VGG against ResNet of the same depth, width and nearly the same weights, one budget of training for all.

    Args:
        data: ``digits`` come with scikit-learn; ``cifar10`` is downloaded; ``cifar10-jpeg`` is a lossy form of it, read
            from the data directory, whose accuracies are not those of the original.
        blocks: For each depth 6 blocks + 2, the blocks of a stage.
        steps: Of each network.
        batch_size: Pictures of a step.
        width: Channels of the first stage.
        side: To which pictures are scaled.
        train_size: Use only so many training pictures.
        test_size: Use only so many test pictures.
        common: See the base class.
    """

    name = "classify"

    def __init__(
        self,
        data: Literal["digits", "cifar10", "cifar10-jpeg"] = "digits",
        blocks: list[int] | None = None,
        steps: int = 300,
        batch_size: int = 64,
        width: int = 8,
        side: int = 16,
        train_size: int = 10000,
        test_size: int = 2000,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, blocks=[1, 3, 9] if blocks is None else blocks, steps=steps, batch_size=batch_size)
        self.keep(width=width, side=side, train_size=train_size, test_size=test_size)
        _options.at_least(4, side=side)

    def measure(self) -> Report:
        """Train both kinds at each depth."""
        train, test = self._load(True, self.train_size), self._load(False, self.test_size)
        channels = train.images.shape[1]
        few = Images(train.images[: self.test_size], train.labels[: self.test_size])
        rows, curves = [], {}
        for blocks in self.blocks:
            depth = 6 * blocks + 2
            for kind in ("VGG", "ResNet"):
                torch.manual_seed(self.seed)
                network: nn.Module = (
                    VGG(channels, 10, (2 * blocks,) * 3, self.width) if kind == "VGG"
                    else ResNet(channels, 10, blocks, self.width)
                )  # fmt: skip
                batches = minibatches(train, self.batch_size, self.seed)
                curve = self.train(
                    f"{kind.lower()}-{depth}", network, _loss, batches, self.steps, 5e-3, weight_decay=1e-3
                )
                curves[f"{kind}, {depth} layers"] = curve
                rows.append({
                    "network": kind, "layers": depth, "weights": sum(p.numel() for p in network.parameters()),
                    "last losses": sum(curve[-20:]) / len(curve[-20:]),
                    "training": accuracy(network, *few), "test": accuracy(network, *test),
                })  # fmt: skip
        best = {kind: [row["training"] for row in rows if row["network"] == kind] for kind in ("VGG", "ResNet")}
        deepest = rows[-1]["layers"]
        criteria = [
            at_least(
                f"training accuracy at {deepest} layers, ResNet - VGG", best["ResNet"][-1] - best["VGG"][-1], 0.15
            ),
            at_least("VGG loses with depth: shallowest - deepest", best["VGG"][0] - best["VGG"][-1], 0.15),
            at_least("ResNet does not: deepest - shallowest", best["ResNet"][-1] - best["ResNet"][0], -0.05),
        ]
        figure = self._draw(train, rows, curves, best)
        return Report(f"{self.data}, {self.steps} steps", rows, criteria, figure, {"curves": curves})

    def _load(self, train: bool, size: int) -> Images:
        if self.data == "digits":
            part = load_digits("digits", train, None, size)
        else:
            form: Any = "jpeg" if self.data == "cifar10-jpeg" else "original"
            source = Cifar10(train, form, self.data_dir)
            order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:size]
            part = Images(source.images[order].float() / 255, source.labels[order])
        scaled = functional.interpolate(part.images, (self.side,) * 2, mode="bilinear", antialias=True)
        return Images(2 * scaled.clamp(0, 1) - 1, part.labels)

    def _draw(self, train: Images, rows: list[dict], curves: dict[str, list[float]], best: dict) -> Any:
        figure = new_figure(13, 4)
        pictures, losses, depth = figure.subplots(1, 3, width_ratios=(0.8, 1.3, 1))
        show(pictures, mosaic(train.images[:24] / 2 + 0.5, 4), "training pictures")
        width = max(1, self.steps // 20)
        for name, curve in curves.items():
            means = torch.tensor(curve).unfold(0, width, 1).mean(-1)
            place = [row["layers"] for row in rows if row["network"] == "VGG"].index(int(name.split()[1]))
            losses.plot(
                range(width, width + len(means)), means, color=COLOURS[0] if "VGG" in name else COLOURS[1], label=name,
                lw=0.8 + 0.5 * place, alpha=0.45 + 0.55 * place / max(1, len(self.blocks) - 1),
            )  # fmt: skip
        tidy(losses, "training", "step", "loss, running mean", legend=True)
        losses.legend(frameon=False, fontsize=7, ncols=2)
        lines(depth, [6 * b + 2 for b in self.blocks], best)
        depth.set_ylim(0, 1.02)
        tidy(depth, "Sums keep deep networks trainable", "layers", "training accuracy", legend=True)
        return figure


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(network(batch[0]), batch[1])
