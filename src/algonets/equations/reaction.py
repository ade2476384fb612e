"""What happens at one pixel: from the stencils there to the change of each class."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

__all__ = ["AbstractReaction", "GatedMLP"]


class AbstractReaction(nn.Module, ABC):
    """The pointwise part of a :class:`PDERefiner`: the same function at every pixel, in every iteration.

    Subclasses compute the change from the values of the stencils; what depends on the image alone is prepared once.
    """

    def prepare(self, image_stencils: Tensor) -> Any:
        """Return what ``forward`` needs of the image stencils ``(B, N, H, W)``; by default those themselves."""
        return image_stencils

    @abstractmethod
    def forward(self, stencils: Tensor, prepared: Any) -> Tensor:
        """Return the change ``(B, classes, H, W)`` from the stencils of the maps ``(B, classes, S, H, W)``."""


@final
class GatedMLP(AbstractReaction):
    r"""A small MLP whose outputs also multiply the stencils: products as in every classical equation.

    .. math:: \Delta u = a_0 + \sum_i a_i \, (M_i * u), \qquad
        a = W_3 \, \sigma(W_1 f + b_1) + W_2 f + b_2, \quad f = (M * u, N * I)

    The last weights start at 0, so that an untrained equation changes nothing.

    Args:
        classes: Maps that have weights of their own; 1 shares the weights among all maps.
        stencils: S, stencils of a map.
        image_stencils: N, stencils of the image.
        hidden: Units of the hidden layer.
        activation: sigma; ReLU by default.

    Differentiability: as the activation.
    Cost: O((S + N + 1) (hidden + S)) a pixel and class; the part of the image once.
    References: E. Maggiori, G. Charpiat, Y. Tarabalka, P. Alliez, Recurrent Neural Networks to Correct Satellite
        Image Classification Maps, IEEE TGRS 55, 2017, section III (there without the products).

    Example:
        >>> reaction = GatedMLP(1, 4, 3, 8)
        >>> reaction(torch.ones(2, 5, 4, 6, 7), reaction.prepare(torch.ones(2, 3, 6, 7))).shape
        torch.Size([2, 5, 6, 7])
    """

    def __init__(
        self,
        classes: int,
        stencils: int,
        image_stencils: int,
        hidden: int,
        activation: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        self.classes, self.stencils, self.hidden = classes, stencils, hidden
        self.activation = nn.ReLU() if activation is None else activation
        outputs = hidden + stencils + 1  # the hidden layer, then the linear path to the factors and the offset
        self.from_map = nn.Conv2d(classes * stencils, classes * outputs, 1, groups=classes, bias=False)
        self.from_image = nn.Conv2d(image_stencils, classes * outputs, 1)
        self.from_hidden = nn.Conv2d(classes * hidden, classes * (stencils + 1), 1, groups=classes, bias=False)
        with torch.no_grad():
            self.from_hidden.weight.zero_()
            for layer in (self.from_map, self.from_image):
                layer.weight.unflatten(0, (classes, outputs))[:, hidden:].zero_()
            bias = self.from_image.bias
            if bias is not None:
                bias.unflatten(0, (classes, outputs))[:, hidden:].zero_()

    def prepare(self, image_stencils: Tensor) -> Tensor:
        """Return the image's share, ``(B, classes or 1, hidden + S + 1, H, W)``."""
        share = self.from_image(image_stencils)
        return share.unflatten(1, (self.classes, self.hidden + self.stencils + 1))

    def forward(self, stencils: Tensor, prepared: Tensor) -> Tensor:
        """Return the change ``(B, classes, H, W)``."""
        batch, maps, count, *size = stencils.shape
        # Shared weights take every map as an example; own weights take the maps as groups of channels.
        rows = batch * maps // self.classes if maps else 0
        share = self.from_map(stencils.reshape(rows, self.classes * count, *size))
        inner = share.reshape(batch, maps, self.hidden + count + 1, *size) + prepared
        active = self.activation(inner[:, :, : self.hidden])
        factors = self.from_hidden(active.reshape(rows, self.classes * self.hidden, *size))
        factors = factors.reshape(batch, maps, count + 1, *size) + inner[:, :, self.hidden :]
        return factors[:, :, -1] + (factors[:, :, :-1] * stencils).sum(2)
