"""What the faces of a pixel have, blended by depth: softly over all fragments, or of the nearest face alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from algonets.distributions import Distribution
from algonets.render._distance import pixel_centres, signed_distance
from algonets.render._fragments import (
    barycentric,
    fragments_within,
    interpolate,
    nearest_faces,
    softmax_of_groups,
)
from algonets.render._silhouette_reference import with_scale

__all__ = ["Values", "blend", "visible"]

Values = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Faces ``(N)`` among all, weights of their corners ``(N, 3)``, depths ``(N)``, to values ``(N, C)``."""


def blend(
    faces: Tensor,
    scale: Tensor,
    ends: list[int],
    size: tuple[int, int],
    law: Distribution,
    squared: bool,
    cut: float,
    perspective: bool,
    gamma: float,
    values: Values,
) -> tuple[Tensor, Tensor]:
    """Mean of the values at each pixel, weighted by ``F(d) exp(-depth / gamma)``.

    Args:
        faces: ``(B, T, 3, 3)``, depths last.
        scale: ``(B M)``.
        ends: and the others, see ``Rasterizer``.
        size: height and width.
        law: of the coverage.
        squared: whether it sees signed squares.
        cut: of a law with scale 1.
        perspective: whether 1 / depth is linear.
        gamma: softness of the choice among depths.
        values: what is blended.

    Returns:
        ``(B M, H W, C)``, 0 where no face is near, and where one is, ``(B M, H W)``.
    """
    hidden = (faces[..., 2] <= 0).any(-1) if perspective else faces.new_zeros(faces.shape[:2], dtype=torch.bool)
    found = fragments_within(faces[..., :2], ends, size, squared, cut * scale.detach(), hidden)
    corners = faces.reshape(-1, 3, 3)[found.face]
    distance = signed_distance(corners[..., :2], found.point, squared)
    shares = barycentric(corners[..., :2], found.point, inside=False)
    weights, depth = interpolate(shares, corners[..., 2], perspective)
    logits = with_scale(law, scale[found.image]).log_cdf(distance) - depth / gamma
    pixels = size[0] * size[1]
    group, groups = found.image * pixels + found.pixel, len(scale) * pixels
    portion = softmax_of_groups(logits, group, groups)
    what = values(found.face, weights, depth)
    total = what.new_zeros(groups, what.shape[-1]).index_add(0, group, portion.unsqueeze(-1) * what)
    some = torch.zeros(groups, dtype=torch.bool, device=faces.device).index_fill(0, group, True)
    return total.view(len(scale), pixels, what.shape[-1]), some.view(len(scale), pixels)


def visible(
    faces: Tensor, ends: list[int], size: tuple[int, int], perspective: bool, values: Values
) -> tuple[Tensor, Tensor]:
    """Values of the nearest face at each pixel; results as of :func:`blend`."""
    batch, total = faces.shape[:2]
    images, pixels = batch * (len(ends) - 1), size[0] * size[1]
    nearest = nearest_faces(faces, ends, size, perspective).view(images, pixels)
    some = nearest >= 0
    image, pixel = some.nonzero(as_tuple=True)
    firsts = torch.tensor(ends[:-1], device=faces.device).repeat(batch)
    firsts = firsts + torch.arange(batch, device=faces.device).repeat_interleave(len(ends) - 1) * total
    face = nearest[image, pixel] + firsts[image]
    corners = faces.reshape(-1, 3, 3)[face]
    shares = barycentric(corners[..., :2], pixel_centres(size, faces)[pixel], inside=True)
    weights, depth = interpolate(shares, corners[..., 2], perspective)
    what = values(face, weights, depth)
    at = image * pixels + pixel
    result = what.new_zeros(images * pixels, what.shape[-1]).index_add(0, at, what)
    return result.view(images, pixels, what.shape[-1]), some
