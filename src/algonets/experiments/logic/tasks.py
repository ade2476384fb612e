"""What is learned: bits and labels, and a network that suits them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from algonets import logic
from algonets.data import Adult, BreastCancer, Cifar10, Digits, Mnist, Monks

__all__ = ["DATA", "Preset", "Task", "build", "load", "preset"]

Data = Literal["digits", "mnist", "cifar10", "monk1", "monk2", "monk3", "adult", "breast-cancer"]
DATA: tuple[Data, ...] = ("digits", "mnist", "cifar10", "monk1", "monk2", "monk3", "adult", "breast-cancer")


@dataclass(frozen=True)
class Task:
    """Training and test part.

    Attributes:
        train, test: ``(N, *event)``, bytes (images) or bits.
        train_labels, test_labels: int64.
        classes: How many.
        names: Of the bits, of a table; else empty.
        note: What a reader of the scores has to know.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int
    names: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Preset:
    """Size and training that suit a task: layers of a width, thermometer bits, temperature, steps."""

    layers: int
    width: int
    bits: int
    temperature: float
    steps: int
    rate: float = 0.01
    batch: int = 100
    initialization: Literal["residual", "normal"] = "normal"


_PRESETS: dict[str, Preset] = {
    "digits": Preset(4, 2000, 8, 5.0, 1300),
    "mnist": Preset(6, 8000, 3, 10.0, 60_000),
    "cifar10": Preset(4, 12_000, 3, 33.0, 10_000),
    "monk1": Preset(6, 24, 0, 1.0, 1500),
    "monk2": Preset(6, 24, 0, 1.0, 3000),
    "monk3": Preset(6, 12, 0, 1.0, 1500),
    "adult": Preset(5, 256, 0, 4.0, 4000),
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
        return Task(*parts, 10, note="MNIST, the middle 20 x 20 of 28 x 28 pixels")
    if data == "cifar10":
        train, test = Cifar10(True, data_dir=data_dir), Cifar10(False, data_dir=data_dir)
        parts = (train.images.flatten(1), train.labels, test.images.flatten(1), test.labels)
        return Task(*parts, 10, note="CIFAR-10 in its JPEG form (quality 75): scores are not those of the original")
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
    return Task(images[train], labels[train], images[test], labels[test], 10, note=note)


def build(task: Task, size: Preset, parametrization: str, sampling: str, seed: int) -> logic.Sequential:
    """A thermometer for bytes, layers of gates, a group sum."""
    generator = torch.Generator().manual_seed(seed)
    law = {"softmax": logic.Softmax16, "light": logic.Light4, "walsh": logic.Walsh4}[parametrization]
    parts: list[nn.Module] = []
    features = task.train[0].numel()
    if size.bits:
        coder = logic.Thermometer(size.bits)
        coder.thresholds = (torch.arange(1, size.bits + 1) * 256.0 / (size.bits + 1)).reshape(-1, 1) - 0.5
        parts.append(coder)
        features *= size.bits
    else:
        parts.append(logic.Binarize())
    for _ in range(size.layers):
        layer = logic.LogicLayer(
            features,
            size.width,
            law(),
            size.initialization,
            sampling=sampling,  # pyright: ignore[reportArgumentType]
            generator=generator,
        )
        parts.append(layer)
        features = size.width
    return logic.Sequential(*parts, logic.GroupSum(task.classes, size.temperature))
