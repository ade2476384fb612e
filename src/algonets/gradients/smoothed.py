"""Stochastic smoothing of any function that can only be called."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_finite, check_floating
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch
from algonets.distributions import Gaussian
from algonets.gradients._estimate import surrogate
from algonets.gradients._noise import Noise, check_law, check_pairs, check_score, draw
from algonets.gradients._problem import per_example, solver_name, wide
from algonets.gradients._score import Baseline, coefficients, resolve_baseline

__all__ = ["Smoothed"]


@final
class Smoothed(torch.nn.Module):
    r"""The mean of any function under noise on its argument, differentiated by scores.

    .. math:: f_\varepsilon(x) = \mathbb{E} f(x + Z), \qquad
        \nabla f_\varepsilon(x) = \mathbb{E}\bigl[(f(x + Z) - b)\,(-\nabla\log p(Z))^\top\bigr]

    The function need not be a solver of a linear objective, nor continuous: a renderer, a simulator, a count.

    Args:
        fn: ``fn(x, **instance)`` takes ``x (N, *event)`` and returns ``(N, *out)``; it is called without gradients.
        distribution: Law of the noise with its scale, by default ``Gaussian(1.0)``; any whose density has no jump.
            Heavy tails (Cauchy) look far and have a bounded score.
        samples: Draws an example.
        antithetic, quasi, baseline: As of :class:`Perturbed`; the unperturbed value as the baseline keeps the variance
            of the gradient bounded as the scale goes to 0, where f is smooth.
        event_dims: Over how many last dimensions of x one argument extends.

    Shape: ``forward(x, *, generator=None, **instance)``: x ``(*batch, *event)``, tensors of the instance
        ``(*batch, ...)``; returns ``(*batch, *out)``. Rows that are not finite are left out of the mean; where none
        is left, the result is 0 with a zero gradient.

    Raises:
        TypeError: ``fn`` cannot be called or returns no tensor; x is no floating tensor.
        ValueError: as :class:`Perturbed`; ``fn`` returns another number of rows.

    Differentiability: first order only, with respect to x; unbiased for the smoothed function.
    Cost: ``samples`` calls of fn (one more with the unperturbed baseline), none backward.
    References: Petersen, Sutter, Borgelt, Huh, Kuehne, Sun, Deussen 2024, Generalizing Stochastic Smoothing for
        Differentiation and Gradient Estimation; Williams 1992; Abernethy 2016.

    Example:
        >>> step = Smoothed(lambda x: (x > 0).float().sum(-1), Gaussian(0.5), samples=2000)
        >>> x = torch.tensor([0.0], requires_grad=True)
        >>> step(x, generator=torch.Generator().manual_seed(0)).backward()
        >>> bool((x.grad - 0.798).abs() < 0.05)  # the density of the noise at 0
        True
    """

    def __init__(
        self,
        fn: Callable[..., Tensor],
        distribution: Noise | None = None,
        samples: int = 8,
        *,
        antithetic: bool = False,
        quasi: bool = False,
        baseline: Baseline = "auto",
        event_dims: int = 1,
    ):
        super().__init__()
        if not callable(fn):
            reject_type("Smoothed(fn)", "must be callable", fn)
        self.fn = fn
        self.distribution: Any = Gaussian() if distribution is None else distribution
        self.samples = check_at_least("Smoothed(samples)", samples, 1)
        known = ("auto", "leave-one-out", "solution", "none")
        require(baseline in known, "Smoothed(baseline)", f"must be one of {', '.join(known)}", baseline)
        if baseline == "leave-one-out" and (quasi or samples < (4 if antithetic else 2)):
            rule = "must not be leave-one-out with quasi-random draws or a single one"
            reject("Smoothed(baseline)", rule, baseline, "Use 'solution'.")
        check_pairs("Smoothed(samples)", samples, antithetic)
        check_law("Smoothed(distribution)", self.distribution, antithetic, quasi)
        check_score("Smoothed(distribution)", self.distribution)
        self.antithetic, self.quasi = antithetic, quasi
        self.baseline: Baseline = baseline
        self.event_dims = check_at_least("Smoothed(event_dims)", event_dims, 1)

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None, **instance: Any) -> Tensor:
        """Return the mean value of each example."""
        x = check_floating("Smoothed(x)", x)
        if x.ndim < self.event_dims:
            reject("Smoothed(x)", f"must have at least {self.event_dims} dimensions, those of one argument", x)
        check_finite("Smoothed(x)", x)
        batch = x.shape[: x.ndim - self.event_dims]
        flat = wide(flatten_batch(x, self.event_dims))
        inputs = {name: per_example(f"Smoothed({name})", value, batch, "x") for name, value in instance.items()}
        z = draw(self.distribution, self.samples, flat.detach(), generator, self.antithetic, self.quasi)
        values, good = self._evaluate(flat.detach() + z, inputs)
        weights = good.to(flat.dtype) / good.sum(0).clamp_min(1)
        if flat.requires_grad and torch.is_grad_enabled():
            baseline = resolve_baseline(self.baseline, self.samples, self.antithetic, self.quasi)
            k = coefficients(-self.distribution.score(z), good, self.antithetic, baseline)
            slopes = (k * surrogate(flat)).flatten(2).sum(-1)
            weights = weights + slopes
            if baseline == "solution":
                centre, there = self._evaluate(flat.detach()[None], inputs)
                values = torch.cat([values, centre])
                weights = torch.cat([weights, torch.where(there, -slopes.sum(0), 0.0)])
        mean = (weights.reshape(*weights.shape, *(1,) * (values.ndim - 2)) * values).sum(0)
        return mean.reshape((*batch, *mean.shape[1:])).to(x.dtype)

    def _evaluate(self, x: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Call fn on ``(S, N, *event)``; returns ``(S, N, *out)`` and which rows are finite."""
        samples, size = x.shape[:2]
        repeated = {
            name: v.repeat(samples, *(1,) * (v.ndim - 1)) if isinstance(v, Tensor) else v for name, v in inputs.items()
        }
        with torch.no_grad():
            values = self.fn(x.flatten(0, 1), **repeated)
        if not isinstance(values, Tensor):
            reject_type("Smoothed: fn", "must return a tensor", values)
        rule = f"must return a value for each of {samples * size} arguments"
        require(values.ndim > 0 and values.shape[0] == samples * size, "Smoothed: fn", rule, values)
        values = values.detach().to(x.dtype).reshape(samples, size, *values.shape[1:])
        good = (
            values.isfinite().reshape(samples, size, -1).all(-1)
            if values.numel()
            else values.new_ones((samples, size), dtype=torch.bool)
        )
        return values.nan_to_num(0.0, 0.0, 0.0), good

    def extra_repr(self) -> str:
        """Return the settings, for the ``repr``."""
        shown = f"distribution={self.distribution!r}, samples={self.samples}"
        return shown if isinstance(self.fn, torch.nn.Module) else f"{solver_name(self.fn)}, {shown}"
