"""How good a map is: its overlap with the truth, and how near its outline is to the true one."""

from typing import NamedTuple

import torch
from torch import Tensor

from algonets.experiments._measures import boundary_f, iou

__all__ = ["Maps", "Score", "boundary_f", "evaluate", "iou"]


class Maps(NamedTuple):
    """Pictures with their masks and coarse maps.

    Attributes:
        images: ``(N, 3, H, W)`` in [0, 1].
        masks: ``(N, 1, H, W)`` of 0 and 1.
        coarse: Logits ``(N, 1, H, W)``.
        known: ``(N, 1, H, W)``, 1 where the picture has data.
    """

    images: Tensor
    masks: Tensor
    coarse: Tensor
    known: Tensor


class Score(NamedTuple):
    """Means over pictures, in [0, 1]; one for each iteration, of which the first is the coarse map."""

    iou: list[float]
    boundary_f: list[float]


def evaluate(network: torch.nn.Module, maps: Maps, at_once: int = 20) -> Score:
    """Score the maps of each iteration of a network; pixels without data count as background on both sides."""
    network.eval()
    overlap, outline = [], []
    with torch.inference_mode():
        for part in torch.arange(len(maps.images)).split(at_once):
            truth, known = maps.masks[part] > 0.5, maps.known[part] > 0.5
            steps = [(step > 0) & known for step in network(maps.coarse[part], maps.images[part])]
            overlap.append(torch.stack([iou(step, truth & known) for step in steps]))
            outline.append(torch.stack([boundary_f(step, truth & known) for step in steps]))
    return Score(torch.cat(overlap, 1).mean(1).tolist(), torch.cat(outline, 1).mean(1).tolist())
