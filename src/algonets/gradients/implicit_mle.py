"""Implicit maximum likelihood: the difference of perturbed solutions at theta and at a better theta."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets.gradients._estimate import attach
from algonets.gradients._noise import Noise, check_law, draw
from algonets.gradients._problem import Mask, Problem, both
from algonets.gradients.layer import Layer
from algonets.gradients.sum_of_gamma import SumOfGamma

__all__ = ["ImplicitMLE"]

_DECAY = 0.9


@final
class ImplicitMLE(Layer):
    r"""The mean of perturbed solutions (perturb-and-MAP), with the gradient towards a better target.

    .. math:: \nabla_\theta L = \frac{1}{\lambda}\, \mathbb{E}\bigl[y^*(\theta + Z) - y^*(\theta - \lambda g + Z)
        \bigr], \qquad g = \nabla_y L

    by the same draws on both sides. With ``adaptive=True`` (AIMLE) the step is
    :math:`\lambda = \alpha \|\theta\| / \|g\|` for the batch, and every backward pass moves :math:`\alpha` so that on
    average the gradient has ``target`` non-zero entries an example.

    Args:
        solver: See :class:`Layer`.
        samples: Draws an example.
        lam: The step; with ``adaptive`` the first :math:`\alpha`.
        distribution: Law of the noise, by default ``SumOfGamma(5)``; its ``k`` should be the number of ones in y.
        adaptive: See above. The state is in the buffers ``alpha`` and ``sparsity``.
        target: Non-zero entries of the gradient, an example.
        rate: By how much a backward pass moves :math:`\alpha`.
        symmetric: Differences in both directions, two calls a sample: less bias.
        event_dims, keep_sign: See :class:`Layer`.

    Shape: See :class:`Layer`.

    Raises:
        TypeError, ValueError: See :class:`Layer`; a setting is not positive; a law that cannot be sampled.

    Differentiability: first order only; the gradient is an estimate.
    Cost: ``samples`` solver calls forward, as many backward, twice that if ``symmetric``.
    References: Niepert, Minervini, Franceschi 2021, Implicit MLE; Minervini, Franceschi, Niepert 2023, Adaptive
        Perturbation-Based Gradient Estimation for Discrete Latent Variable Models, algorithm 1.

    Example:
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> theta = torch.zeros(3, requires_grad=True)
        >>> layer = ImplicitMLE(argmax, samples=200, distribution=SumOfGamma(1))
        >>> (layer(theta, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.0, 0.0])).sum().backward()
        >>> bool(theta.grad[0] > 0) and bool((theta.grad[1:] < 0).all())
        True
    """

    alpha: Tensor
    sparsity: Tensor

    def __init__(
        self,
        solver: Callable[..., Tensor],
        samples: int = 1,
        lam: float | None = None,
        distribution: Noise | None = None,
        *,
        adaptive: bool = False,
        target: float = 1.0,
        rate: float = 1e-3,
        symmetric: bool = False,
        event_dims: int | None = None,
        keep_sign: bool = False,
    ):
        super().__init__(solver, event_dims=event_dims, keep_sign=keep_sign)
        self.samples = check_at_least("ImplicitMLE(samples)", samples, 1)
        self.lam = (1.0 if adaptive else 10.0) if lam is None else lam
        for name, value in {"lam": self.lam, "target": target, "rate": rate}.items():
            check_positive(f"ImplicitMLE({name})", value)
        self.distribution: Any = SumOfGamma(5) if distribution is None else distribution
        check_law("ImplicitMLE(distribution)", self.distribution, False, False)
        self.adaptive, self.target, self.rate, self.symmetric = adaptive, target, rate, symmetric
        if adaptive:
            self.register_buffer("alpha", torch.tensor(float(self.lam)))
            self.register_buffer("sparsity", torch.tensor(float(target)))

    def potential(self, problem: Problem, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Mask]:
        """Return what a Fenchel-Young loss needs: see ``Perturbed``."""
        scores, y, good = self._perturb(problem, generator)
        offset = problem.mean(problem.dot(scores - problem.scores.detach(), y), good)
        return offset, problem.mean(y, good), None if good is None else good.any(0)

    def penalty(self, problem: Problem, y: Tensor) -> Tensor | float:
        """Return 0: the conjugate at y has no closed form, and no gradient in theta."""
        return 0.0

    def _perturb(self, problem: Problem, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Mask]:
        fixed = problem.scores.detach()
        scores = fixed + draw(self.distribution, self.samples, fixed, generator, False, False)
        return scores, *problem.maximise(scores)

    def _solve(self, problem: Problem, generator: torch.Generator | None) -> Tensor:
        scores, y, good = self._perturb(problem, generator)
        return attach(problem.scores, problem.mean(y, good), lambda g: self._towards(problem, scores, y, good, g))

    def _towards(self, problem: Problem, scores: Tensor, y: Tensor, good: Mask, grad: Tensor) -> Tensor:
        lam = self._adapted(problem, grad) if self.adaptive else self.lam
        shift = lam * grad
        if self.symmetric:
            ends, fine = problem.maximise(torch.stack([scores + shift, scores - shift]))
            slope, fine = (ends[0] - ends[1]) / (2 * lam), None if fine is None else fine.all(0)
        else:
            low, fine = problem.maximise(scores - shift)
            slope = (y - low) / lam
        found = problem.mean(slope, both(fine, good))
        if self.adaptive:
            self._adapt(problem, found)
        return found

    def _adapted(self, problem: Problem, grad: Tensor) -> Tensor:
        """Return one step for the batch: examples of a small gradient are moved less."""
        alpha = self.alpha.to(grad).clamp_min(torch.finfo(grad.dtype).eps)
        size, pull = problem.scores.detach().norm(), grad.norm()
        return alpha * torch.where(size > 0, size, 1.0) / torch.where(pull > 0, pull, 1.0)

    @torch.no_grad()
    def _adapt(self, problem: Problem, found: Tensor) -> None:
        if not found.numel():
            return
        entries = (found != 0).sum(problem.events).to(self.sparsity.dtype).mean()
        self.sparsity.mul_(_DECAY).add_((1 - _DECAY) * entries)
        self.alpha.add_(self.rate if bool(self.sparsity < self.target) else -self.rate).clamp_(min=0.0)

    def _settings(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"samples": self.samples, "lam": self.lam, "distribution": self.distribution}
        if self.adaptive:
            shown |= {"adaptive": True, "target": self.target, "rate": self.rate}
        return shown | ({"symmetric": True} if self.symmetric else {})
