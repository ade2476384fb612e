"""From triangles to pixels: silhouettes, depths, shaded images; soft, with gradients, or hard."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.backend import use_native
from algonets._core.checks import check_at_least, check_finite, check_floating, check_positive
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch
from algonets.distributions import Distribution, Logistic
from algonets.render import _silhouette_native as kernel
from algonets.render import _silhouette_reference as reference
from algonets.render import _silhouette_triton as gpu
from algonets.render._blend import Values, blend, visible
from algonets.render._fragments import nearest_faces
from algonets.render.textures import Texture
from algonets.tconorms import Probabilistic, TConorm

__all__ = ["Rasterizer"]


@final
class Rasterizer:
    """A differentiable renderer of triangles, with any law and any t-conorm.

    A face covers a pixel by ``F(d)``, where F is the CDF of the law and d the distance of the pixel's centre to the
    face's boundary, + inside and - outside (``F(sign(d) d^2)`` if ``squared``); the t-conorm folds the coverages of
    all faces, front and back alike. x points right, y up, and the shorter side of the image is [-1, 1].

    Args:
        size: height and width, or one number for both.
        distribution: the law; its ``scale`` is the softness, in the unit of the coordinates (or its square). It may be
            a tensor that requires a gradient: a scalar, or of the shape of the batch.
        tconorm: the soft "or".
        squared: whether the law sees the signed square of the distance.
        cutoff: coverages below it count as 0, which is what makes the kernels fast; 0 keeps all.
        perspective: whether depth, colours and texture coordinates are interpolated so that 1 / depth is linear on
            the image, and faces with a vertex at a depth of 0 or less are left out.

    Raises:
        TypeError: if the law or the t-conorm is none.
        ValueError: if ``size`` is not positive or ``cutoff`` not in [0, 1).

    Differentiability: :meth:`silhouette` once (twice between the kinks, through the plain torch code) in coordinates
        and scale. Its derivative on an edge is that of the edge's normal. Exceptions are documented points of the
        axes: a law with a jump in its density jumps there too; ``Yager``, ``AczelAlsina`` and ``Dombi`` with p < 1
        have an infinite slope at coverage 0, where 0 is returned.
    Cost: time O(pixels within reach of the faces), memory O(faces + pixels) with the native kernel; the torch
        reference goes through all pairs of a face and a pixel, in chunks.
    References: Petersen, Goldluecke, Borgelt, Deussen 2022, GenDR: A Generalized Differentiable Renderer; Liu, Li,
        Chen, Li 2019, Soft Rasterizer.

    Example:
        >>> triangle = torch.tensor([[[-0.8, -0.8], [0.8, -0.8], [0.0, 0.8]]])
        >>> Rasterizer(4, Logistic(0.1)).silhouette(triangle)
        tensor([[0.0015, 0.1179, 0.1179, 0.0015],
                [0.0141, 0.5557, 0.5557, 0.0141],
                [0.1179, 0.9213, 0.9213, 0.1179],
                [0.5557, 0.6225, 0.6225, 0.5557]])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        distribution: Distribution | None = None,
        tconorm: TConorm | None = None,
        *,
        squared: bool = False,
        cutoff: float = 1e-6,
        perspective: bool = True,
    ):
        pair = (size, size) if not isinstance(size, Sequence) else tuple(size)
        require(len(pair) == 2, "Rasterizer(size)", "must be a number or (height, width)", size)
        self.size: tuple[int, int] = (
            check_at_least("Rasterizer(size)", pair[0], 1),
            check_at_least("Rasterizer(size)", pair[1], 1),
        )
        self.distribution = Logistic(1e-2) if distribution is None else distribution
        self.tconorm = Probabilistic() if tconorm is None else tconorm
        if not isinstance(self.distribution, Distribution):
            reject_type("Rasterizer(distribution=...)", "must be a law of algonets.distributions", distribution)
        if not isinstance(self.tconorm, TConorm):
            reject_type("Rasterizer(tconorm=...)", "must be a t-conorm of algonets.tconorms", tconorm)
        require(0 <= cutoff < 1, "Rasterizer(cutoff=...)", "must be at least 0 and less than 1", cutoff)
        self.squared, self.cutoff, self.perspective = bool(squared), float(cutoff), bool(perspective)
        self._cut = reference.standard_cut(self.distribution, self.cutoff)

    def silhouette(self, faces: Tensor, offsets: Tensor | Sequence[int] | None = None) -> Tensor:
        """How much each pixel is covered.

        Args:
            faces: triangles ``(*batch, F, 3, 2)``, or with depths ``(*batch, F, 3, 3)``, of which those that are not
                before the camera are left out. Coordinates beyond 1e5 are cut there.
            offsets: for meshes of different size, ``(M + 1)`` integers: mesh m has the faces ``offsets[m]`` to
                ``offsets[m + 1]`` of ``(F, 3, 2)`` packed faces.

        Returns:
            ``(*batch, H, W)`` in [0, 1], or ``(M, H, W)`` with offsets.

        Raises:
            TypeError: if ``faces`` is no floating tensor, or offsets are no integers.
            ValueError: if shapes do not fit, or coordinates are not finite.
        """
        call = "Rasterizer.silhouette"
        flat, batch, ends = self._prepare(call, faces, offsets)
        if flat.shape[-1] == 3:
            flat = self._before_camera(flat)
        wide = flat.to(_compute_dtype(flat.dtype))
        scale = self._scales(wide, batch)
        result = self._silhouette(wide, scale, ends)
        return result.reshape(*batch, *self.size).to(faces.dtype)

    def nearest(self, faces: Tensor, offsets: Tensor | Sequence[int] | None = None) -> Tensor:
        """The face that is seen at each pixel: an exact z-buffer, watertight.

        A pixel on the edge of two faces belongs to both, and is decided like any other by depth; of equal depths the
        first face wins.

        Args:
            faces: ``(*batch, F, 3, 3)``, with depths.
            offsets: as of :meth:`silhouette`.

        Returns:
            int64 ``(*batch, H, W)``: the number of the face in its mesh, or -1.

        Differentiability: none.
        """
        flat, batch, ends = self._prepare("Rasterizer.nearest", faces, offsets, (3,))
        wide = flat.to(_compute_dtype(flat.dtype))
        return nearest_faces(wide, ends, self.size, self.perspective).reshape(*batch, *self.size)

    def depth(
        self, faces: Tensor, offsets: Tensor | Sequence[int] | None = None, *, gamma: float | None = None
    ) -> Tensor:
        """Depth of what is seen.

        Args:
            faces: ``(*batch, F, 3, 3)``, with depths.
            offsets: as of :meth:`silhouette`.
            gamma: softness of the choice among depths, in their unit: the mean of the depths, weighted by
                ``F(d) exp(-depth / gamma)``. None for that of the nearest face, exactly.

        Returns:
            ``(*batch, H, W)``; +inf where no face is near.

        Differentiability: once, in coordinates, depths and, with a gamma, the law's scale; with None, that of the
            plane of the nearest face.
        """
        call = "Rasterizer.depth"
        flat, batch, ends = self._prepare(call, faces, offsets, (3,))
        wide = flat.to(_compute_dtype(flat.dtype))
        result, some = self._blend(call, wide, batch, ends, gamma, lambda _, __, depth: depth.unsqueeze(-1))
        return result.squeeze(-1).masked_fill(~some, math.inf).reshape(*batch, *self.size).to(faces.dtype)

    def shade(
        self,
        faces: Tensor,
        colours: Tensor | Texture,
        offsets: Tensor | Sequence[int] | None = None,
        *,
        gamma: float | None = 1e-2,
        background: float | Tensor = 0.0,
    ) -> Tensor:
        """An image in colours.

        ``S C + (1 - S) background``, with S the soft silhouette, and C the mean of the faces' colours weighted by
        ``F(d) exp(-depth / gamma)``. As scale and gamma go to 0 it becomes the hard image, which None gives exactly.

        Args:
            faces: ``(*batch, F, 3, 3)``, with depths.
            colours: one for each face ``(*batch, F, C)``, or for each corner ``(*batch, F, 3, C)``; or a texture.
            offsets: as of :meth:`silhouette`.
            gamma: as of :meth:`depth`.
            background: number, or colour ``(C)``.

        Returns:
            ``(*batch, H, W, C)``.

        Raises:
            TypeError: if a tensor is not floating.
            ValueError: if shapes do not fit, or gamma is not positive.

        Differentiability: once, in coordinates, depths, colours, textures, and, with a gamma, the law's scale.
        Cost: O(pixels near the faces) time and memory.
        References: Liu, Li, Chen, Li 2019, Soft Rasterizer; background and normalisation are ours.
        """
        call = "Rasterizer.shade"
        flat, batch, ends = self._prepare(call, faces, offsets, (3,))
        wide = flat.to(_compute_dtype(flat.dtype))
        values = self._values(call, colours, faces, wide.dtype)
        result, some = self._blend(call, wide, batch, ends, gamma, values)
        result = result.reshape(*batch, *self.size, result.shape[-1])
        if gamma is None:
            cover = some.reshape(*batch, *self.size).to(result.dtype)
        else:
            cover = self._silhouette(self._before_camera(wide), self._scales(wide, batch), ends)
        cover = cover.reshape(*batch, *self.size, 1)
        behind = background.to(result) if isinstance(background, Tensor) else background
        return (result * cover + (1 - cover) * behind).to(faces.dtype)

    def _blend(
        self,
        call: str,
        faces: Tensor,
        batch: tuple[int, ...],
        ends: list[int],
        gamma: float | None,
        values: Values,
    ) -> tuple[Tensor, Tensor]:
        if gamma is None:
            return visible(faces, ends, self.size, self.perspective, values)
        check_positive(f"{call}(gamma=...)", gamma, "Use gamma=None for the nearest face alone.")
        scale = self._scales(faces, batch)
        if not isinstance(scale, Tensor):
            scale = faces.new_full((_product(batch),), scale)
        options = (self.distribution, self.squared, self._cut, self.perspective, gamma)
        return blend(faces, scale, ends, self.size, *options, values)

    def _values(self, call: str, colours: Tensor | Texture, faces: Tensor, dtype: torch.dtype) -> Values:
        """How a fragment gets its colour."""
        given = colours.uv if isinstance(colours, Texture) else check_floating(f"{call}(colours)", colours)
        lead = faces.shape[:-2]
        corners = given.ndim == len(lead) + 2 and given.shape[-2] == 3
        if not corners:
            good = given.ndim == len(lead) + 1 and given.ndim > 1
            require(good, f"{call}(colours)", "must be (*batch, F, C) or (*batch, F, 3, C)", given)
        rest = given.shape[given.ndim - (2 if corners else 1) :]
        try:
            flat = given.to(dtype).expand(*lead, *rest).reshape(-1, *rest)
        except RuntimeError:
            reject(f"{call}(colours)", f"must fit the faces {tuple(lead)}", given)
        if not corners:
            return lambda face, _, __: flat[face]
        mix = lambda face, weights: (weights.unsqueeze(-1) * flat[face]).sum(1)  # noqa: E731
        if isinstance(colours, Texture):
            return lambda face, weights, _: colours.sample(mix(face, weights)).to(dtype)
        return lambda face, weights, _: mix(face, weights)

    def _silhouette(self, flat: Tensor, scale: float | Tensor, ends: list[int]) -> Tensor:
        """``(B, F, 3, 2)`` with B or M scales to ``(B, M, H, W)``."""
        options = (self.size, self.distribution, self.tconorm, self.squared, self._cut)
        tensors = (flat, scale) if isinstance(scale, Tensor) else (flat,)
        if kernel.fits(self.distribution, self.tconorm) and use_native("Rasterizer.silhouette(faces)", *tensors):
            return kernel.silhouette(flat, scale, ends, *options)
        if gpu.available(flat, self.distribution, self.tconorm, scale):
            return gpu.silhouette(flat, scale, ends, *options)
        parts = []
        for m in range(len(ends) - 1):
            of = scale[m : m + 1] if isinstance(scale, Tensor) and len(ends) > 2 else scale
            parts.append(reference.silhouette(flat[:, ends[m] : ends[m + 1]], of, *options))
        return torch.stack(parts, 1) if parts else flat.new_zeros(flat.shape[0], 0, *self.size)

    # ---- checks

    def _prepare(
        self, call: str, faces: Any, offsets: Tensor | Sequence[int] | None, coordinates: tuple[int, ...] = (2, 3)
    ) -> tuple[Tensor, tuple[int, ...], list[int]]:
        """Faces ``(B, F, 3, ...)``, the shape of the batch, and where the faces of each mesh end."""
        name = f"{call}(faces)"
        faces = check_floating(name, faces)
        kinds = " or ".join(f"(*batch, F, 3, {k})" for k in coordinates)
        good = faces.ndim >= 3 and faces.shape[-2] == 3 and faces.shape[-1] in coordinates
        require(good, name, f"must be {kinds}", faces, "Index the vertices with the faces: vertices[..., faces, :].")
        check_finite(name, faces)
        count = faces.shape[-3]
        if offsets is None:
            batch = tuple(faces.shape[:-3])
            return flatten_batch(faces, 3), batch, [0, count]
        require(faces.ndim == 3, name, "must be packed (F, 3, ...) where offsets are given", faces)
        ends = _as_offsets(f"{call}(offsets)", offsets, count)
        return faces.unsqueeze(0), (len(ends) - 1,), ends

    def _before_camera(self, flat: Tensor) -> Tensor:
        """The first two coordinates; NaN for faces that reach behind the camera."""
        xy = flat[..., :2]
        if not self.perspective:
            return xy
        behind = (flat[..., 2] <= 0).any(-1)[..., None, None]
        return xy.masked_fill(behind, math.nan)

    def _scales(self, faces: Tensor, batch: tuple[int, ...]) -> float | Tensor:
        """The softness: a number, or one for each image."""
        scale = self.distribution.scale
        if not isinstance(scale, Tensor):
            return max(scale, torch.finfo(faces.dtype).tiny)
        call = "Rasterizer(distribution=...).scale"
        if scale.device != faces.device:
            reject(call, f"must be on the device of faces ({faces.device})", str(scale.device))
        scale = scale.to(faces.dtype).clamp_min(torch.finfo(faces.dtype).tiny)
        if scale.numel() == 1 and scale.ndim <= max(1, len(batch)):
            return scale.reshape(1).expand(_product(batch))
        try:
            return scale.expand(*batch).reshape(-1)
        except RuntimeError:
            return reject(call, f"must be a scalar or broadcast to the batch {batch}", scale)

    def __repr__(self) -> str:
        more = [
            f"{name}={getattr(self, name)}" for name, default in _DEFAULTS.items() if getattr(self, name) != default
        ]
        return f"Rasterizer({', '.join([str(self.size), repr(self.distribution), repr(self.tconorm), *more])})"


_DEFAULTS = {"squared": False, "cutoff": 1e-6, "perspective": True}


def _compute_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for n in shape:
        result *= n
    return result


def _as_offsets(call: str, offsets: Any, count: int) -> list[int]:
    if isinstance(offsets, Tensor):
        if offsets.dtype.is_floating_point or offsets.dtype == torch.bool or offsets.dtype.is_complex:
            reject_type(call, "must hold integers", offsets)
        offsets = offsets.tolist()
    ends = [check_at_least(call, end, 0) for end in offsets]
    good = len(ends) >= 1 and ends[0] == 0 and ends[-1] == count and all(a <= b for a, b in itertools.pairwise(ends))
    require(good, call, f"must rise from 0 to the number of faces ({count})", ends)
    return ends
