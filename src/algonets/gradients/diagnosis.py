"""How good is a gradient: bias, variance, direction, calls of the solver, seconds."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import reject_type, require
from algonets.gradients._problem import count_calls
from algonets.gradients.layer import Layer
from algonets.gradients.perturbed import Perturbed

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`diagnose` measures; relative to the norm of the reference, means over the batch.

    Attributes:
        cosine: Of one estimate to the reference, which is what training sees; 0 where an estimate is zero.
        cosine_of_mean: Of the mean estimate to the reference: 1 if only noise is wrong.
        bias: ``norm(mean - reference) / norm(reference)``, after the best common factor for the batch: a step size
            makes up for a factor.
        factor: That factor, reference over estimate.
        variance: ``mean norm(estimate - mean)^2 / norm(mean)^2``.
        zeros: Fraction of estimates that are zero: no gradient at all.
        calls: Of the solver, an example, forward and backward.
        seconds: For the batch, forward and backward.
    """

    cosine: float
    cosine_of_mean: float
    bias: float
    factor: float
    variance: float
    zeros: float
    calls: float
    seconds: float

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def diagnose(
    layer: Callable[..., Tensor],
    theta: Tensor,
    *,
    cotangent: Tensor | None = None,
    reference: Tensor | Callable[..., Tensor] | None = None,
    repeats: int = 20,
    generator: torch.Generator | None = None,
    **instance: Any,
) -> Diagnosis:
    r"""Measure the gradient of a layer against the exact one, or that of many samples.

    Args:
        layer: Any layer, or differentiable callable of theta.
        theta: ``(*batch, *event)``; the more examples, the better the averages.
        cotangent: The incoming gradient, of the shape of theta; random normal by default.
        reference: The right gradient, or a differentiable callable ``reference(theta, **instance)`` that has it (a
            softmax for an argmax). By default :class:`Perturbed` with 4096 samples of the layer's own law, or of
            ``Gaussian(1.0)`` if it has none.
        repeats: Estimates; 1 is enough where there is no noise.
        generator: Source of all randomness.
        **instance: Of the solver.

    Returns:
        A :class:`Diagnosis`.

    Raises:
        TypeError: theta is no floating tensor; without a reference, ``layer`` is no :class:`Layer`.
        ValueError: no example at all; a reference or cotangent of another shape.

    Differentiability: none.
    Cost: ``repeats`` forward and backward passes, and the reference.

    Example:
        >>> from algonets.gradients import Identity
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> theta = torch.randn(100, 10, generator=torch.Generator().manual_seed(0))
        >>> softmax = lambda theta: theta.softmax(-1)
        >>> found = diagnose(Identity(argmax, "mean"), theta, reference=softmax, repeats=1,
        ...                  generator=torch.Generator().manual_seed(1))
        >>> found.cosine > 0.7, found.calls, found.variance
        (True, 1.0, 0.0)
    """
    check_floating("diagnose(theta)", theta)
    check_at_least("diagnose(repeats)", repeats, 1)
    require(theta.numel() > 0, "diagnose(theta)", "must hold at least one example", theta)
    theta = theta.detach()
    if cotangent is None:
        cotangent = torch.randn(theta.shape, generator=generator, dtype=theta.dtype, device=theta.device)
    require(cotangent.shape == theta.shape, "diagnose(cotangent)", "must have the shape of theta", cotangent)
    dims = layer.event_dims if isinstance(layer, Layer) else 1
    event = tuple(range(-dims, 0))
    if not isinstance(reference, Tensor):
        truth = _reference(layer) if reference is None else reference
        reference = _slope(truth, theta, cotangent, generator, instance)
    require(reference.shape == theta.shape, "diagnose(reference)", "must have the shape of theta", reference)
    start = time.perf_counter()
    with count_calls() as counter:
        found = torch.stack([_slope(layer, theta, cotangent, generator, instance) for _ in range(repeats)])
    seconds = (time.perf_counter() - start) / repeats
    examples = max(theta[..., *(0,) * dims].numel(), 1)
    mean = found.mean(0)
    power = mean.square().sum()
    factor = ((mean * reference).sum() / torch.where(power > 0, power, 1.0)).item()
    variance = (found - mean).square().sum(event).sum() / repeats / torch.where(power > 0, power, 1.0)
    return Diagnosis(
        cosine=_cosine(found, reference, event).mean().item(),
        cosine_of_mean=_cosine(mean, reference, event).mean().item(),
        bias=((factor * mean - reference).norm() / reference.norm()).item(),
        factor=factor,
        variance=variance.item(),
        zeros=(found == 0).flatten(found.ndim - dims).all(-1).double().mean().item(),
        calls=counter.calls / repeats / examples,
        seconds=seconds,
    )


def _cosine(a: Tensor, b: Tensor, event: tuple[int, ...]) -> Tensor:
    size = (a.square().sum(event) * b.square().sum(event)).sqrt()
    return (a * b).sum(event) / torch.where(size > 0, size, 1.0)


def _slope(
    layer: Callable[..., Tensor],
    theta: Tensor,
    cotangent: Tensor,
    generator: torch.Generator | None,
    instance: Mapping[str, Any],
) -> Tensor:
    given = theta.clone().requires_grad_()
    with torch.enable_grad():
        extra = {"generator": generator} if isinstance(layer, Layer) else {}
        y = layer(given, **extra, **instance)
        return torch.autograd.grad(y, given, cotangent.to(y.dtype))[0]


def _reference(layer: Any) -> Layer:
    if not isinstance(layer, Layer):
        reject_type("diagnose(layer)", "must be a Layer of algonets.gradients", layer, "Give a reference.")
    law = getattr(layer, "distribution", None)
    return Perturbed(layer.solver, law, 4096, event_dims=layer.event_dims, keep_sign=layer.keep_sign)


def table(rows: Mapping[str, Diagnosis]) -> str:
    """Format diagnoses as a table, the best direction first."""
    names = ("cosine", "cosine_of_mean", "bias", "variance", "zeros", "calls", "seconds")
    width = max(len(name) for name in (*rows, "estimator"))
    head = ("cosine", "of mean", "bias", "variance", "zeros", "calls", "ms")
    lines = [f"{'estimator':{width}}" + "".join(f"{name:>10}" for name in head)]
    for name, found in sorted(rows.items(), key=lambda item: -item[1].cosine):
        figures = found.as_dict() | {"seconds": 1000 * found.seconds}
        lines.append(f"{name:{width}}" + "".join(f"{figures[key]:>10.3g}" for key in names))
    return "\n".join(lines)


def plot(path: str | Path, rows: Mapping[str, Mapping[int, Diagnosis]], title: str) -> None:
    """Draw the cosine of one estimate over the calls of the solver, a line for each estimator."""
    import matplotlib.figure  # an optional package

    figure = matplotlib.figure.Figure(figsize=(7.5, 4.6), layout="constrained", dpi=110)
    axis = figure.subplots()
    draw(axis, rows)
    axis.set_title(title, fontsize=10)
    figure.savefig(path)


def draw(axis: Any, rows: Mapping[str, Mapping[int, Diagnosis]]) -> None:
    """Draw into an axis of matplotlib."""
    for number, (name, found) in enumerate(rows.items()):
        calls = [diagnosis.calls for diagnosis in found.values()]
        cosines = [diagnosis.cosine for diagnosis in found.values()]
        marker = "osD^vPX<>"[number % 9]
        axis.plot(calls, cosines, marker=marker, ms=5, lw=1.3, color=f"C{number % 10}", label=name)
    axis.set(xscale="log", xlabel="solver calls an example, forward and backward", ylim=(0, 1.02))
    axis.set_ylabel("cosine of one estimate to the reference")
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
