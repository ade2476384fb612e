"""What several experiments measure: accuracy, overlap, the distance of two sets of features."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["accuracy", "boundary_f", "device_of", "evaluated", "frechet_distance", "iou", "mean_iou"]


def device_of(network: nn.Module) -> torch.device:
    """Return where the weights are."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))


@torch.no_grad()
def evaluated(network: nn.Module, *inputs: Tensor, at_once: int = 500) -> Tensor:
    """Return the outputs of a network in evaluation mode for many inputs, so many at once."""
    training = network.training
    network.eval()
    device = device_of(network)
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


def iou(found: Tensor, truth: Tensor) -> Tensor:
    """Return the intersection over union of boolean masks ``(N, 1, H, W)``, each; 1 where both are empty."""
    shared, either = ((a.flatten(1).sum(1)) for a in (found & truth, found | truth))
    return torch.where(either > 0, shared / either.clamp_min(1), 1.0)


def boundary_f(found: Tensor, truth: Tensor, near: int = 1) -> Tensor:
    """Return the F-score of outlines of boolean masks ``(N, 1, H, W)``: pixels of one within ``near`` of the other.

    The outline of a mask are its pixels with a neighbour (of 8) outside; the picture's frame is no outline. 1 where
    neither has one, 0 where one has none.
    """
    first, second = _outline(found), _outline(truth)
    precision = _share(first, _thick(second, near))
    recall = _share(second, _thick(first, near))
    score = 2 * precision * recall / (precision + recall).clamp_min(1e-12)
    empty = (first.flatten(1).sum(1) == 0).int() + (second.flatten(1).sum(1) == 0).int()
    return torch.where(empty == 2, 1.0, torch.where(empty == 1, 0.0, score))


def _thick(mask: Tensor, radius: int) -> Tensor:
    return functional.max_pool2d(mask.float(), 2 * radius + 1, 1, radius) > 0


def _outline(mask: Tensor) -> Tensor:
    return mask & _thick(~mask, 1)


def _share(points: Tensor, allowed: Tensor) -> Tensor:
    return (points & allowed).flatten(1).sum(1) / points.flatten(1).sum(1).clamp_min(1)


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
