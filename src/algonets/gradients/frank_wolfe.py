"""Regularised solutions: SparseMAP, by a Frank-Wolfe method that keeps and re-weights its vertices."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from algonets._core.checks import as_scale, check_at_least, check_floating, check_positive
from algonets._core.errors import require
from algonets.gradients._corral import affine_weights, nearest
from algonets.gradients._problem import Problem, SolverWarning
from algonets.gradients.layer import Layer

__all__ = ["FrankWolfe"]


class Mixture(NamedTuple):
    """Solutions ``(N, K, d)``, weights ``(N, K)`` with a gradient, and where there is a solution ``(N,)``."""

    y: Tensor
    weights: Tensor
    good: Tensor


@final
class FrankWolfe(Layer):
    r"""The regularised solution, a sparse mixture of exact ones (SparseMAP).

    .. math:: \mu(\theta) = \arg\max_{\mu \in \mathrm{conv}\,Y} \langle\theta, \mu\rangle
        - \frac{\varepsilon}{2} \sum_j q_j \mu_j^2

    With q = 1 it is the Euclidean projection of :math:`\theta / \varepsilon` onto the hull of the solutions: sparsemax
    for an argmax, for any solver without knowing its constraints. Found by Wolfe's method of the nearest point, a
    fully corrective Frank-Wolfe method: after finitely many calls the mixture is exact up to rounding.

    Args:
        solver: See :class:`Layer`.
        temperature: :math:`\varepsilon`; a positive number, or a scalar tensor that may require a gradient. Towards 0
            the mixture becomes the exact solution.
        iterations: Most solver calls an example; with few, the last mixture is returned, with a warning.
        tolerance: Of the duality gap of the projection, relative to one and the squared distance.
        weights: q, positive, broadcast against the event; small where only the other entries are to be spread.
        event_dims, keep_sign: See :class:`Layer`.

    Shape: See :class:`Layer`.

    Raises:
        TypeError, ValueError: See :class:`Layer`; a setting is not positive.

    Differentiability: almost everywhere, exactly: the set of vertices stays, and the weights move along it; piecewise
        linear in theta, so the second derivative is zero.
    Cost: a solver call an iteration for the examples that have not finished, usually about twice the vertices of the
        mixture; and for K vertices a system of K + 1 equations, in float64. No noise: ``generator`` is not used.
    References: Niculae, Martins, Blondel, Cardie 2018, SparseMAP; Wolfe 1976, Finding the Nearest Point in a
        Polytope; Jaggi 2013.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> FrankWolfe(argmax)(torch.tensor([0.5, 0.25, -1.0]))
        tensor([0.6250, 0.3750, 0.0000])
    """

    weights: Tensor | None

    def __init__(
        self,
        solver: Callable[..., Tensor],
        temperature: float | Tensor = 1.0,
        iterations: int = 200,
        tolerance: float = 1e-12,
        *,
        weights: Tensor | None = None,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign)
        self.temperature: float | Tensor = as_scale("FrankWolfe(temperature)", temperature)
        self.iterations = check_at_least("FrankWolfe(iterations)", iterations, 1)
        check_positive("FrankWolfe(tolerance)", tolerance)
        self.tolerance = tolerance
        if weights is not None:
            check_positive("FrankWolfe(weights)", check_floating("FrankWolfe(weights)", weights))
        self.register_buffer("weights", weights)

    def atoms(
        self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the solutions of the mixture ``(K, *batch, *event)`` and their weights ``(K, *batch)``.

        The weights are differentiable; what pads the list has weight 0.
        """
        problem = self.problem(theta, instance)
        found = self._mix(problem)
        y = found.y.movedim(1, 0).reshape(-1, problem.size, *problem.event)
        return problem.restore_samples(y), problem.restore_samples(found.weights.mT)

    def regularised_maximum(
        self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the regularised maximum ``(*batch,)`` and the mixture ``(*batch, *event)``, constant.

        The value is that of maximisation: a solver that minimises enters by ``-theta``.
        """
        problem = self.problem(theta, instance)
        offset, y, _ = self.potential(problem, generator)
        return problem.restore_values(problem.dot(problem.scores, y) + offset), problem.restore(y)

    def potential(self, problem: Problem, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a Fenchel-Young loss needs: see ``Perturbed``."""
        with torch.no_grad():
            found = self._mix(problem)
            y = self._combine(problem, found)
        return -self.penalty(problem, y), y, found.good

    def penalty(self, problem: Problem, y: Tensor) -> Tensor:
        """Return the regulariser at ``y``, which makes a Fenchel-Young loss non-negative."""
        q = 1.0 if self.weights is None else self.weights.to(y)
        return 0.5 * self._temperature(y) * problem.dot(q * y, y)

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        return self._combine(problem, self._mix(problem))

    def _combine(self, problem: Problem, found: Mixture) -> Tensor:
        y = (found.weights.unsqueeze(-1) * found.y).sum(1)
        return y.reshape(problem.size, *problem.event).to(problem.scores.dtype)

    def _temperature(self, like: Tensor) -> float | Tensor:
        given: Any = self.temperature
        return given.to(like) if isinstance(given, Tensor) else given

    def _mix(self, problem: Problem) -> Mixture:
        scores = problem.scores.double().flatten(1)
        root = torch.ones_like(scores[:1])
        if self.weights is not None:
            event = tuple(problem.event)
            own = self.weights.shape
            fits = len(own) <= len(event) and all(a in (1, b) for a, b in zip(own[::-1], event[::-1], strict=False))
            require(fits, "FrankWolfe(weights)", f"must broadcast against one problem, {event}", self.weights)
            root = self.weights.to(scores).expand(event).reshape(1, -1).sqrt()
        target = scores / (self._temperature(scores) * root)

        def vertex(direction: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            # The gradient in theta, up to the temperature; the solver sees no other difference.
            wanted = (direction * root).to(problem.scores.dtype).reshape(-1, *problem.event)
            y, good = problem.maximise(wanted, rows)
            good = y.new_ones(len(y), dtype=torch.bool) if good is None else good
            return y.double().flatten(1) * root, good

        with torch.no_grad():
            everyone = torch.arange(problem.size, device=scores.device)
            first, good = vertex(target, everyone)
            corral, _, active, converged, failed = nearest(target, first, vertex, self.iterations, self.tolerance)
            good = good & ~failed
        if not bool((converged | ~good).all()):
            count = int((~converged & good).sum())
            text = f"FrankWolfe: {count} of {problem.size} examples did not converge in {self.iterations} iterations."
            warnings.warn(text, SolverWarning, stacklevel=4)
        weights = affine_weights(target, corral, active)
        weights = torch.where(active & good.unsqueeze(-1), weights.nan_to_num(0.0), 0.0)
        return Mixture(corral / root.unsqueeze(1), weights, good)

    def _settings(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "iterations": self.iterations, "tolerance": self.tolerance}
