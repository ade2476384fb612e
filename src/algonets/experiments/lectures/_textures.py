"""Textures that are generated, what describes them, and the search for a picture of given statistics."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._training import RunError
from algonets.nets import VGG, FilterBank, load_net
from algonets.nets.features import gram, record

__all__ = ["Describe", "Picture", "TextureName", "describer", "gram_distance", "make_texture", "photograph"]

Describe = Callable[[Tensor], list[Tensor]]
"""A picture ``(1, 3, H, W)`` to feature maps."""

TextureName = Literal["waves", "cells", "bricks"]


def make_texture(name: TextureName, side: int, seed: int) -> Tensor:
    """Draw a texture ``(1, 3, side, side)`` in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    line = torch.arange(side, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    if name == "waves":
        wobble = _smooth(side, 9, generator)
        level = 0.5 + 0.5 * torch.sin(math.tau * (x + 0.6 * y) / 9 + 5 * wobble)
        dark, light = (0.1, 0.2, 0.45), (0.95, 0.85, 0.6)
    elif name == "cells":
        points = side * torch.rand(max(4, side * side // 60), 2, generator=generator)
        far = ((y[..., None] - points[:, 0]).square() + (x[..., None] - points[:, 1]).square()).sqrt()
        two = far.topk(2, largest=False).values
        level = ((two[..., 1] - two[..., 0]) / 2.5).clamp(0, 1)
        dark, light = (0.15, 0.08, 0.05), (0.85, 0.6, 0.35)
    else:
        row = (y // 6).long()
        edge = ((y % 6) < 1) | (((x + 6 * (row % 2)) % 12) < 1)
        tint = 0.7 + 0.3 * torch.rand(side, side, generator=generator)[row % side, ((x + 6 * (row % 2)) // 12).long()]
        level = torch.where(edge, 0.0, tint)
        dark, light = (0.75, 0.72, 0.68), (0.65, 0.2, 0.12)
    shape = (3, 1, 1)
    colour = torch.tensor(dark).reshape(shape) * (1 - level) + torch.tensor(light).reshape(shape) * level
    return (colour + 0.02 * torch.randn(3, side, side, generator=generator)).clamp(0, 1)[None]


def photograph(height: int, width: int) -> Tensor:
    """The photograph of a Chinese temple that comes with scikit-learn, scaled: ``(1, 3, height, width)``."""
    from sklearn.datasets import load_sample_image

    image = torch.tensor(load_sample_image("china.jpg"))[None].movedim(-1, 1).float() / 255
    return functional.interpolate(image, (height, width), mode="bilinear", antialias=True)


def describer(filters: str, seed: int, colour: bool = True) -> Describe:
    """Return what describes pictures.

    Args:
        filters: ``random``, or the file of a trained network: a VGG of ours written by ``save_net`` (such as those of
            ``algonets train classify``), or the state of torchvision's VGG-19.
        seed: Of the random filters.
        colour: Describe the colours of single pixels, too, as filters without mean do not see them.
    """
    if filters == "random":
        bank = FilterBank(3, 32, (3, 5, 9, 17), seed)
        colours = lambda picture: [torch.cat([torch.ones_like(picture[:, :1]), picture], 1)] if colour else []  # noqa: E731
        return lambda picture: [*bank(picture - 0.5), *colours(picture)]
    path = Path(filters)
    try:
        network = load_net(path) if path.suffix == ".safetensors" else _vgg19(torch.load(path, weights_only=True))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise RunError(f"--filters must be 'random' or the file of a VGG, got {filters} ({error}).") from error
    if isinstance(network, VGG) and network.channels != 3:
        raise RunError(f"--filters must be a VGG of colour pictures, got one of {network.channels} channels.")
    stack: Any = network.features if isinstance(network, VGG) else network
    stack.eval().requires_grad_(False)
    names = [name for name, module in stack.named_modules() if isinstance(module, nn.ReLU)][:8]

    def describe(picture: Tensor) -> list[Tensor]:
        with record(stack, names) as seen:
            stack(2 * picture - 1)
        return list(seen.values())

    return describe


def gram_distance(found: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Mean relative squared error of Gram matrices, 0 where all are equal."""
    errors = []
    for a, b in zip(found, truth, strict=True):
        first, second = gram(a), gram(b)
        errors.append((first - second).square().sum() / second.square().sum().clamp_min(1e-12))
    return torch.stack(errors).mean()


class Picture(nn.Module):
    """A picture that is trained like weights; it stays in [0, 1].

    Args:
        start: ``(1, 3, H, W)``.
    """

    def __init__(self, start: Tensor):
        super().__init__()
        self.logits = nn.Parameter(torch.logit(start, 0.02))

    def forward(self) -> Tensor:
        """The picture."""
        return self.logits.sigmoid()


def _smooth(side: int, size: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(1, 1, side // size + 2, side // size + 2, generator=generator)
    return functional.interpolate(noise, (side, side), mode="bicubic", align_corners=True)[0, 0] / 3


def _vgg19(state: dict[str, Tensor]) -> nn.Sequential:
    """The convolutions of torchvision's VGG-19 up to the fourth pooling, from their names and shapes."""
    layers: list[nn.Module] = []
    places = sorted(int(name.split(".")[1]) for name in state if name.startswith("features.") and "weight" in name)
    for before, place in zip([-2, *places], places, strict=False):
        if before >= 0 and place - before > 2:
            layers.append(nn.AvgPool2d(2))  # rather than max pooling: Gatys et al. found the pictures smoother
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        convolution = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2)
        convolution.load_state_dict({"weight": weight, "bias": bias})
        layers += [convolution, nn.ReLU()]
    if not layers:
        raise KeyError("no features.N.weight")
    return nn.Sequential(*layers)
