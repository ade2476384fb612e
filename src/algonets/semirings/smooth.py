"""Semirings with useful gradients: sums of exponentials, their sampled and sparse relatives, entropy."""

import math
from typing import final

import torch

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type
from algonets._core.numerics import logsumexp, product_or_zero
from algonets.semirings.base import Semiring

__all__ = ["Entropy", "Log", "Sampling", "SoftMin", "SparseMax"]


class Log(Semiring):
    r"""Log-sum-exp and plus: log-partition functions, whose gradients are marginal probabilities.

    .. math:: a \oplus b = \log(e^a + e^b), \qquad a \otimes b = a + b

    Differentiability: any order; -inf everywhere gives -inf and a zero gradient.

    Example:
        >>> Log().plus(torch.tensor([0.0, 0.0]), 0)
        tensor(0.6931)
    """

    zero = -math.inf
    one = 0.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Log-sum-exp over ``dim``."""
        return logsumexp(x, self._dim(dim))

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the scores."""
        return a + b


@final
class SoftMin(Semiring):
    r"""Smooth minimum of costs; temperature 0 is approached, not reached: use ``MinPlus`` there.

    .. math:: \oplus_i x_i = -\tau \log \sum_i e^{-x_i / \tau}, \qquad a \otimes b = a + b

    Args:
        temperature: :math:`\tau > 0`, in the unit of the costs.

    Raises:
        ValueError: unless the temperature is positive and finite.

    Differentiability: any order.

    References:
        M. Cuturi, M. Blondel, *Soft-DTW*, ICML 2017, equation (1).

    Example:
        >>> SoftMin(0.01).plus(torch.tensor([3.0, 2.0]), 0)
        tensor(2.)
    """

    zero = math.inf
    one = 0.0

    def __init__(self, temperature: float = 1.0):
        check_positive("SoftMin(temperature)", temperature, "Use MinPlus() for the hard minimum.")
        self.temperature = float(temperature)

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Soft minimum over ``dim``."""
        return -self.temperature * logsumexp(-x / self.temperature, dim)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the costs."""
        return a + b

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Forbidden (-inf) becomes an infinite cost."""
        return torch.where(scores == -math.inf, torch.full_like(scores, math.inf), scores)


@final
class Entropy(Semiring):
    r"""Pairs (log-partition, Shannon entropy in nats) in one pass.

    .. math:: \oplus_i (z_i, h_i) = \Big(\log \sum_i e^{z_i},\; \sum_i p_i (h_i - \log p_i)\Big),
              \quad p_i = e^{z_i - z}, \qquad (z, h) \otimes (z', h') = (z + z', h + h')

    ``lower`` returns the entropy. Differentiability: twice differentiable; impossible alternatives
    (:math:`p_i = 0`) contribute nothing, to the value and to the gradient.

    References:
        Z. Li, J. Eisner, *First- and Second-Order Expectation Semirings*, EMNLP 2009.

    Example:
        >>> s = Entropy()
        >>> s.lower(s.plus(s.lift(torch.zeros(4)), 0))
        tensor(1.3863)
    """

    zero = (-math.inf, 0.0)
    one = (0.0, 0.0)
    event_dims = 1

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Combine alternatives over ``dim``."""
        dim = dim if dim >= 0 else dim + x.ndim - 1
        z, h = x.unbind(-1)
        total = logsumexp(z, dim, keepdim=True)
        log_p = torch.where(z == -math.inf, z, z - torch.where(total == -math.inf, torch.zeros_like(total), total))
        entropy = product_or_zero(log_p.exp(), h - torch.where(log_p == -math.inf, torch.zeros_like(log_p), log_p))
        return torch.stack([total.squeeze(dim), entropy.sum(dim)], -1)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of both entries; the impossible has no entropy."""
        z, h = (a + b).unbind(-1)
        return torch.stack([z, torch.where(z == -math.inf, torch.zeros_like(h), h)], -1)

    def lift(self, scores: torch.Tensor) -> torch.Tensor:
        """Pair every score with entropy 0."""
        return torch.stack([scores, torch.zeros_like(scores)], -1)

    def lower(self, x: torch.Tensor) -> torch.Tensor:
        """Return the entropy."""
        return x[..., 1]


class _SampledLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim, generator):
        total = logsumexp(x, dim, keepdim=True)
        ctx.save_for_backward(x, total)
        ctx.dim, ctx.generator = dim, generator
        return total.squeeze(dim)

    @staticmethod
    def backward(ctx, *grads):
        # Refused here, not by `once_differentiable`: autograd.grad would leave out its branch without a word.
        if torch.is_grad_enabled():
            raise RuntimeError("Sampling() cannot be differentiated twice: its gradient is a random sample. Use Log().")
        (grad,) = grads
        x, total = ctx.saved_tensors
        feasible = total > -math.inf
        p = torch.where(feasible, (x - torch.where(feasible, total, torch.zeros_like(total))).exp(), torch.ones_like(x))
        flat = p.movedim(ctx.dim, -1).reshape(-1, x.shape[ctx.dim])
        index = torch.multinomial(flat, 1, generator=ctx.generator)
        one_hot = torch.zeros_like(flat).scatter_(1, index, 1.0)
        one_hot = one_hot.reshape(p.movedim(ctx.dim, -1).shape).movedim(-1, ctx.dim)
        return torch.where(feasible, one_hot, torch.zeros_like(one_hot)) * grad.unsqueeze(ctx.dim), None, None


@final
class Sampling(Semiring):
    r"""The log semiring whose *gradient* is one exact sample: 0/1 indicators instead of marginals.

    The forward value is the log-partition; each :math:`\oplus` passes its gradient to one alternative, drawn
    with its probability :math:`e^{x_i} / \sum_j e^{x_j}`, so that back-propagation draws a whole structure.

    Args:
        generator: Source of randomness; the global one when ``None``.

    Differentiability: the gradient is a random sample; a second derivative is refused.

    References:
        A. Rush, *Torch-Struct*, ACL 2020 demonstrations, section 4.

    Example:
        >>> x = torch.tensor([0.0, 50.0], requires_grad=True)
        >>> Sampling(torch.Generator().manual_seed(0)).plus(x, 0).backward(); x.grad
        tensor([0., 1.])
    """

    zero = -math.inf
    one = 0.0

    def __init__(self, generator: torch.Generator | None = None):
        if generator is not None and not isinstance(generator, torch.Generator):
            reject_type("Sampling(generator)", "must be a torch.Generator or None", generator)
        self.generator = generator

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Log-sum-exp over ``dim``, with a sampled gradient."""
        return _SampledLogSumExp.apply(x, dim % x.ndim, self.generator)  # pyright: ignore[reportReturnType]

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the scores."""
        return a + b


@final
class SparseMax(Semiring):
    r"""Quadratically smoothed maximum: gradients are probabilities, most of them exactly zero.

    .. math:: \oplus_i x_i = \max_{p \in \Delta}\; \langle p, x \rangle - \tfrac12 (\|p\|^2 - 1),
              \qquad a \otimes b = a + b

    The gradient of :math:`\oplus` is ``sparsemax(x)``. It is not associative: a dynamic program
    has its own recursion order and the result is defined by it.

    Differentiability: twice almost everywhere (the support is piecewise constant).

    References:
        A. Mensch, M. Blondel, *Differentiable Dynamic Programming for Structured Prediction and Attention*,
        ICML 2018. A. Martins, R. Astudillo, *From Softmax to Sparsemax*, ICML 2016.

    Example:
        >>> x = torch.tensor([1.0, 0.8, -3.0], requires_grad=True)
        >>> SparseMax().plus(x, 0).backward(); x.grad
        tensor([0.6000, 0.4000, 0.0000])
    """

    zero = -math.inf
    one = 0.0

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Quadratically smoothed maximum over ``dim``."""
        dead = (x.detach() == -math.inf).all(dim, keepdim=True)
        safe = torch.where(dead, torch.zeros_like(x), x)
        with torch.no_grad():
            ordered = safe.sort(dim, descending=True).values.movedim(dim, -1)
            k = torch.arange(1, ordered.shape[-1] + 1, dtype=x.dtype, device=x.device)
            finite = torch.where(ordered == -math.inf, torch.zeros_like(ordered), ordered)
            inside = (1 + k * ordered > finite.cumsum(-1)) & (ordered > -math.inf)
            smallest = torch.where(inside, ordered, torch.full_like(ordered, math.inf)).amin(-1).unsqueeze(dim)
            support = safe >= smallest
        count = support.sum(dim, keepdim=True).to(x.dtype)
        kept = torch.where(support, safe, torch.zeros_like(safe))
        threshold = (kept.sum(dim, keepdim=True) - 1) / count
        p = torch.where(support, kept - threshold, torch.zeros_like(kept))
        value = (p * kept).sum(dim) - 0.5 * ((p * p).sum(dim) - 1)
        value = torch.where(dead.squeeze(dim), torch.full_like(value, -math.inf), value)
        return torch.where(x.isnan().any(dim), torch.full_like(value, math.nan), value)

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Sum of the scores."""
        return a + b
