"""Soft silhouettes on the GPU by Triton; tested by Triton's interpreter where there is no GPU.

Thirteen laws and eight t-conorms have programs; the others (Wigner, gamma, Levy, Max) run in plain torch. Triton is
imported at the first call. Second derivatives, forward mode and ``vmap`` are those of the reference.
"""

import importlib
import importlib.util
import math
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]

from algonets import tconorms
from algonets._core.backend import active_backend
from algonets._core.checks import carries_tangent
from algonets.distributions import Distribution
from algonets.render._distance import FAR
from algonets.render._silhouette_native import FOLDS, LAWS, fits, second_derivative
from algonets.tconorms import TConorm

__all__ = ["available", "silhouette"]

_INSTALLED = importlib.util.find_spec("triton") is not None
_WITHOUT = {8, 14, 15, 16, 17}
_MIRRORED = {13}
_TILE = {"ROWS": 8, "COLUMNS": 16}


def available(faces: Tensor, law: Distribution, tconorm: TConorm, scale: float | Tensor) -> bool:
    """Tell whether the programs are to run: tensors on a GPU, Triton there, and no other backend set."""
    if not faces.is_cuda or not _INSTALLED or active_backend() != "auto" or torch.compiler.is_compiling():
        return False
    tensors = (faces, scale) if isinstance(scale, Tensor) else (faces,)
    if any(functorch.is_functorch_wrapped_tensor(t) or carries_tangent(t) for t in tensors):
        return False
    return has(law, tconorm)


def has(law: Distribution, tconorm: TConorm) -> bool:
    """Tell whether there are programs for these."""
    return fits(law, tconorm) and LAWS[type(law)] not in _WITHOUT and type(tconorm) is not tconorms.Max


def silhouette(
    faces: Tensor,
    scale: float | Tensor,
    ends: list[int],
    size: tuple[int, int],
    law: Distribution,
    tconorm: TConorm,
    squared: bool,
    cut: float,
) -> Tensor:
    """``(B, F, 3, 2)`` with a scale for each image, by number or ``(B M)``, to ``(B, M, H, W)``."""
    batch, meshes = faces.shape[0], len(ends) - 1
    each = scale.view(batch, meshes) if isinstance(scale, Tensor) else faces.new_full((batch, meshes), scale)
    family, p = FOLDS[type(tconorm)], getattr(tconorm, "p", 1.0)
    wide = family in (4, 5, 6, 7) or (family == 2 and p == 0)
    given, each = (faces.double(), each.double()) if wide else (faces, each)
    shift = float(getattr(law, "shift", 0.0))
    options = (*size, LAWS[type(law)], family, squared, 1.0, shift, float(p), cut)
    return _Silhouette.apply(given, each, ends, *options).to(faces.dtype)  # pyright: ignore[reportAttributeAccessIssue]


class _Silhouette(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, faces: Tensor, scale: Tensor, ends: list[int], *options: Any) -> Tensor:
        faces, scale = faces.contiguous(), scale.contiguous()
        value, inverse = launch_forward(faces, scale, ends, *options)
        ctx.save_for_backward(faces, scale, inverse)
        ctx.options = (ends, *options)
        return value

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> tuple:
        faces, scale, inverse = ctx.saved_tensors
        return *_Gradient.apply(faces, scale, inverse, incoming[0], *ctx.options), *(None,) * 10  # pyright: ignore[reportGeneralTypeIssues]


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, faces: Tensor, scale: Tensor, inverse: Tensor, by: Tensor, ends: list[int], *options: Any
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(faces, scale, by)
        ctx.options = (ends, *options)
        ctx.set_materialize_grads(False)
        return launch_backward(faces, scale, by * inverse, ends, *options)

    @staticmethod
    def backward(ctx: Any, *weights: Tensor | None) -> tuple:
        return second_derivative(ctx, *weights)


def _kernels() -> Any:
    return importlib.import_module("algonets.render._triton_kernels")


def _numbers(like: Tensor, law: int, fold: int, shift: float, p: float, cut: float) -> Tensor:
    """The numbers of the programs, in the precision of the faces; bounds as in native/render/folds.h."""
    double = like.dtype == torch.float64
    most = 1e-100
    if fold == 6:
        most = 1e300 ** (1 / (p + 1))
    elif fold == 7:
        most = 1e-300 ** (1 / (1 - p))
    least = 1e-250 if fold == 6 else 1e-307 if double else 1e-37
    reach = min(max(0.0, -cut), 1e30)
    lowest = max(cut, -1e30)
    values = [shift if law in _MIRRORED else -shift, lowest, reach, p, math.log(p) if p > 0 else 0.0, most, least]
    return torch.tensor([*values, torch.finfo(like.dtype).tiny], dtype=like.dtype, device=like.device)


def launch_forward(
    faces: Tensor,
    scale: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    _shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """Images ``(B, M, H, W)``, and the derivative of the coverage in the sum of generators."""
    value = faces.new_empty(faces.shape[0], len(ends) - 1, height, width)
    inverse = torch.empty_like(value)
    if value.numel():
        tiles = -(-height // _TILE["ROWS"]) * -(-width // _TILE["COLUMNS"])
        _kernels().forward_kernel[(scale.numel(), tiles)](
            faces,
            scale,
            torch.tensor(ends, device=faces.device),
            _numbers(faces, law, fold, shift, p, cut),
            value,
            inverse,
            faces.shape[1],
            len(ends) - 1,
            height,
            width,
            LAW=law,
            FOLD=fold,
            SQUARED=squared,
            **_TILE,
        )
    return value, inverse


def launch_backward(
    faces: Tensor,
    scale: Tensor,
    slopes: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    _shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """Gradients to faces and scales."""
    to_faces, batch, total = torch.zeros_like(faces), faces.shape[0], faces.shape[1]
    each = faces.new_zeros(batch, total)
    counts = torch.tensor(ends[1:], device=faces.device) - torch.tensor(ends[:-1], device=faces.device)
    mesh_of = torch.repeat_interleave(counts)
    if each.numel():
        _kernels().backward_kernel[(batch * total,)](
            faces,
            scale,
            mesh_of,
            _numbers(faces, law, fold, shift, p, cut),
            slopes.contiguous(),
            to_faces,
            each,
            total,
            len(ends) - 1,
            height,
            width,
            LAW=law,
            FOLD=fold,
            SQUARED=squared,
            **_TILE,
        )
    return to_faces.where(faces.abs() <= FAR, 0.0), torch.zeros_like(scale).index_add(1, mesh_of, each)
