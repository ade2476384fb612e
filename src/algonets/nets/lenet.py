"""LeNet-5, the first convolutional network that read cheques."""

from typing import final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_trailing

__all__ = ["LeNet"]


@final
class LeNet(Net):
    """Two 5 x 5 convolutions with 6 and 16 kernels, each followed by 2 x 2 max pooling, and three linear layers.

    The first convolution keeps the size (padding 2), the second does not; for 28 x 28 images of ten classes this has
    the 61,706 weights of LeNet-5, with rectifiers and max pooling where the original had sigmoids and averages.

    Args:
        image_shape: ``(channels, H, W)``; H and W at least 12. The linear layers fix it: no other size is taken later.
        num_classes: At least 1.

    Input ``(*batch, channels, H, W)`` float, output scores ``(*batch, num_classes)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere.
    Cost: 0.4 million multiplications an image of 28 x 28.
    References: LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning Applied to Document Recognition.

    Example:
        >>> import torch
        >>> net = LeNet()
        >>> net(torch.zeros(2, 1, 28, 28)).shape, net.parameter_count()
        (torch.Size([2, 10]), 61706)
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), num_classes: int = 10):
        super().__init__()
        self.image_shape = check_image_shape("LeNet(image_shape)", image_shape, 12)
        self.num_classes = check_at_least("LeNet(num_classes)", num_classes, 1)
        channels, height, width = self.image_shape
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        flat = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(flat, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Score classes: ``(*batch, channels, H, W)`` to ``(*batch, num_classes)``."""
        check_trailing("LeNet(images)", images, self.image_shape)
        scores = self.classifier(self.features(flatten_batch(images, 3)))
        return unflatten_batch(scores, images.shape[:-3])
