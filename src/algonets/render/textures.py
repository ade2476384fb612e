"""Images on surfaces."""

from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import require

__all__ = ["Texture"]


@final
class Texture:
    """An image that is wrapped around a mesh.

    Args:
        image: ``(H, W, C)``; row 0 is the top, v = 1.
        uv: ``(*batch, F, 3, 2)``, coordinates of the corners of each face, u to the right, v up. Beyond [0, 1] the
            border goes on.

    Raises:
        TypeError: if one is not a floating tensor.
        ValueError: if shapes do not fit.

    Example:
        >>> Texture(torch.tensor([[[0.0], [1.0]]]), torch.zeros(1, 3, 2)).sample(torch.tensor([[0.5, 0.5]]))
        tensor([[0.5000]])
    """

    def __init__(self, image: Tensor, uv: Tensor):
        self.image = check_floating("Texture(image)", image)
        self.uv = check_floating("Texture(uv)", uv)
        require(image.ndim == 3 and 0 not in image.shape, "Texture(image)", "must be (H, W, C), not empty", image)
        good = uv.ndim >= 3 and uv.shape[-2:] == (3, 2)
        require(good, "Texture(uv)", "must be (*batch, F, 3, 2)", uv)

    def sample(self, uv: Tensor) -> Tensor:
        """The image at ``(*batch, 2)`` coordinates, bilinear between the centres of its pixels: ``(*batch, C)``.

        Differentiability: in the image, and piecewise in the coordinates.
        """
        height, width = self.image.shape[:2]
        x = (uv[..., 0] * width - 0.5).clamp(0, width - 1)
        y = ((1 - uv[..., 1]) * height - 0.5).clamp(0, height - 1)
        left, top = x.detach().floor().clamp_max(max(width - 2, 0)), y.detach().floor().clamp_max(max(height - 2, 0))
        i, j = left.long(), top.long()
        right, low = (i + 1).clamp_max(width - 1), (j + 1).clamp_max(height - 1)
        across, down = (x - left).unsqueeze(-1), (y - top).unsqueeze(-1)
        upper = torch.lerp(self._at(j, i), self._at(j, right), across)
        return torch.lerp(upper, torch.lerp(self._at(low, i), self._at(low, right), across), down)

    def _at(self, row: Tensor, column: Tensor) -> Any:
        return self.image[row, column]

    def __repr__(self) -> str:
        return f"Texture(image {tuple(self.image.shape)}, uv {tuple(self.uv.shape)})"
