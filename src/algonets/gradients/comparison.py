"""All estimators around one solver, at equal calls of it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating
from algonets.distributions import Gaussian
from algonets.gradients._noise import Noise
from algonets.gradients.diagnosis import Diagnosis, diagnose
from algonets.gradients.identity import Identity
from algonets.gradients.implicit_mle import ImplicitMLE
from algonets.gradients.interpolated import Interpolated
from algonets.gradients.layer import Layer
from algonets.gradients.perturbed import Perturbed

__all__ = ["compare", "estimators"]


def estimators(
    solver: Callable[..., Tensor], calls: int, distribution: Noise | None = None, **options: Any
) -> dict[str, Layer]:
    """Return the estimators that take at most ``calls`` solver calls, forward and backward, by name.

    Args:
        solver: See :class:`Layer`.
        calls: At least 1.
        distribution: Of the noise, by default ``Gaussian(1.0)``; without a score, estimators by scores are left out.
        **options: ``event_dims`` and ``keep_sign``.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> list(estimators(argmax, 3))
        ['score', 'score, quasi', 'difference', 'I-MLE', 'blackbox', 'blackbox, symmetric', 'identity']
    """
    check_at_least("estimators(calls)", calls, 1)
    law = Gaussian() if distribution is None else distribution
    found: dict[str, Layer] = {}
    if callable(getattr(law, "score", None)):
        found["score"] = Perturbed(solver, law, calls - 1 if calls == 2 else calls, "score", **options)
        if calls >= 4:
            found["score, antithetic"] = Perturbed(solver, law, calls // 2 * 2, "score", antithetic=True, **options)
        if calls >= 2:
            found["score, quasi"] = Perturbed(solver, law, calls - 1, "score", quasi=True, **options)
        if calls < 2:  # one call alone has no baseline
            found["score"] = Perturbed(solver, law, 1, "score", baseline="none", **options)
    if calls >= 3:
        found["difference"] = Perturbed(solver, law, calls // 3, **options)
        if calls >= 6:
            found["difference, quasi"] = Perturbed(solver, law, calls // 3, quasi=True, **options)
    if calls >= 2:
        found["I-MLE"] = ImplicitMLE(solver, calls // 2, 2.0, law, **options)
        found["blackbox"] = Interpolated(solver, 1.0, relative=True, **options)
    if calls >= 3:
        found["blackbox, symmetric"] = Interpolated(solver, 1.0, relative=True, symmetric=True, **options)
    negative = getattr(solver, "sense", "max") == "min"
    found["identity"] = Identity(solver, "none" if negative else "mean", **options)
    return found


def compare(
    solver: Callable[..., Tensor],
    theta: Tensor,
    calls: Sequence[int] = (2, 3, 6, 10, 20, 50, 100),
    *,
    distribution: Noise | None = None,
    reference: Tensor | Callable[..., Tensor] | None = None,
    repeats: int = 5,
    generator: torch.Generator | None = None,
    **options: Any,
) -> dict[str, dict[int, Diagnosis]]:
    """Diagnose all estimators at several budgets of solver calls, against one reference and by one cotangent.

    Args:
        solver: See :class:`Layer`.
        theta: ``(*batch, *event)``, typical scores or costs.
        calls: The budgets; an estimator that needs less is measured once.
        distribution: Of the noise, by default ``Gaussian(1.0)``.
        reference: As of :func:`diagnose`; by default :class:`Perturbed` with 4096 samples of the distribution.
        repeats: As of :func:`diagnose`.
        generator: Source of all randomness.
        **options: ``event_dims`` and ``keep_sign``.

    Returns:
        Name of the estimator to budget to :class:`Diagnosis`.

    Raises:
        TypeError: theta is no floating tensor.
        ValueError: a budget below 1.

    Cost: of the order of ``repeats`` times the sum of the budgets, and 3 x 4096 calls for the reference, an example.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> generator = torch.Generator().manual_seed(0)
        >>> found = compare(argmax, torch.randn(200, 10, generator=generator), (10,), generator=generator)
        >>> found["difference"][10].cosine > 0.75 > 0.6 > found["score"][10].cosine
        True
    """
    theta = check_floating("compare(theta)", theta)
    cotangent = torch.randn(theta.shape, generator=generator, dtype=theta.dtype, device=theta.device)
    if not isinstance(reference, Tensor):
        truth = Perturbed(solver, distribution, 4096, **options) if reference is None else reference
        extra = {"generator": generator} if isinstance(truth, Layer) else {}
        parts = []
        size = 16 if theta.ndim > 1 else max(len(theta), 1)  # many samples of few examples at once
        for part, pull in zip(theta.split(size), cotangent.split(size), strict=True):
            given = part.detach().clone().requires_grad_()
            parts.append(torch.autograd.grad(truth(given, **extra), given, pull)[0])
        reference = torch.cat(parts)
    found: dict[str, dict[int, Diagnosis]] = {}
    for budget in calls:
        for name, layer in estimators(solver, budget, distribution, **options).items():
            before = found.setdefault(name, {})
            fixed = name.startswith(("blackbox", "identity"))
            if fixed and before:
                continue
            before[budget] = diagnose(
                layer,
                theta,
                cotangent=cotangent,
                reference=reference,
                repeats=1 if fixed else repeats,
                generator=generator,
            )
    return found
