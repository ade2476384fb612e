"""How good predicted paths are, by what they truly cost."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from algonets.graph import GridPath

__all__ = ["Score", "evaluate", "predict", "score_paths"]

_SLACK = 1e-4  # of a cost: sums in float32 differ in the order of tiles


class Score(NamedTuple):
    """Fractions in [0, 1], and regret relative to the optimum.

    Attributes:
        optimal: paths that cost as little as the cheapest.
        exact: paths that equal the given one tile by tile.
        regret: mean of (cost / least cost - 1), of paths that lead from corner to corner.
        paths: predictions that are such paths.
    """

    optimal: float
    exact: float
    regret: float
    paths: float


def score_paths(found: Tensor, costs: Tensor, right: Tensor) -> Score:
    """Score 0/1 tiles ``(N, side, side)``; what does not join the corners is never optimal."""
    if not len(found):
        return Score(0.0, 0.0, 0.0, 0.0)
    least = (costs * right).sum((1, 2))
    total = (costs * found).sum((1, 2))
    # The tiles are a path if a walk over them alone joins the corners; tiles beside it cost, too.
    joined = GridPath(8).solve(torch.where(found > 0, 1.0, math.inf)).feasible
    relative = (total / least - 1)[joined]
    return Score(
        (joined & (total <= least * (1 + _SLACK))).float().mean().item(),
        (found == right).all(2).all(1).float().mean().item(),
        relative.mean().item() if len(relative) else math.inf,
        joined.float().mean().item(),
    )


def predict(network: nn.Module, images: Tensor, at_once: int = 100) -> Tensor:
    """What the network says of uint8 pictures ``(N, 3, H, W)``: costs, or logits of the baseline."""
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [network(part / 255).float() for part in images.split(at_once)]
    network.train(was_training)
    return torch.cat(parts)


def evaluate(said: Tensor, costs: Tensor, right: Tensor, direct: bool) -> tuple[Score, Tensor]:
    """Turn costs (``direct``: logits of tiles) into paths and score them; also returns the paths."""
    found = (said > 0).float() if direct else GridPath(8)(said)
    return score_paths(found, costs, right), found
