"""Draws of a law for estimators: independent, in mirrored pairs, or spread evenly by a Sobol sequence."""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from algonets._core.errors import reject, reject_type, require
from algonets.distributions import Distribution

__all__ = ["Noise", "check_law", "check_pairs", "check_score", "draw", "scale_of"]


class Noise(Protocol):
    """What can perturb: ``sample`` is all that estimators by differences need."""

    def sample(
        self,
        shape: Any,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Draw."""
        ...


def check_law(call: str, law: Any, antithetic: bool, quasi: bool) -> None:
    """Require what the way of drawing needs of a law."""
    if not callable(getattr(law, "sample", None)):
        reject_type(call, "must be a law with sample(), such as those of algonets.distributions", law)
    if (antithetic and not getattr(law, "symmetric", False)) or quasi:
        require(callable(getattr(law, "quantile", None)), call, "must have a quantile() for this way of drawing", law)


def check_pairs(call: str, samples: int, antithetic: bool) -> None:
    """Require an even number of samples where they come in pairs."""
    require(not antithetic or samples % 2 == 0, call, "must be even, as antithetic samples come in pairs", samples)


def check_score(call: str, law: Any) -> None:
    """Require a density that is continuous: a jump carries gradient that its score does not see."""
    if not isinstance(law, Distribution) and not callable(getattr(law, "score", None)):
        reject(call, "must have a score() for gradients by score functions", law, "Use gradient='difference'.")
    scale = float(torch.as_tensor(getattr(law, "scale", 1.0)).detach().max())
    for end in getattr(law, "support", ()):
        bound = torch.as_tensor(end, dtype=torch.float64).detach()
        if bool(bound.isfinite().all()):
            near = torch.stack([bound - 1e-6 * scale, bound + 1e-6 * scale])
            jump = float(law.pdf(near).max()) * scale
            rule = "must have a density without a jump (or pole) for gradients by score functions"
            require(jump < 0.01, call, rule, law, "Use gradient='difference', or a law with tails.")


def scale_of(law: Any) -> float | Tensor:
    """Return the scale of a law, 1 where it has none."""
    scale = getattr(law, "scale", 1.0)
    return scale.detach() if isinstance(scale, Tensor) else scale


def draw(
    law: Any, samples: int, like: Tensor, generator: torch.Generator | None, antithetic: bool, quasi: bool
) -> Tensor:
    """Draw ``(samples, *like.shape)``; ``like`` is ``(N, *event)``, each example gets draws of its own.

    Antithetic: the second half mirrors the first. Quasi: Sobol points over the event, shifted at random for each
    example (Cranley and Patterson 1976), so each draw has the right law and the mean is unbiased.
    """
    count = samples // 2 if antithetic else samples
    kind = {"dtype": like.dtype, "device": like.device}
    if not quasi and (not antithetic or getattr(law, "symmetric", False)):
        z = law.sample((count, *like.shape), generator=generator, **kind).detach()
        return torch.cat([z, -z]) if antithetic else z
    if quasi:
        dims = math.prod(like.shape[1:])
        most = torch.quasirandom.SobolEngine.MAXDIM
        require(dims <= most, "quasi=True", f"must have at most {most} entries a problem", dims)
        points = torch.quasirandom.SobolEngine(dims).draw(count, dtype=torch.float64).to(**kind)
        shift = torch.rand(like.shape, generator=generator, **kind)
        uniform = (points.reshape(count, 1, *like.shape[1:]) + shift) % 1.0
    else:
        uniform = torch.rand((count, *like.shape), generator=generator, **kind)
    eps = torch.finfo(like.dtype).eps
    uniform = uniform.clamp(eps / 4, 1 - eps)
    z = law.quantile(uniform).detach()
    return torch.cat([z, law.quantile(1 - uniform).detach()]) if antithetic else z
