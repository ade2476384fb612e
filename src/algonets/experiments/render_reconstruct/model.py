"""A picture and its camera to the vertices of a deformed sphere."""

import torch
from torch import Tensor, nn

from algonets.render import icosphere

__all__ = ["Reconstructor"]


class Reconstructor(nn.Module):
    """Convolutions, and two layers to the displacement of every vertex.

    Args:
        level: subdivisions of the sphere.
        width: channels of the first layer.
    """

    template: Tensor
    faces: Tensor

    def __init__(self, level: int = 2, width: int = 16):
        super().__init__()
        sphere = icosphere(level)
        self.register_buffer("template", 0.5 * sphere.vertices)
        self.register_buffer("faces", sphere.faces)
        layers: list[nn.Module] = []
        channels = 2
        for wide in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(channels, wide, 3, 2, 1), nn.GroupNorm(4, wide), nn.ReLU()]
            channels = wide
        self.look = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        first, second = nn.Linear(16 * channels + 2, 256), nn.Linear(256, 256)
        last = nn.Linear(256, 3 * len(sphere.vertices))
        self.shape = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, pictures: Tensor, azimuth: Tensor) -> Tensor:
        """Pictures ``(N, 2, S, S)`` and azimuths ``(N)`` in degrees to vertices ``(N, V, 3)``."""
        turn = torch.deg2rad(azimuth)
        seen = torch.cat([self.look(pictures), torch.sin(turn)[:, None], torch.cos(turn)[:, None]], 1)
        return self.template + self.shape(seen).view(len(pictures), -1, 3)
