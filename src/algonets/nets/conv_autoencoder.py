"""The convolutional autoencoder."""

from typing import final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_last, check_trailing

__all__ = ["ConvAutoencoder"]


@final
class ConvAutoencoder(Net):
    """Two convolutions that halve the image, a linear code, and transposed convolutions back.

    Args:
        image_shape: ``(channels, H, W)``; H and W multiples of 4. The linear layers fix it.
        code: Length of the code.
        width: Channels of the first convolution; the second has twice as many.

    Input ``(*batch, channels, H, W)`` float, output of the same shape, unbounded.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Masci, Meier, Ciresan, Schmidhuber 2011, Stacked Convolutional Auto-Encoders.

    Example:
        >>> import torch
        >>> ConvAutoencoder((1, 16, 12), 3, width=4)(torch.zeros(2, 1, 16, 12)).shape
        torch.Size([2, 1, 16, 12])
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), code: int = 32, width: int = 16):
        super().__init__()
        self.image_shape = check_image_shape("ConvAutoencoder(image_shape)", image_shape, 4, 4)
        self.code = check_at_least("ConvAutoencoder(code)", code, 1)
        self.width = check_at_least("ConvAutoencoder(width)", width, 1)
        channels, height, breadth = self.image_shape
        inner = (2 * width, height // 4, breadth // 4)
        flat = inner[0] * inner[1] * inner[2]
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(flat, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, flat),
            nn.ReLU(),
            nn.Unflatten(1, inner),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
        )

    def encode(self, images: Tensor) -> Tensor:
        """Return codes ``(*batch, code)``."""
        check_trailing("ConvAutoencoder(images)", images, self.image_shape)
        return unflatten_batch(self.encoder(flatten_batch(images, 3)), images.shape[:-3])

    def decode(self, code: Tensor) -> Tensor:
        """Return images ``(*batch, channels, H, W)``."""
        check_last("ConvAutoencoder.decode(code)", code, self.code)
        return unflatten_batch(self.decoder(flatten_batch(code, 1)), code.shape[:-1])

    def forward(self, images: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decode(self.encode(images))
