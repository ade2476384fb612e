"""The coarse classifier of aerial tiles: it knows where buildings are, its outlines are blurred."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CoarseClassifier", "coarse_maps", "train_classifier"]


class CoarseClassifier(nn.Module):
    """A small convolutional network whose scores have a quarter of the resolution, enlarged bilinearly.

    Args:
        width: Channels of the first layer.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for i, (size, stride) in enumerate(((5, 2), (3, 2), (3, 1), (3, 1))):
            wide = width * (1 if i == 0 else 2)
            dilation = (1, 1, 2, 4)[i]
            layers += [
                nn.Conv2d(channels, wide, size, stride, dilation * (size // 2), dilation),
                nn.GroupNorm(4, wide),
                nn.ReLU(),
            ]
            channels = wide
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Pictures ``(N, 3, H, W)`` in [0, 1] to logits ``(N, 1, H, W)``."""
        scores = self.layers(2 * image - 1)
        return functional.interpolate(scores, image.shape[-2:], mode="bilinear", align_corners=False)


def train_classifier(
    images: Tensor, masks: Tensor, known: Tensor, steps: int, crop: int, seed: int, batch: int = 8
) -> CoarseClassifier:
    """Train on random crops, turned and mirrored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CoarseClassifier()
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        joined = torch.cat([images, masks, known], 1)
        height, width = joined.shape[-2:]
        for _ in range(steps):
            crops = []
            for _ in range(batch):
                n, y, x = (int(torch.randint(k, ())) for k in (len(joined), height - crop + 1, width - crop + 1))
                part = joined[n, :, y : y + crop, x : x + crop].rot90(int(torch.randint(4, ())), (1, 2))
                crops.append(part.flip(-1) if torch.rand(()) < 0.5 else part)
            image, mask, weight = torch.stack(crops).split([3, 1, 1], 1)
            loss = functional.binary_cross_entropy_with_logits(network(image), mask, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def coarse_maps(
    train: tuple[Tensor, Tensor, Tensor], test: Tensor, groups: list[int], steps: int, crop: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return logits of training and test pictures.

    The maps of a training picture come from a classifier that saw no picture of its group, or the refiner would learn
    from maps that are better than those it gets later.

    Args:
        train: Pictures, masks and where they are known.
        test: Pictures.
        groups: Of each training picture.
        steps: Of each classifier.
        crop: Side of the crops.
        seed: Of the classifiers.
    """
    of = torch.tensor(groups)
    maps = torch.empty_like(train[1])
    with torch.no_grad():
        for group in sorted(set(groups)):
            images, masks, known = (part[of != group] for part in train)
            with torch.enable_grad():
                rest = train_classifier(images, masks, known, steps, crop, seed)
            maps[of == group] = rest(train[0][of == group])
        with torch.enable_grad():
            whole = train_classifier(*train, steps, crop, seed)
        return maps, whole(test)
