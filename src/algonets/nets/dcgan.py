"""DCGAN: a network that draws, and one that tells drawn from real."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_last, check_trailing

__all__ = ["DCGAN"]


@final
class DCGAN(Net):
    """Generator and discriminator of transposed and strided convolutions with batch normalisation.

    The discriminator minimises ``-log D(x) - log(1 - D(G(z)))``, the generator ``-log D(G(z))``.

    Args:
        image_shape: ``(channels, H, W)``; H and W multiples of 4. It fixes the size.
        latent: Length of a code.
        width: Channels at half the resolution; a quarter has twice as many.

    Input codes ``(*batch, latent)``, standard normal; output images ``(*batch, channels, H, W)`` in (-1, 1).

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    References: Goodfellow et al. 2014, Generative Adversarial Nets; Radford, Metz, Chintala 2016, Unsupervised
    Representation Learning with Deep Convolutional Generative Adversarial Networks.

    Example:
        >>> net = DCGAN((1, 16, 12), 8, width=4)
        >>> net(torch.zeros(2, 8)).shape, net.judge(torch.zeros(5, 1, 16, 12)).shape
        (torch.Size([2, 1, 16, 12]), torch.Size([5]))
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), latent: int = 64, width: int = 32):
        super().__init__()
        self.image_shape = check_image_shape("DCGAN(image_shape)", image_shape, 4, 4)
        self.latent = check_at_least("DCGAN(latent)", latent, 1)
        self.width = check_at_least("DCGAN(width)", width, 1)
        channels, height, breadth = self.image_shape
        inner = (2 * width, height // 4, breadth // 4)
        flat = inner[0] * inner[1] * inner[2]
        self.generator = nn.Sequential(
            nn.Linear(latent, flat, bias=False),
            nn.Unflatten(1, inner),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(flat, 1),
        )
        for module in self.modules():  # as in the paper: small weights at first
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, codes: Tensor) -> Tensor:
        """Draw an image for each code."""
        check_last("DCGAN(codes)", codes, self.latent)
        return unflatten_batch(self.generator(flatten_batch(codes, 1)), codes.shape[:-1])

    def judge(self, images: Tensor) -> Tensor:
        """Return logits ``(*batch)``, high for real: images ``(*batch, channels, H, W)`` in [-1, 1]."""
        check_trailing("DCGAN.judge(images)", images, self.image_shape)
        return unflatten_batch(self.discriminator(flatten_batch(images, 3)).squeeze(-1), images.shape[:-3])

    def losses(self, images: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of discriminator and generator; take the gradient of each for its own part only."""
        drawn = self(codes)
        real, fake, fooled = self.judge(images), self.judge(drawn.detach()), self.judge(drawn)
        return functional.softplus(-real).mean() + functional.softplus(fake).mean(), functional.softplus(-fooled).mean()

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``count`` images of new codes."""
        return self(torch.randn(count, self.latent, generator=generator).to(next(self.parameters())))
