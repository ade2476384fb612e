"""Convolution: kernels that are learnt, levels of abstraction, and what shifting the picture does."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._digits import DigitData, Images, load_digits
from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._measures import accuracy
from algonets.experiments._pictures import lines, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.nets import MLP, LeNet
from algonets.nets.features import features, kernels

__all__ = ["LenetExperiment"]

GOAL = {"mnist": 0.985, "digits": 0.97}
LEVELS = {"first convolution": "features.2", "second convolution": "features.5", "hidden layer": "classifier.4"}


@final
class LenetExperiment(AbstractExperiment):
    """LeNet-5 against an MLP of as many weights: on digits as they are, and on digits that are shifted.

    Args:
        data: ``digits`` come with scikit-learn and are enlarged into a frame; ``mnist`` is read from the data directory
            or downloaded.
        steps: Of each network.
        batch_size: Images of a step.
        train_size: Use only so many training images; all by default.
        shift: Largest displacement of the test images in pixels.
        common: See the base class.
    """

    name = "lenet"

    def __init__(
        self,
        data: DigitData = "digits",
        steps: int = 3000,
        batch_size: int = 64,
        train_size: int | None = None,
        shift: int = 4,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, steps=steps, batch_size=batch_size, train_size=train_size, shift=shift)

    def measure(self) -> Report:
        """Train both, shift the test images."""
        train, test = (_framed(load_digits(self.data, part, self.data_dir, n)) for part, n in
                       ((True, self.train_size), (False, None)))  # fmt: skip
        shape = (1, train.images.shape[2], train.images.shape[3])
        lenet = LeNet(shape)
        pixels = shape[1] * shape[2]
        hidden = round((lenet.parameter_count() - 10) / (pixels + 11))
        networks = {"LeNet-5": lenet, f"MLP {pixels}-{hidden}-10": _Flat(MLP((pixels, hidden, 10)))}
        rows, shifted = [], {}
        for name, network in networks.items():
            batches = self._batches(train)
            self.train(name.split(" ")[0].lower(), network, _loss, batches, self.steps, 3e-3)
            shifted[name] = [accuracy(network, _shift(test.images, k), test.labels) for k in range(self.shift + 1)]
            count = sum(p.numel() for p in network.parameters())
            row = {"network": name, "weights": count, "test": shifted[name][0]}
            rows.append(row | {f"shifted {k}": shifted[name][k] for k in range(1, self.shift + 1)})
        levels = self._levels(lenet, train, test)
        ours, other = shifted.values()
        criteria = [
            at_least(f"LeNet on the test part of {self.data}", ours[0], GOAL[self.data]),
            at_least("LeNet - MLP", ours[0] - other[0], 0.0),
            at_least("LeNet - MLP, shifted by 2 pixels", ours[min(2, self.shift)] - other[min(2, self.shift)], 0.1),
            at_least("linear readout: hidden layer - pixels", levels["hidden layer"] - levels["pixels"], 0.02),
        ]
        figure = self._draw(lenet, test, shifted, levels)
        return Report("Digits, as they are and shifted", rows, criteria, figure, {"linear readout": levels})

    def _batches(self, train: Images) -> Callable[[int], tuple[Tensor, ...]]:
        """Minibatches; the few embedded digits are turned, slanted and stretched, but never shifted."""
        batches = minibatches(train, self.batch_size, self.seed)
        if self.data != "digits":
            return batches
        generator = torch.Generator().manual_seed(self.seed)

        def bent(step: int) -> tuple[Tensor, ...]:
            images, labels = batches(step)
            change = torch.eye(2) + 0.3 * (2 * torch.rand(len(images), 2, 2, generator=generator) - 1)
            matrix = functional.pad(change, (0, 1))
            grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
            return functional.grid_sample(images, grid, align_corners=False), labels

        return bent

    def _levels(self, net: LeNet, train: Images, test: Images, count: int = 5000) -> dict[str, float]:
        """Accuracy of a linear readout (ridge) of pixels and of each level: how much of the work is done there."""
        found = {}
        with torch.no_grad():
            some = [(part.images[:count], part.labels[:count]) for part in (train, test)]
            seen = [features(net, images, list(LEVELS.values())) for images, _ in some]
        for name, layer in {"pixels": "", **LEVELS}.items():
            x, y = (
                (s[layer] if layer else images).flatten(1).double() for s, (images, _) in zip(seen, some, strict=True)
            )
            mean, scale = x.mean(0), x.std()
            x, y = ((part - mean) / scale for part in (x, y))
            targets = functional.one_hot(some[0][1], 10).double() - 0.1
            weights = torch.linalg.solve(x.T @ x + 0.01 * len(x) * torch.eye(x.shape[1]).double(), x.T @ targets)
            found[name] = ((y @ weights).argmax(-1) == some[1][1]).double().mean().item()
        return found

    def _draw(self, net: LeNet, test: Images, shifted: dict, levels: dict) -> Any:
        figure = new_figure(13, 4.4)
        grid = figure.subplots(2, 4, width_ratios=(1, 1.3, 1.3, 1.6))
        one = test.images[:1]
        show(grid[0, 0], one[0, 0], "a digit", cmap="gray_r")
        weights = kernels(net)
        show(grid[1, 0], mosaic(0.5 + weights / weights.abs().amax() / 2, 3), "6 learnt kernels")
        with torch.no_grad():
            seen = features(net, one, list(LEVELS.values()))
        first, second = (seen[layer][0] for layer in list(LEVELS.values())[:2])
        show(grid[0, 1], mosaic(1 - first / first.amax(), 3), "first level: edges")
        show(grid[1, 1], mosaic(1 - second / second.amax().clamp_min(1e-6), 4), "second level: parts")
        deep = seen["classifier.4"]
        show(grid[0, 2], mosaic(1 - deep.reshape(1, 1, 7, 12) / deep.amax().clamp_min(1e-6), 1), "84 hidden units")
        grid[1, 2].barh(list(levels), list(levels.values()), color="#1f3b73")
        for k, value in enumerate(levels.values()):
            grid[1, 2].text(value, k, f" {value:.3f}", va="center", fontsize=9)
        grid[1, 2].set(xlim=(min(levels.values()) - 0.1, 1.06))
        grid[1, 2].invert_yaxis()
        tidy(grid[1, 2], "accuracy of a linear readout")
        for axes in grid[:, 3]:
            axes.remove()
        axes = figure.add_subplot(grid[0, 3].get_gridspec()[:, 3])
        lines(axes, range(self.shift + 1), shifted)
        axes.set(ylim=(0, 1.02), xticks=range(self.shift + 1))
        tidy(axes, "Test images shifted\n(training images were not)", "pixels", "accuracy", legend=True)
        return figure


class _Flat(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.flatten(1))


def _framed(part: Images) -> Images:
    """Enlarge the small digits and give them a margin to move in; MNIST has one."""
    if part.images.shape[-1] >= 28:
        return part
    large = functional.interpolate(part.images, (16, 16), mode="bilinear", align_corners=False)
    return Images(functional.pad(large, (4,) * 4), part.labels)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(network(batch[0]), batch[1])


def _shift(images: Tensor, pixels: int) -> Tensor:
    """Move each image by so many pixels, one after the other to the right, the left, down, up."""
    shifted = images.clone()
    for k, (dy, dx) in enumerate(((0, 1), (0, -1), (1, 0), (-1, 0))):
        padded = functional.pad(images[k::4], (pixels,) * 4)
        top, left = pixels * (1 - dy), pixels * (1 - dx)
        shifted[k::4] = padded[..., top : top + images.shape[-2], left : left + images.shape[-1]]
    return shifted
