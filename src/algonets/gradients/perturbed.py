"""Perturbed optimisers: the mean solution under noise, differentiated by scores or by differences."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject, require
from algonets.distributions import Gaussian
from algonets.gradients._estimate import attach, surrogate
from algonets.gradients._noise import Noise, check_law, check_pairs, check_score, draw, scale_of
from algonets.gradients._problem import Mask, Problem, both
from algonets.gradients._score import Baseline, coefficients, resolve_baseline
from algonets.gradients.layer import Layer

__all__ = ["Perturbed"]


class Draws(NamedTuple):
    """Perturbed scores ``(S, N, *event)``, their solutions, which of them exist, and what multiplied the scores."""

    z: Tensor
    factor: Tensor | None
    scores: Tensor
    y: Tensor
    good: Mask


@final
class Perturbed(Layer):
    r"""The mean of the solutions under noise.

    .. math:: y_\varepsilon(\theta) = \mathbb{E}\, y^*(\theta + Z) = \nabla F_\varepsilon(\theta), \qquad
        F_\varepsilon(\theta) = \mathbb{E} \max_y \langle\theta + Z, y\rangle

    The same draws serve forward and backward. Two estimators of the backward:

    - ``"score"``: :math:`\mathbb{E}[-\nabla\log p(Z)\,(\langle y^*(\theta + Z), g\rangle - b)]`, unbiased, no further
      call, variance growing with the dimension. It is autograd of weighted solutions, see :meth:`atoms`.
    - ``"difference"``: the Jacobian is a Hessian, hence symmetric, so the gradient is the derivative of the mean
      solution along g: :math:`\mathbb{E}[y^*(\theta + Z + h g) - y^*(\theta + Z - h g)] / 2h`, by the same draws on
      both sides. Two more calls a sample and a small bias, but several times the signal at equal calls; also for laws
      without a score.

    Args:
        solver: See :class:`Layer`.
        distribution: Law of the noise with its scale, by default ``Gaussian(1.0)``. ``GumbelMax`` makes an argmax a
            softmax, exactly.
        samples: Draws an example.
        gradient: ``"difference"`` or ``"score"``.
        multiplicative: Scores times ``exp(Z)`` instead of scores plus Z, so that no entry changes its sign (nor in
            differences: ``keep_sign`` is implied); the mean of the factor is made 1 for a Gaussian. Zeros stay zeros.
        antithetic: Draw mirrored pairs; ``samples`` is even.
        quasi: Sobol points, randomly shifted, instead of independent draws.
        baseline: For scores. ``"leave-one-out"``: mean over the other draws (pairs); ``"solution"``: the solution
            without noise, one more call; ``"none"``. ``"auto"`` is the first, or the second where draws depend on
            each other or there is one alone: a mean over dependent draws would bias the gradient.
        step: For differences: root mean square of ``h g`` in units of the scale of the law; by default
            ``2 samples^(-1/5)``, where bias and variance shrink alike.
        event_dims, keep_sign: See :class:`Layer`.

    Shape: See :class:`Layer`.

    Raises:
        TypeError: the solver cannot be called; the law cannot be sampled; theta is no floating tensor.
        ValueError: a law with a jump in its density (Uniform, Exponential) or without a score where scores are asked
            for; an odd number of antithetic samples; theta or an instance of a wrong shape, or not finite.

    Differentiability: first order only; the gradient is an estimate of that of the expected solution.
    Cost: ``samples`` solver calls forward; backward none (score) or ``2 samples`` (difference).
    References: Berthet et al. 2020, Learning with Differentiable Perturbed Optimizers, proposition 3.1; Abernethy
        2016; Dalle et al. 2022 (multiplicative); Domke 2010, Implicit Differentiation by Perturbation (differences);
        Kool et al. 2019 (baseline).

    Example:
        >>> from algonets.distributions import GumbelMax
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> layer = Perturbed(argmax, GumbelMax(), samples=4000)
        >>> theta = torch.tensor([0.0, 1.0, 2.0])
        >>> mean = layer(theta, generator=torch.Generator().manual_seed(0))
        >>> bool((mean - theta.softmax(-1)).abs().max() < 0.02)
        True
    """

    def __init__(
        self,
        solver: Callable[..., Tensor],
        distribution: Noise | None = None,
        samples: int = 8,
        gradient: Literal["score", "difference"] = "difference",
        *,
        multiplicative: bool = False,
        antithetic: bool = False,
        quasi: bool = False,
        baseline: Baseline = "auto",
        step: float | None = None,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign or multiplicative)
        self.distribution: Any = Gaussian() if distribution is None else distribution
        self.samples = check_at_least("Perturbed(samples)", samples, 1)
        require(gradient in ("score", "difference"), "Perturbed(gradient)", "must be 'score' or 'difference'", gradient)
        known = ("auto", "leave-one-out", "solution", "none")
        require(baseline in known, "Perturbed(baseline)", f"must be one of {', '.join(known)}", baseline)
        check_pairs("Perturbed(samples)", samples, antithetic)
        check_law("Perturbed(distribution)", self.distribution, antithetic, quasi)
        if step is not None:
            check_positive("Perturbed(step)", step)
        if gradient == "score":
            check_score("Perturbed(distribution)", self.distribution)
            if baseline == "leave-one-out" and (quasi or samples < (4 if antithetic else 2)):
                rule = "must not be leave-one-out with quasi-random draws or a single one"
                reject("Perturbed(baseline)", rule, baseline, "Use 'solution'.")
        self.gradient, self.multiplicative, self.step = gradient, multiplicative, step
        self.antithetic, self.quasi = antithetic, quasi
        self.baseline: Baseline = baseline

    def atoms(
        self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the solutions ``(K, *batch, *event)`` and their weights ``(K, *batch)``.

        For ``gradient="score"`` the weights carry the gradient, so ``sum_k weight_k f(solution_k)`` estimates ``E f``
        with a gradient for any f; a last solution, that without noise, may have weight 0 and serve as a baseline.
        """
        problem = self.problem(theta, instance)
        y, weights = self._atoms(problem, self._draw(problem, generator))
        return problem.restore_samples(y), problem.restore_samples(weights)

    def regularised_maximum(
        self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any
    ) -> tuple[Tensor, Tensor]:
        """Return ``F(theta)``, ``(*batch,)``, and its gradient ``(*batch, *event)`` in scores, constant.

        The value is that of maximisation: a solver that minimises enters by ``-theta``.
        """
        problem = self.problem(theta, instance)
        offset, y, good = self.potential(problem, generator)
        value = problem.dot(problem.scores, y) + offset
        return problem.restore_values(problem.masked(value, good)), problem.restore(y)

    def spread(self, theta: Tensor, *, generator: torch.Generator | None = None, **instance: Any) -> Tensor:
        """Return the standard error of the mean solution, entry by entry, ``(*batch, *event)``.

        From independent draws (from pairs, if antithetic); it overstates that of quasi-random ones.

        Raises:
            ValueError: one draw (one pair) alone, as it does not spread.
        """
        least = 4 if self.antithetic else 2
        require(self.samples >= least, "Perturbed.spread()", f"must have samples of at least {least}", self.samples)
        problem = self.problem(theta, instance)
        with torch.no_grad():
            drawn = self._draw(problem, generator)
            values, good = drawn.y, drawn.good
            if self.antithetic:
                values = 0.5 * (values.chunk(2)[0] + values.chunk(2)[1])
                good = None if good is None else good.chunk(2)[0] & good.chunk(2)[1]
            centred = (values - problem.mean(values, good)).square()
            variance = problem.mean(centred, good)
            count = len(values) if good is None else problem.spread(good.sum(0)).to(values.dtype)
            return problem.restore((variance / (count - 1)).sqrt())

    def potential(self, problem: Problem, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Mask]:
        """Return what a Fenchel-Young loss needs: ``F = <scores, y> + offset``.

        Returns:
            The offset ``(N,)`` and the gradient ``y (N, *event)`` of F, both constant, and where they exist ``(N,)``.
        """
        drawn = self._draw(problem, generator)
        good = None if drawn.good is None else drawn.good.any(0)
        if drawn.factor is not None:  # <factor scores, y> is <scores, factor y>
            y = problem.mean(drawn.factor * drawn.y, drawn.good)
            return torch.zeros_like(y[(..., *(0 for _ in problem.event))]), y, good
        offset = problem.mean(problem.dot(drawn.z, drawn.y), drawn.good)
        return offset, problem.mean(drawn.y, drawn.good), good

    def penalty(self, problem: Problem, y: Tensor) -> Tensor | float:
        """Return 0: the conjugate of F at y has no closed form, and no gradient in theta."""
        return 0.0

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        drawn = self._draw(problem, generator)
        product = self._scored if self.gradient == "score" else self._along
        return attach(problem.scores, problem.mean(drawn.y, drawn.good), lambda g: product(problem, drawn, g))

    def _draw(self, problem: Problem, generator: torch.Generator | None) -> Draws:
        scores = problem.scores.detach()
        z = draw(self.distribution, self.samples, scores, generator, self.antithetic, self.quasi)
        if self.multiplicative:
            shift = 0.5 * scale_of(self.distribution) ** 2 if isinstance(self.distribution, Gaussian) else 0.0
            factor = torch.exp(z - shift)
            perturbed = scores * factor
        else:
            factor, perturbed = None, scores + z
        return Draws(z, factor, perturbed, *problem.maximise(perturbed))

    def _atoms(self, problem: Problem, drawn: Draws) -> tuple[Tensor, Tensor]:
        scores = problem.scores
        good = scores.new_ones(drawn.y.shape[:2], dtype=torch.bool) if drawn.good is None else drawn.good
        weights = good.to(scores.dtype) / good.sum(0).clamp_min(1)
        if self.gradient != "score" or not (scores.requires_grad and torch.is_grad_enabled()):
            return drawn.y, weights
        baseline = resolve_baseline(self.baseline, self.samples, self.antithetic, self.quasi)
        k = coefficients(self._pull(problem, drawn), good, self.antithetic, baseline)
        slopes = problem.dot(k, surrogate(scores))
        if baseline != "solution":
            return drawn.y, weights + slopes
        centre, there = problem.maximise(scores)
        # Where the unperturbed problem has no solution there is no baseline: zeros, of no weight.
        last = -slopes.sum(0)
        last = last if there is None else torch.where(there, last, 0.0)
        return torch.cat([drawn.y, centre[None]]), torch.cat([weights + slopes, last[None]])

    def _pull(self, problem: Problem, drawn: Draws) -> Tensor:
        """Minus the score of the law at each draw, in units of the scores."""
        pull = -self.distribution.score(drawn.z)
        if self.multiplicative:
            fixed = problem.scores.detach()
            pull = pull / torch.where(fixed == 0, torch.inf, fixed)
        return pull

    def _scored(self, problem: Problem, drawn: Draws, grad: Tensor) -> Tensor:
        """Scores of the draws, weighted by how much better than the baseline their solutions are."""
        pull, rewards = self._pull(problem, drawn), problem.dot(drawn.y, grad)
        baseline = resolve_baseline(self.baseline, self.samples, self.antithetic, self.quasi)
        if drawn.good is None and not self.antithetic and baseline == "leave-one-out":
            # The mean of the others is as far off as the mean of all, times n / (n - 1).
            return (problem.spread((rewards - rewards.mean(0)) / (self.samples - 1)) * pull).sum(0)
        good = rewards.new_ones(rewards.shape, dtype=torch.bool) if drawn.good is None else drawn.good
        k = coefficients(pull, good, self.antithetic, baseline)
        if baseline == "solution":
            rewards = rewards - problem.dot(problem.maximise(problem.scores)[0], grad)
        return (problem.spread(rewards) * k).sum(0)

    def _along(self, problem: Problem, drawn: Draws, grad: Tensor) -> Tensor:
        """Derivative of the mean solution along the incoming gradient, by central differences on the same draws."""
        size = grad.square().mean(problem.events, keepdim=True).sqrt()
        unit = scale_of(self.distribution)
        unit = unit.mean() if isinstance(unit, Tensor) else unit
        step = 2 * self.samples**-0.2 if self.step is None else self.step
        h = step * unit / torch.where(size > 0, size, 1.0)
        if self.multiplicative:
            h = h * problem.scores.detach().square().mean(problem.events, keepdim=True).sqrt()
            h = torch.where(h > 0, h, 1.0)
        shift = h * grad
        y, good = problem.maximise(torch.stack([drawn.scores + shift, drawn.scores - shift]))
        slope = (y[0] - y[1]) / (2 * h)
        if drawn.factor is not None:
            slope = drawn.factor * slope
        return problem.mean(slope, both(None if good is None else good.all(0), drawn.good))

    def _settings(self) -> dict[str, Any]:
        shown = {"distribution": self.distribution, "samples": self.samples, "gradient": self.gradient}
        for name in ("multiplicative", "antithetic", "quasi"):
            if getattr(self, name):
                shown[name] = True
        if self.gradient == "score":
            shown["baseline"] = self.baseline
        elif self.step is not None:
            shown["step"] = self.step
        return shown
