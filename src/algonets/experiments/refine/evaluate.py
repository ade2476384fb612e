"""How good a map is: its overlap with the truth, and how near its outline is to the true one."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Maps", "Score", "boundary_f", "evaluate", "iou"]

_NEAR = 1  # pixels between outlines that count as the same


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


def iou(found: Tensor, truth: Tensor) -> Tensor:
    """Return the intersection over union of boolean masks ``(N, 1, H, W)``, each; 1 where both are empty."""
    shared, either = ((a.flatten(1).sum(1)) for a in (found & truth, found | truth))
    return torch.where(either > 0, shared / either.clamp_min(1), 1.0)


def boundary_f(found: Tensor, truth: Tensor, near: int = _NEAR) -> Tensor:
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
