"""How often the right class is among the first k."""

import torch

__all__ = ["MOST", "accuracies", "evaluate"]

MOST = 5
"""The largest k that is measured."""


def accuracies(scores: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return the fraction of ``scores (N, C)`` whose label is among the first ``k = 1 .. 5``; ties count as wrong."""
    right = scores.gather(-1, labels[:, None])
    place = (scores >= right).sum(-1)  # 1 if no other class has as much
    return [(place <= k).float().mean().item() for k in range(1, min(MOST, scores.shape[-1]) + 1)]


def evaluate(scorer: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, at_once: int = 500) -> list[float]:
    """Score all pictures ``(N, C, H, W)`` uint8 and measure."""
    was_training = scorer.training
    scorer.eval()
    device = next(scorer.parameters()).device
    with torch.inference_mode():
        scores = torch.cat([scorer(part.to(device)).float().cpu() for part in images.split(at_once)])
    scorer.train(was_training)
    return accuracies(scores, labels)
