"""How well scores order sets of numbers."""

from typing import NamedTuple

import torch

from algonets.data import NumberSets

__all__ = ["Ordering", "evaluate", "ordering"]


class Ordering(NamedTuple):
    """Fractions in [0, 1]: sets with every rank right (EM), and ranks that are right (EW)."""

    exact_match: float
    element_wise: float


def ordering(scores: torch.Tensor, values: torch.Tensor) -> Ordering:
    """Compare the order of scores with that of the numbers, both ``(sets, n)``; equal scores count as wrong."""
    order = scores.argsort(dim=-1, stable=True)
    right = order == values.argsort(-1)
    ordered = scores.gather(-1, order)
    tied = ordered[:, 1:] == ordered[:, :-1]
    right[:, 1:] &= ~tied
    right[:, :-1] &= ~tied
    return Ordering(right.all(-1).float().mean().item(), right.float().mean().item())


def evaluate(scorer: torch.nn.Module, sets: NumberSets, at_once: int = 100) -> Ordering:
    """Score the numbers of each set by themselves, ``(B, n, 1, H, W)`` to ``(B, n)``, and compare the orders."""
    was_training = scorer.training
    scorer.eval()
    device = next(scorer.parameters(), torch.empty(0)).device
    with torch.inference_mode():
        parts = torch.arange(len(sets)).split(at_once)
        scores = torch.cat([scorer(sets.batch(part).images.to(device)).float().cpu() for part in parts])
    scorer.train(was_training)
    return ordering(scores, sets.values)
