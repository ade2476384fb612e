"""What is learned: bits and labels, and a network that suits them."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from algonets import logic
from algonets.data import Adult, BreastCancer, Cifar10, Digits, Mnist, Monks
from algonets.experiments._training import RunError

__all__ = ["DATA", "Preset", "Task", "build", "load", "preset"]

Data = Literal["digits", "mnist", "cifar10", "monk1", "monk2", "monk3", "adult", "breast-cancer"]
DATA: tuple[Data, ...] = ("digits", "mnist", "cifar10", "monk1", "monk2", "monk3", "adult", "breast-cancer")

_BLOCKS = 3  # convolutional


@dataclass(frozen=True)
class Task:
    """Training and test part.

    Attributes:
        train, test: ``(N, *event)``, bytes (images) or bits.
        train_labels, test_labels: int64.
        classes: How many.
        names: Of the bits, of a table; else empty.
        note: What a reader of the scores has to know.
        image: Channels, height and width of what the rows are, if they are images.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int
    names: tuple[str, ...] = ()
    note: str = ""
    image: tuple[int, ...] = ()

    def as_images(self) -> "Task":
        """Return the task with images instead of rows."""
        return replace(self, train=self.train.unflatten(1, self.image), test=self.test.unflatten(1, self.image))


@dataclass(frozen=True)
class Preset:
    """Size and training that suit a task: layers of a width, thermometer bits, temperature, steps.

    With ``kernels`` three convolutional blocks are in front, with 1, 3, and 9 times so many kernels.
    """

    layers: int
    width: int
    bits: int
    temperature: float
    steps: int
    rate: float = 0.01
    batch: int = 100
    initialization: Literal["residual", "normal"] = "normal"
    kernels: int = 0
    parametrization: Literal["softmax", "light", "walsh"] = "softmax"


_PRESETS: dict[str, Preset] = {
    "digits": Preset(4, 2000, 8, 5.0, 1300, 0.05),
    "mnist": Preset(6, 8000, 3, 10.0, 60_000),
    "cifar10": Preset(4, 12_000, 3, 33.0, 10_000),
    "monk1": Preset(6, 100, 0, 3.0, 600, 0.03, initialization="residual"),
    "monk2": Preset(6, 100, 0, 3.0, 600, 0.03, initialization="residual"),
    "monk3": Preset(6, 100, 0, 3.0, 600, 0.03, initialization="residual"),
    "adult": Preset(5, 256, 0, 4.0, 4000, 0.03, parametrization="light"),
    "breast-cancer": Preset(5, 128, 0, 4.0, 400),
}


def preset(data: str) -> Preset:
    """Size and training by default."""
    return _PRESETS[data]


def load(data: str, data_dir: str | None, seed: int) -> Task:
    """Read a task."""
    if data == "digits":
        return _digits(seed)
    if data == "mnist":
        train, test = Mnist(True, data_dir), Mnist(False, data_dir)
        crop = (slice(None), slice(4, 24), slice(4, 24))  # as in the reference: the border is empty
        parts = (train.images[crop].flatten(1), train.labels, test.images[crop].flatten(1), test.labels)
        return Task(*parts, 10, note="MNIST, the middle 20 x 20 of 28 x 28 pixels", image=(1, 20, 20))
    if data == "cifar10":
        train, test = (Cifar10(part, "jpeg", data_dir) for part in (True, False))
        parts = (train.images.flatten(1), train.labels, test.images.flatten(1), test.labels)
        note = "CIFAR-10 in its JPEG form (quality 75): scores are not those of the original"
        return Task(*parts, 10, note=note, image=tuple(train.images.shape[1:]))
    if data.startswith("monk"):
        one, two = Monks(int(data[-1]), True, data_dir), Monks(int(data[-1]), False, data_dir)
        return Task(one.bits, one.labels, two.bits, two.labels, 2, one.names)
    if data == "adult":
        one, two = Adult(True, data_dir), Adult(False, data_dir)
        return Task(one.bits, one.labels, two.bits, two.labels, 2, one.names)
    table = BreastCancer(data_dir)
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(seed))
    test, train = order[:71], order[71:]
    return Task(
        *(table.bits[train], table.labels[train], table.bits[test], table.labels[test]),
        *(2, table.names),
        note=f"a quarter of the 286 patients held out, drawn with seed {seed}",
    )


def _digits(seed: int) -> Task:
    """A quarter of all digits held out, whoever wrote them."""
    one, two = Digits(), Digits(False)
    images, labels = torch.cat((one.images, two.images)).flatten(1), torch.cat((one.labels, two.labels))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    test, train = order[:450], order[450:]
    note = f"450 of 1,797 digits held out, drawn with seed {seed}; writers are in both parts"
    return Task(images[train], labels[train], images[test], labels[test], 10, note=note, image=(1, 8, 8))


def build(task: Task, size: Preset, sampling: str, seed: int) -> logic.Sequential:
    """A thermometer for bytes, convolutional blocks if they are wanted, layers of gates, a group sum."""
    generator = torch.Generator().manual_seed(seed)
    law = {"softmax": logic.Softmax16, "light": logic.Light4, "walsh": logic.Walsh4}[size.parametrization]
    options: dict[str, Any] = {"initialization": size.initialization, "sampling": sampling, "generator": generator}
    parts: list[nn.Module] = [_encoder(task, size)]
    features = task.train[0].numel() * max(size.bits, 1)
    if size.kernels:
        (channels, *sides), kernels = task.image, size.kernels
        channels *= size.bits
        for _ in range(_BLOCKS):
            if min(sides) < 2:
                raise RunError(f"--kernels need images of at least {2**_BLOCKS} x {2**_BLOCKS}, got {task.image}.")
            parts.append(
                logic.LogicConv2d(channels, kernels, 3, 3, padding=1, pool=2, parametrization=law(), **options)
            )
            channels, kernels, sides = kernels, 3 * kernels, [side // 2 for side in sides]
        parts.append(nn.Flatten())
        features = channels * sides[0] * sides[1]
    for _ in range(size.layers):
        parts.append(logic.LogicLayer(features, size.width, law(), **options))
        features = size.width
    return logic.Sequential(*parts, logic.GroupSum(task.classes, size.temperature))


def _encoder(task: Task, size: Preset) -> nn.Module:
    if not size.bits:
        return logic.Binarize()
    dims = 3 if size.kernels else 1
    coder = logic.Thermometer(size.bits, dims)
    coder.thresholds = (torch.arange(1, size.bits + 1) * 256.0 / (size.bits + 1)).reshape(-1, *[1] * dims) - 0.5
    return coder
