"""Soft silhouettes in plain torch: faces in chunks, each recomputed for its derivative."""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from algonets._core.checks import carries_tangent, values_visible
from algonets.distributions import Distribution
from algonets.render._distance import pixel_centres, signed_distance
from algonets.tconorms import TConorm

__all__ = ["silhouette", "standard_cut", "with_scale"]

_CHUNK = 1 << 20
"""Pairs of a face and a pixel at a time."""


def silhouette(
    faces: Tensor,
    scale: float | Tensor,
    size: tuple[int, int],
    law: Distribution,
    tconorm: TConorm,
    squared: bool,
    cut: float,
    chunk: int | None = None,
) -> Tensor:
    """Fold the coverages of each pixel by all faces.

    Args:
        faces: ``(B, F, 3, 2)``; NaN marks a face that is left out.
        scale: number, or ``(B,)``; it stands for that of the law.
        size: height and width.
        law: the soft step of coverage.
        tconorm: the fold.
        squared: whether the step is of the signed square of the distance.
        cut: fragments whose argument is below ``cut * scale`` are left out.
        chunk: how many faces at a time.

    Returns:
        ``(B, H, W)``.
    """
    batch, count = faces.shape[:2]
    points = pixel_centres(size, faces)
    wide = with_scale(law, scale.view(-1, 1, 1) if isinstance(scale, Tensor) else scale)
    if chunk is None:
        chunk = max(1, _CHUNK // max(1, batch * len(points)))
    parts = faces.split(chunk, 1) if count else ()
    fold: Any = getattr(tconorm, "reduce_log_survival", None)  # keeps apart what is 1 to rounding

    def of(part: Tensor) -> Tensor:
        hidden = part.isnan().any(-1).any(-1)
        distance = signed_distance(part.nan_to_num(0.0).unsqueeze(2), points, squared)
        kept = (distance.detach() >= cut * wide.scale) & ~hidden.unsqueeze(-1)
        if fold is not None:
            return fold(wide.log_survival(distance).where(kept, 0.0), 1)
        return tconorm.reduce(wide.cdf(distance).where(kept, 0.0), 1)

    recompute = len(parts) > 1 and torch.is_grad_enabled() and values_visible(faces) and not carries_tangent(faces)
    folded = [checkpoint(of, part, use_reentrant=False) if recompute else of(part) for part in parts]
    if not folded:
        return (faces.sum((1, 2, 3))[:, None] + 0 * points.sum(-1)).view(batch, *size)
    total: Any = folded[0]
    if len(folded) > 1:
        together = torch.stack(folded, 1)
        total = fold(together, 1) if fold is not None else tconorm.reduce(together, 1)
    value = -torch.expm1(total) if fold is not None else total
    return value.view(batch, *size)


def with_scale(law: Distribution, scale: float | Tensor) -> Distribution:
    """The same law with another scale."""
    other = copy.copy(law)
    other.scale = scale
    return other


def standard_cut(law: Distribution, cutoff: float) -> float:
    """Where the law with scale 1 reaches ``cutoff``; -inf for 0."""
    if cutoff == 0:
        return -math.inf
    at = with_scale(law, 1.0).quantile(torch.tensor(cutoff, dtype=torch.float64))
    return float(at.detach().reshape(-1)[0])
