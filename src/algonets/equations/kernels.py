"""Who is whose neighbour in a conditional random field over pixels, and how much."""

import math
from abc import ABC, abstractmethod
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject

__all__ = ["AbstractKernel", "DenseKernel", "GridKernel"]


class AbstractKernel(nn.Module, ABC):
    """A symmetric kernel over pairs of pixels, of what they look like and where they are."""

    @abstractmethod
    def affinity(self, image: Tensor) -> Any:
        """Return what ``message`` needs of the image ``(*batch, channels, H, W)``."""

    @abstractmethod
    def message(self, q: Tensor, affinity: Any) -> Tensor:
        """Return ``sum_j k(i, j) q_j`` over the other pixels j, for q ``(*batch, classes, H, W)``."""


@final
class GridKernel(AbstractKernel):
    r"""Neighbours on the grid, coupled where the image is alike.

    .. math:: k(i, j) = w \exp\Big( -\frac{|I_i - I_j|^2}{2 \sigma^2} \Big) \quad \text{for neighbours, else } 0

    Diagonal neighbours count ``1 / sqrt(2)`` of that. There are none beyond the border.

    Args:
        weight: w, ``> 0``; a parameter (its logarithm is learnt).
        contrast: sigma, ``> 0``, in units of the image; a parameter likewise.
        diagonals: Eight neighbours instead of four.

    Raises:
        ValueError: ``weight`` or ``contrast`` is not positive.

    Differentiability: any order.
    Cost: O(H W) for 4 or 8 neighbours.
    References: Y. Boykov, M.-P. Jolly, Interactive Graph Cuts, ICCV 2001, section 2.5.

    Example:
        >>> kernel = GridKernel(weight=2.0)
        >>> kernel.message(torch.ones(1, 1, 3), kernel.affinity(torch.zeros(1, 1, 3)))  # ends have one neighbour
        tensor([[[2., 4., 2.]]], grad_fn=<AddBackward0>)
    """

    def __init__(self, weight: float = 1.0, contrast: float = 0.1, diagonals: bool = False):
        super().__init__()
        check_positive("GridKernel(weight)", weight)
        check_positive("GridKernel(contrast)", contrast)
        self.log_weight = nn.Parameter(torch.tensor(math.log(weight)))
        self.log_contrast = nn.Parameter(torch.tensor(math.log(contrast)))
        self.offsets = ((0, 1), (1, 0)) + (((1, 1), (1, -1)) if diagonals else ())

    def affinity(self, image: Tensor) -> list[Tensor]:
        """Return the weights of the pairs in each direction, ``(*batch, 1, rows, columns)``."""
        scale = 0.5 * (-2 * self.log_contrast.to(image.dtype)).exp()
        weights = []
        for dy, dx in self.offsets:
            first, second = _pairs(image, dy, dx)
            distance = (first - second).square().sum(-3, keepdim=True)
            share = (self.log_weight.to(image.dtype) - 0.5 * math.log(dy * dy + dx * dx)).exp()
            weights.append(share * torch.exp(-scale * distance))
        return weights

    def message(self, q: Tensor, affinity: list[Tensor]) -> Tensor:
        """Add up the neighbours of both ends of every pair."""
        total = torch.zeros_like(q)
        for (dy, dx), weight in zip(self.offsets, affinity, strict=True):
            first, second = _pairs(q, dy, dx)
            # Pairs start at (0, 0), or in column 1 where they lean to the left.
            right, left = max(dx, 0), max(-dx, 0)
            total = total + nn.functional.pad(weight * second, (left, right, 0, dy))
            total = total + nn.functional.pad(weight * first, (right, left, dy, 0))
        return total


@final
class DenseKernel(AbstractKernel):
    r"""Every pixel is a neighbour of every other: an appearance kernel and a smoothness kernel, exactly.

    .. math:: k(i, j) = w_a \exp\Big( -\frac{|p_i - p_j|^2}{2 \theta_a^2} - \frac{|I_i - I_j|^2}{2 \sigma^2} \Big)
        + w_s \exp\Big( -\frac{|p_i - p_j|^2}{2 \theta_s^2} \Big)

    The matrix of all pairs is kept, so this is for small images.

    Args:
        appearance: w_a, ``> 0``; a parameter (its logarithm is learnt), as the others.
        reach: theta_a, ``> 0``, in pixels.
        contrast: sigma, ``> 0``, in units of the image.
        smoothness: w_s, ``> 0``.
        near: theta_s, ``> 0``, in pixels.
        max_pixels: Largest ``H W``, to keep a large image from filling the memory.

    Raises:
        TypeError: ``max_pixels`` is no integer.
        ValueError: A weight or a width is not positive; an image with too many pixels.

    Differentiability: any order.
    Cost: O((H W)^2) time and memory for each example.
    References: P. Kraehenbuehl, V. Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge
        Potentials, NeurIPS 2011, eq. 3.

    Example:
        >>> kernel = DenseKernel(appearance=1.0, reach=1e6, contrast=1.0, smoothness=1e-9)
        >>> kernel.message(torch.ones(1, 1, 3), kernel.affinity(torch.zeros(1, 1, 3))).round(decimals=3)
        tensor([[[2., 2., 2.]]], grad_fn=<RoundBackward1>)
    """

    def __init__(
        self,
        appearance: float = 0.1,
        reach: float = 10.0,
        contrast: float = 0.1,
        smoothness: float = 0.1,
        near: float = 2.0,
        max_pixels: int = 4096,
    ):
        super().__init__()
        settings = {"appearance": appearance, "reach": reach, "contrast": contrast}
        settings |= {"smoothness": smoothness, "near": near}
        for name, value in settings.items():
            check_positive(f"DenseKernel({name})", value)
            setattr(self, f"log_{name}", nn.Parameter(torch.tensor(math.log(value))))
        self.max_pixels = check_at_least("DenseKernel(max_pixels)", max_pixels, 1)

    def affinity(self, image: Tensor) -> Tensor:
        """Return the matrix ``(*batch, H W, H W)`` of all pairs, 0 on the diagonal."""
        height, width = image.shape[-2:]
        if height * width > self.max_pixels:
            rule = f"must have at most max_pixels = {self.max_pixels} pixels"
            reject("DenseKernel(image)", rule, image, "Use a GridKernel, a smaller image, or more max_pixels.")
        log = {name: value.to(image.dtype) for name, value in self.named_parameters()}
        place = torch.cartesian_prod(
            torch.arange(height, device=image.device, dtype=image.dtype),
            torch.arange(width, device=image.device, dtype=image.dtype),
        )
        apart = 0.5 * _square_distances(place)
        colour = 0.5 * _square_distances(image.flatten(-2).transpose(-1, -2))
        look = apart * (-2 * log["log_reach"]).exp() + colour * (-2 * log["log_contrast"]).exp()
        kernel = (log["log_appearance"] - look).exp()
        kernel = kernel + (log["log_smoothness"] - apart * (-2 * log["log_near"]).exp()).exp()
        return kernel * (1 - torch.eye(height * width, device=image.device, dtype=image.dtype))

    def message(self, q: Tensor, affinity: Tensor) -> Tensor:
        """Multiply by the matrix."""
        return (q.flatten(-2) @ affinity).unflatten(-1, q.shape[-2:])


def _pairs(x: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """Both ends of all pairs of pixels that are ``(dy, dx)`` apart, ``dy >= 0``."""
    height, width = x.shape[-2:]
    left, right = max(-dx, 0), max(dx, 0)
    first = x[..., : max(height - dy, 0), left : max(width - right, left)]
    second = x[..., dy:, right : max(width - left, right)]
    return first, second


def _square_distances(points: Tensor) -> Tensor:
    # Differences, not the expanded square: exact zeros between equal points, and no cancellation.
    return (points.unsqueeze(-2) - points.unsqueeze(-3)).square().sum(-1)
