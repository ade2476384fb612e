"""The native kernel of silhouettes as a torch operator."""

from typing import Any

import torch
from torch import Tensor

from algonets import distributions, tconorms
from algonets._core.backend import get_num_threads, native
from algonets._core.operator import Operator, view
from algonets.distributions import Distribution
from algonets.render import _silhouette_reference as reference
from algonets.tconorms import TConorm

__all__ = ["FOLDS", "LAWS", "fits", "second_derivative", "silhouette"]

LAWS: dict[type, int] = {
    distributions.Logistic: 0,
    distributions.Gaussian: 1,
    distributions.Cauchy: 2,
    distributions.Reciprocal: 3,
    distributions.Optimal: 4,
    distributions.Laplace: 5,
    distributions.Uniform: 6,
    distributions.CubicHermite: 7,
    distributions.WignerSemicircle: 8,
    distributions.Gudermannian: 9,
    distributions.GumbelMax: 10,
    distributions.GumbelMin: 11,
    distributions.Exponential: 12,
    distributions.ExponentialReversed: 13,
    distributions.Gamma: 14,
    distributions.GammaReversed: 15,
    distributions.Levy: 16,
    distributions.LevyReversed: 17,
}
"""The laws by their numbers in native/render.h."""

FOLDS: dict[type, int] = {
    tconorms.Probabilistic: 0,
    tconorms.Einstein: 1,
    tconorms.Hamacher: 2,
    tconorms.Frank: 3,
    tconorms.Yager: 4,
    tconorms.AczelAlsina: 5,
    tconorms.Dombi: 6,
    tconorms.SchweizerSklar: 7,
    tconorms.Max: 8,
}
"""The t-conorms likewise."""

_POWERS = (4, 5, 6, 7)
_RANGE = (0.25, 20.0)
_LARGEST_SHAPE = 300.0


def fits(law: Distribution, tconorm: TConorm) -> bool:
    """Tell whether the kernel has the law and the t-conorm, with these parameters."""
    if type(law) not in LAWS or type(tconorm) not in FOLDS or isinstance(getattr(law, "shift", 0.0), Tensor):
        return False
    if getattr(law, "shape", 1.0) > _LARGEST_SHAPE:
        return False
    return FOLDS[type(tconorm)] not in _POWERS or _RANGE[0] <= abs(tconorm.p) <= _RANGE[1]


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
    # Powers, and odds, leave the range of float32.
    wide = family in _POWERS or (family == FOLDS[tconorms.Hamacher] and p == 0)
    given, each = (faces.double(), each.double()) if wide else (faces, each)
    options = (*size, LAWS[type(law)], family, squared)
    numbers = (float(getattr(law, "shape", 1.0)), float(getattr(law, "shift", 0.0)), float(p), cut)
    return _operator(given, each, ends, *options, *numbers)[0].to(faces.dtype)


def _shapes(
    faces: Tensor,
    scale: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    kind = (faces.shape[0], len(ends) - 1, height, width)
    return faces.new_empty(kind), faces.new_empty(kind)


def _compute(
    faces: Tensor,
    scale: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """The image, and the sums of generators."""
    options = (height, width, law, fold, squared, shape, shift, p, cut)
    value, total = _shapes(faces, scale, ends, *options)
    if value.numel():
        arguments = (view(faces.contiguous()), view(scale.contiguous()), view(torch.tensor(ends)), *options)
        native().render_forward(*arguments, view(value), view(total), get_num_threads())
    return value, total


def _save(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(*inputs[:2], output[1])
    ctx.options = inputs[2:]
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, by: Tensor | None, _: Tensor | None) -> tuple:
    if by is None:
        return (None,) * 12
    faces, scale, total = ctx.saved_tensors
    return *_gradient(faces, scale, total, by, *ctx.options), *(None,) * 10


def _gradient_shapes(
    faces: Tensor,
    scale: Tensor,
    total: Tensor,
    by: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    kept = torch.contiguous_format
    return torch.empty_like(faces, memory_format=kept), torch.empty_like(scale, memory_format=kept)


def _compute_gradient(
    faces: Tensor,
    scale: Tensor,
    total: Tensor,
    by: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    shape: float,
    shift: float,
    p: float,
    cut: float,
) -> tuple[Tensor, Tensor]:
    """Gradients to the faces and the scales."""
    options = (height, width, law, fold, squared, shape, shift, p, cut)
    to_faces, to_scale = _gradient_shapes(faces, scale, total, by, ends, *options)
    if by.numel():
        arguments = (view(faces.contiguous()), view(scale.contiguous()), view(torch.tensor(ends)), *options)
        results = view(to_faces), view(to_scale)
        native().render_backward(
            *arguments, view(total.contiguous()), view(by.contiguous()), *results, get_num_threads()
        )
        return to_faces, to_scale
    return to_faces.zero_(), to_scale.zero_()


def _gradient_save(ctx: Any, inputs: tuple, output: tuple) -> None:
    faces, scale, _, by, *options = inputs
    ctx.save_for_backward(faces, scale, by)
    ctx.options = options
    ctx.set_materialize_grads(False)


def second_derivative(ctx: Any, *weights: Tensor | None) -> tuple:
    """Second derivative: differentiate the reference, to any further order."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [t.view_as(t) if keep and t.requires_grad else t.detach().requires_grad_() for t in ctx.saved_tensors]
        faces, scale, by = inputs
        image = _by_reference(faces, scale, *ctx.options)
        first = torch.autograd.grad(image, (faces, scale), by, create_graph=True)
        pairs = [(f, w) for f, w in zip(first, weights, strict=True) if w is not None]
        if not pairs:
            return (None,) * 14
        outputs, incoming = zip(*pairs, strict=True)
        found = torch.autograd.grad(outputs, inputs, incoming, create_graph=keep, allow_unused=True)
    return found[0], found[1], None, found[2], *(None,) * 10


def _by_reference(
    faces: Tensor,
    scale: Tensor,
    ends: list[int],
    height: int,
    width: int,
    law: int,
    fold: int,
    squared: bool,
    shape: float,
    shift: float,
    p: float,
    cut: float,
) -> Tensor:
    """What the operator computes, in plain torch."""
    kind = next(kind for kind, number in LAWS.items() if number == law)
    extra: dict[str, Any] = {name: value for name, value in (("shape", shape), ("shift", shift)) if name in kind._extra}
    family = next(kind for kind, number in FOLDS.items() if number == fold)
    fold_of = family(p) if fold in (2, 3, *_POWERS) else family()
    parts = [
        reference.silhouette(
            faces[:, ends[m] : ends[m + 1]], scale[:, m], (height, width), kind(1.0, **extra), fold_of, squared, cut
        )
        for m in range(len(ends) - 1)
    ]
    return torch.stack(parts, 1) if parts else faces.new_zeros(faces.shape[0], 0, height, width)


_NAME = "render_silhouette"
_gradient = Operator(f"{_NAME}_gradient", _compute_gradient, _gradient_shapes, _gradient_save, second_derivative)
_operator = Operator(_NAME, _compute, _shapes, _save, _backward)
