"""Lights on matt surfaces."""

import abc
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import require

__all__ = ["AmbientLight", "DirectionalLight", "Light", "PointLight", "illuminate"]

Colour = float | Sequence[float] | Tensor


class Light(abc.ABC):
    """What a matt surface receives: ``(..., 3)`` at positions and unit normals ``(..., 3)``."""

    def __init__(self, colour: Colour = 1.0):
        self.colour = torch.as_tensor(colour, dtype=None if isinstance(colour, Tensor) else torch.float32)

    def _tint(self, like: Tensor) -> Tensor:
        return self.colour.to(like).expand(3) if self.colour.ndim == 0 else self.colour.to(like)

    @abc.abstractmethod
    def at(self, positions: Tensor, normals: Tensor) -> Tensor:
        """The light there."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value.tolist()}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"


@final
class AmbientLight(Light):
    """The same from everywhere.

    Args:
        colour: number, or red, green, blue.
    """

    def at(self, positions: Tensor, normals: Tensor) -> Tensor:
        """The light at positions and normals ``(..., 3)``."""
        return self._tint(normals).expand(normals.shape)


@final
class DirectionalLight(Light):
    """From one direction, like the sun: ``max(0, -<direction, normal>)``.

    Args:
        direction: in which the light travels, any length.
        colour: number, or red, green, blue.
    """

    def __init__(self, direction: Sequence[float] | Tensor, colour: Colour = 1.0):
        super().__init__(colour)
        self.direction = torch.as_tensor(direction, dtype=None if isinstance(direction, Tensor) else torch.float32)
        require(self.direction.shape == (3,), "DirectionalLight(direction)", "must have 3 numbers", self.direction)

    def at(self, positions: Tensor, normals: Tensor) -> Tensor:
        """The light at positions and normals ``(..., 3)``."""
        towards = torch.nn.functional.normalize(-self.direction.to(normals), dim=-1)
        return (normals @ towards).clamp_min(0.0).unsqueeze(-1) * self._tint(normals)


@final
class PointLight(Light):
    """From one point; it does not fade with distance.

    Args:
        position: of the light.
        colour: number, or red, green, blue.
    """

    def __init__(self, position: Sequence[float] | Tensor, colour: Colour = 1.0):
        super().__init__(colour)
        self.position = torch.as_tensor(position, dtype=None if isinstance(position, Tensor) else torch.float32)
        require(self.position.shape == (3,), "PointLight(position)", "must have 3 numbers", self.position)

    def at(self, positions: Tensor, normals: Tensor) -> Tensor:
        """The light at positions and normals ``(..., 3)``."""
        towards = torch.nn.functional.normalize(self.position.to(positions) - positions, dim=-1)
        return (normals * towards).sum(-1, keepdim=True).clamp_min(0.0) * self._tint(normals)


def illuminate(colours: Tensor, positions: Tensor, normals: Tensor, lights: Sequence[Light]) -> Tensor:
    """Colours of a matt surface under lights, ``colour * sum of lights``.

    Args:
        colours: ``(..., 3)``.
        positions: ``(..., 3)``, or any that broadcast.
        normals: ``(..., 3)``, unit vectors towards outside.
        lights: any number; none is darkness.

    Returns:
        ``(..., 3)``, not clamped.

    Raises:
        TypeError: if a tensor is not floating.

    Differentiability: piecewise: once where a surface does not turn away from a light.

    Example:
        >>> up = torch.tensor([0.0, 1.0, 0.0])
        >>> illuminate(torch.ones(3), torch.zeros(3), up, [AmbientLight(0.2), DirectionalLight((0.0, -1.0, 0.0), 0.5)])
        tensor([0.7000, 0.7000, 0.7000])
    """
    for name, value in (("colours", colours), ("positions", positions), ("normals", normals)):
        check_floating(f"illuminate({name})", value)
    total = torch.zeros_like(normals)
    for light in lights:
        total = total + light.at(positions, normals)
    return colours * total
