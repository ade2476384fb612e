"""The refiners that are compared. Each maps coarse logits and a picture to the maps of all its iterations."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from algonets import equations

__all__ = ["METHODS", "Method", "PeronaMalikGrid", "build_network"]

Method = Literal["coarse", "perona-malik", "pixel-mlp", "one-step", "cnn", "mean-field", "pde"]
METHODS: tuple[Method, ...] = get_args(Method)

# So that both have about the 7,361 parameters of the equation: 7,537 and 7,281.
_MLP = (96, 72)
_CNN = (13, 17)


class Unrefined(nn.Module):
    """The coarse map itself."""

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return one map."""
        return coarse[None]


class Equation(nn.Module):
    """The learnt equation; iterations 1 is the one-step net."""

    def __init__(self, iterations: int):
        super().__init__()
        self.refiner = equations.PDERefiner(1, 3, iterations)

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return the maps of all iterations."""
        return self.refiner.trajectory(coarse, _centred(image))

    def evolve(self, coarse: Tensor, image: Tensor, iterations: int) -> Tensor:
        """As ``forward``, for another number of iterations than trained."""
        return self.refiner.trajectory(coarse, _centred(image), iterations)


class Direct(nn.Module):
    """Layers without iterations that see the map and the picture."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return the coarse and the corrected map."""
        return torch.stack([coarse, coarse + self.layers(torch.cat([coarse, _centred(image)], 1))])


class Crf(nn.Module):
    """Mean field in a grid CRF of eight neighbours; strength, contrast and the sharpness of the map are learnt."""

    def __init__(self, iterations: int):
        super().__init__()
        kernel = equations.GridKernel(weight=0.3, contrast=0.2, diagonals=True)
        self.field = equations.MeanField(2, kernel, iterations)
        self.sharpness = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return the maps of all iterations as logits, the coarse one first."""
        logits = self.sharpness * coarse + self.bias
        log_q = self.field.trajectory(torch.cat([torch.zeros_like(logits), logits], 1), image)
        return torch.cat([coarse[None], log_q[1:, :, 1:] - log_q[1:, :, :1]])


class PeronaMalikGrid(nn.Module):
    """Perona-Malik diffusion of the map along the edges of the grey picture; the best of a grid is chosen."""

    def __init__(self):
        super().__init__()
        self.contrast, self.iterations = 0.05, 50

    def choices(self) -> list[tuple[float, int]]:
        """Return the contrasts and iterations to choose from."""
        return [(contrast, n) for contrast in (0.02, 0.03, 0.05, 0.1) for n in (10, 20, 50, 100, 200)]

    def forward(self, coarse: Tensor, image: Tensor) -> Tensor:
        """Return the coarse and the diffused map."""
        grey = image.mean(1, keepdim=True)
        law = equations.ExponentialConductance(self.contrast)
        diffused = equations.perona_malik(coarse, law, 0.25, self.iterations, guide=grey)
        return torch.stack([coarse, diffused])


def build_network(method: Method, iterations: int) -> nn.Module:
    """Return a refiner with fresh weights."""
    if method == "coarse":
        return Unrefined()
    if method == "perona-malik":
        return PeronaMalikGrid()
    if method in ("pde", "one-step"):
        return Equation(iterations if method == "pde" else 1)
    if method == "mean-field":
        return Crf(iterations)
    (first, second), size = (_MLP, 1) if method == "pixel-mlp" else (_CNN, 5)
    options: dict[str, Any] = {"padding": size // 2, "padding_mode": "replicate"}
    layers = nn.Sequential(
        nn.Conv2d(4, first, size, **options),
        nn.ReLU(),
        nn.Conv2d(first, second, size, **options),
        nn.ReLU(),
        nn.Conv2d(second, 1, size, **options),
    )
    return Direct(layers)


def _centred(image: Tensor) -> Tensor:
    return 2 * image - 1
