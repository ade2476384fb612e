"""Cameras: from the world to the image, with gradients to the pose."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating, check_positive
from algonets._core.errors import reject, require
from algonets.render.mesh import check_vertices

__all__ = ["Camera"]

_NEAR = 1e-4


@final
class Camera:
    """A camera with a pose: x to the right, y up, z forward, as its coordinates.

    A point p has the camera coordinates ``(X, Y, Z) = rotation (p - position)``. The image has
    ``x = focal_x X / Z + centre_x``, or without the division if ``orthographic``; the shorter side is [-1, 1].

    Args:
        rotation: ``(*batch, 3, 3)``; its rows are the right, up and forward directions in the world.
        position: ``(*batch, 3)``.
        focal: number, or tensor ``(*batch, 2)``: image units for each unit of X / Z (of X if orthographic).
        centre: number, or tensor ``(*batch, 2)``: where the axis meets the image.
        orthographic: parallel rays.

    Raises:
        TypeError: if ``rotation`` or ``position`` is not floating.
        ValueError: if shapes do not fit.

    Differentiability: any order in all arguments.

    Example:
        >>> camera = Camera.look_at(2.0, elevation=0.0, azimuth=90.0, fov=90.0)
        >>> (camera.project(torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])) + 0.0).round(decimals=4)
        tensor([[0.0000, 0.0000, 2.0000],
                [0.0000, 0.5000, 2.0000]])
    """

    def __init__(
        self,
        rotation: Tensor,
        position: Tensor,
        focal: float | Tensor = 1.0,
        centre: float | Tensor = 0.0,
        orthographic: bool = False,
    ):
        rotation = check_floating("Camera(rotation)", rotation)
        position = check_floating("Camera(position)", position)
        require(rotation.shape[-2:] == (3, 3), "Camera(rotation)", "must be (*batch, 3, 3)", rotation)
        require(position.shape[-1:] == (3,), "Camera(position)", "must be (*batch, 3)", position)
        self.rotation, self.position = rotation, position
        self.focal, self.centre, self.orthographic = focal, centre, bool(orthographic)

    @classmethod
    def look_at(
        cls,
        distance: float | Tensor,
        elevation: float | Tensor = 0.0,
        azimuth: float | Tensor = 0.0,
        *,
        at: Sequence[float] | Tensor = (0.0, 0.0, 0.0),
        fov: float | None = 30.0,
        width: float | None = None,
    ) -> "Camera":
        """A camera on a sphere that looks at its middle, upright.

        At azimuth 0 it stands at ``z = -distance`` and looks along z; with a growing azimuth it moves towards +x.

        Args:
            distance: from ``at``, number or tensor ``(*batch)``.
            elevation: degrees above the plane y = 0, less than 90 in size; number or tensor that broadcasts.
            azimuth: degrees, likewise.
            at: the middle, ``(3)`` or ``(*batch, 3)``.
            fov: angle in degrees that the shorter side of the image spans; None for an orthographic camera.
            width: of an orthographic camera, the length that the shorter side spans.

        Raises:
            ValueError: unless exactly one of ``fov`` and ``width`` is given; if it or the distance is not positive.
        """
        check_positive("Camera.look_at(distance)", distance)
        numbers = [distance, elevation, azimuth, at]
        like = next((t for t in numbers if isinstance(t, Tensor)), torch.zeros(()))
        like = like if like.dtype.is_floating_point else like.float()
        d, e, a = torch.broadcast_tensors(*(torch.as_tensor(t).to(like) for t in numbers[:3]))
        centre = torch.as_tensor(at).to(like)
        e, a = torch.deg2rad(e), torch.deg2rad(a)
        cos_e, sin_e, cos_a, sin_a = torch.cos(e), torch.sin(e), torch.cos(a), torch.sin(a)
        zero = torch.zeros_like(e)
        right = torch.stack([cos_a, zero, sin_a], -1)
        up = torch.stack([-sin_e * sin_a, cos_e, sin_e * cos_a], -1)
        forward = torch.stack([-cos_e * sin_a, -sin_e, cos_e * cos_a], -1)
        require(
            (fov is None) != (width is None), "Camera.look_at(fov=..., width=...)", "must be one of them", (fov, width)
        )
        if width is not None:
            check_positive("Camera.look_at(width=...)", width)
            focal = 2 / width
        else:
            check_positive("Camera.look_at(fov=...)", fov)
            focal = 1 / math.tan(math.radians(fov or 0.0) / 2)
        position = centre - d[..., None] * forward
        return cls(torch.stack([right, up, forward], -2), position, focal, 0.0, fov is None)

    @classmethod
    def from_intrinsics(
        cls, matrix: Tensor, size: tuple[int, int], rotation: Tensor | None = None, position: Tensor | None = None
    ) -> "Camera":
        """A camera with a calibration matrix in pixels.

        Args:
            matrix: ``(*batch, 3, 3)`` with focal lengths and principal point; pixel (0, 0) is the upper left corner of
                the image, its y points down. Skew is not supported.
            size: height and width of the image.
            rotation: as of :class:`Camera`; the identity by default.
            position: likewise, 0 by default.
        """
        matrix = check_floating("Camera.from_intrinsics(matrix)", matrix)
        require(matrix.shape[-2:] == (3, 3), "Camera.from_intrinsics(matrix)", "must be (*batch, 3, 3)", matrix)
        height, width = size
        shorter = min(size)
        focal = torch.stack([matrix[..., 0, 0], matrix[..., 1, 1]], -1) * (2 / shorter)
        x = (2 * matrix[..., 0, 2] - width) / shorter
        y = (height - 2 * matrix[..., 1, 2]) / shorter
        rotation = torch.eye(3).to(matrix) if rotation is None else rotation
        return cls(rotation, matrix.new_zeros(3) if position is None else position, focal, torch.stack([x, y], -1))

    def project(self, vertices: Tensor) -> Tensor:
        """Project points.

        Args:
            vertices: ``(*batch, V, 3)``; batch dimensions broadcast against those of the camera.

        Returns:
            ``(*batch, V, 3)``: x and y on the image, and the depth Z. Points behind the camera have a depth of 0 or
            less, by which :class:`Rasterizer` knows them; their x and y mean nothing.

        Raises:
            TypeError: if ``vertices`` is not floating.
            ValueError: if it is not finite, or shapes do not fit.
        """
        vertices = check_vertices("Camera.project(vertices)", vertices)
        rotation, position = self.rotation.to(vertices), self.position.to(vertices)
        try:
            own = (vertices - position.unsqueeze(-2)) @ rotation.mT
        except RuntimeError:
            batch = tuple(torch.broadcast_shapes(rotation.shape[:-2], position.shape[:-1]))
            return reject("Camera.project(vertices)", f"must broadcast to the batch of the camera {batch}", vertices)
        xy, depth = own[..., :2], own[..., 2:]
        if not self.orthographic:
            xy = xy / depth.clamp_min(_NEAR)
        focal, centre = (t.to(xy).unsqueeze(-2) if isinstance(t, Tensor) else t for t in (self.focal, self.centre))
        return torch.cat([xy * focal + centre, depth], -1)

    def __repr__(self) -> str:
        kind = ", orthographic" if self.orthographic else ""
        batch = tuple(torch.broadcast_shapes(self.rotation.shape[:-2], self.position.shape[:-1]))
        return f"Camera(batch {batch}{kind})"
