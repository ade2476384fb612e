"""Labelled images as flat vectors, and small networks for them."""

import itertools
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from algonets.data import Digits, Mnist

__all__ = ["Samples", "accuracy", "batches", "load_samples", "perceptron"]

Source = Literal["digits", "mnist"]


class Samples(NamedTuple):
    """Images ``(N, pixels)`` in [0, 1] and labels, for training and for testing."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def load_samples(data: Source, data_dir: str | None, size: int | None = None) -> Samples:
    """Read the embedded digits or MNIST; ``size`` limits the training part (the first images)."""
    sets = (Digits(True), Digits(False)) if data == "digits" else (Mnist(True, data_dir), Mnist(False, data_dir))
    (x, y), (test_x, test_y) = (((s.images.float() / 255).flatten(1), s.labels) for s in sets)
    return Samples(x[:size], y[:size], test_x, test_y)


def perceptron(*sizes: int, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Linear layers with activations between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """The indices of an epoch in random order; what is left over is dropped."""
    order = torch.randperm(count, generator=generator)
    return list(order[: count // size * size].split(size))


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Percent right."""
    was = model.training
    with torch.no_grad():
        right = (model.eval()(x).argmax(-1) == y).float().mean().item()
    model.train(was)
    return 100 * right
