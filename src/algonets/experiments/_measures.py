"""What several experiments measure: accuracy, overlap, the distance of two sets of features."""

import torch
from torch import Tensor, nn

__all__ = ["accuracy", "evaluated", "frechet_distance", "mean_iou"]


@torch.no_grad()
def evaluated(network: nn.Module, *inputs: Tensor, at_once: int = 500) -> Tensor:
    """Return the outputs of a network in evaluation mode for many inputs, so many at once."""
    training = network.training
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    parts = [network(*(x[i : i + at_once].to(device) for x in inputs)).cpu() for i in range(0, len(inputs[0]), at_once)]
    network.train(training)
    return torch.cat(parts)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of right answers, in [0, 1]."""
    return (evaluated(network, images).argmax(-1) == labels).float().mean().item()


def mean_iou(found: Tensor, truth: Tensor, num_classes: int) -> float:
    """Return the intersection over union of label maps, over all pictures, mean of the classes that occur.

    >>> mean_iou(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 1]]), 3)
    0.5
    """
    counts = torch.bincount((truth * num_classes + found).flatten(), minlength=num_classes * num_classes).reshape(
        num_classes, num_classes
    )
    shared = counts.diagonal().double()
    either = counts.sum(0) + counts.sum(1) - shared
    return (shared[either > 0] / either[either > 0]).mean().item()


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the Fréchet distance of two Gaussians fitted to features ``(N, n)``, ``(M, n)``: the formula of FID.

    ``|m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^1/2)``.

    >>> x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(x, x + 2.0), 3)
    12.0
    """
    a, b = a.double(), b.double()
    root = _root(torch.cov(a.T))
    cross = torch.linalg.eigvalsh(root @ torch.cov(b.T) @ root).clamp_min(0).sqrt().sum()
    between = (a.mean(0) - b.mean(0)).square().sum()
    return (between + torch.cov(a.T).trace() + torch.cov(b.T).trace() - 2 * cross).clamp_min(0).item()


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
