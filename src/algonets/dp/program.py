"""What all dynamic programs share: from one recursion the best structure, sums over all, and their gradients."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch

from algonets._core.backend import use_native
from algonets._core.checks import (
    as_scale,
    check_at_least,
    check_finite_or_minus_inf,
    check_floating,
    check_same_kind,
    values_visible,
)
from algonets._core.errors import reject, reject_type, require
from algonets._core.numerics import product_or_zero
from algonets._core.shapes import broadcast_batch, flatten_batch, unflatten_batch
from algonets.dp import _circuit_native as kernels
from algonets.dp._circuit import number_for, split_factors
from algonets.semirings import Boolean, Counting, KMax, Log, MaxPlus, Sampling, Semiring

__all__ = ["DynamicProgram", "Parts"]

Parts = torch.Tensor | tuple[torch.Tensor, ...]


class DynamicProgram(ABC):
    r"""All structures of some kind (segmentations, alignments, trees, ...), scored by factors.

    .. math:: s(y) = \sum_{p \in y} \theta_p, \qquad p(y) = e^{s(y)} / Z

    A structure y is a multiset of *parts*, and every entry of every factor scores one part. A subclass gives the
    recursion (:meth:`inside`); this class turns it into algorithms: the best structure (:meth:`max`, :meth:`argmax`,
    :meth:`topk`), sums over all (:meth:`log_partition`, :meth:`marginals`, :meth:`entropy`), samples, and any
    semiring (:meth:`reduce`).

    Structures go in and out as parts: 0/1 tensors (counts, where a part can occur twice) in the shape of the
    factors; one tensor for one factor, else a tuple.

    Attributes:
        factor_names: Names of the factors, in the order of the recursion's arguments.
        batch_shape: The leading dimensions.

    Differentiability: stated by each method. The first derivatives of :meth:`log_partition` are the marginals, from a
    kernel; those of the marginals differentiate the recursion, to any order.

    Cost: that of the recursion. On a CPU the recursion is traced once for each shape into a circuit that a native
    kernel runs for all examples at once; on other devices it runs in plain torch.

    References:
        J. Goodman, *Semiring Parsing*, Computational Linguistics 25(4), 1999.
        Z. Li, J. Eisner, *First- and Second-Order Expectation Semirings*, EMNLP 2009.
    """

    factor_names: tuple[str, ...] = ("scores",)

    def __init__(
        self,
        factors: Sequence[torch.Tensor],
        batch_shape: torch.Size,
        goal: torch.Tensor | None = None,
        **options: Any,
    ):
        self._factors = tuple(factors)
        self.batch_shape = batch_shape
        zero = torch.zeros(len(factors[0]), dtype=torch.int64, device=factors[0].device)
        self._goal = zero if goal is None else goal
        self._options = options

    @staticmethod
    @abstractmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Run the recursion in a semiring.

        Args:
            semiring: Its ``plus``, ``times``, ``full`` and ``where`` are all that touches elements, beside indexing,
                stacking and reshaping.
            factors: Lifted, ``(B, *shape)``, followed by the semiring's dimensions.
            options: What the constructor was given beside the factors; static and hashable.

        Returns:
            (B, goals), one element for each value that an example may want (for its length, say).
        """

    # ---- pool: the best structure ----------------------------------------------------------------------------

    def max(self) -> torch.Tensor:
        r"""Return the score of the best structure, :math:`\max_y s(y)`: the *pool* way.

        Returns:
            ``(*batch,)``; -inf (with a zero gradient) where no structure is allowed.

        Differentiability: piecewise linear; the gradient is :meth:`argmax` (Danskin).
        """
        scores = self._scores()
        best, parts = self._best(scores)
        total = product_or_zero(parts, scores).sum(1)
        return self._unflatten(torch.where(best == -math.inf, torch.full_like(total, -math.inf), total))

    def argmax(self) -> Parts:
        """Return the best structure as parts; zero where none is allowed.

        Ties: of equal alternatives the first in the order of the recursion.

        Differentiability: none; see :meth:`max`.
        """
        return self._parts(self._best(self._scores())[1])

    def topk(self, k: int) -> tuple[torch.Tensor, Parts]:
        """Return scores ``(*batch, k)`` of the k best structures, and their parts with a dimension k after the batch.

        -inf and zero parts where there are fewer. Differentiability: scores piecewise linear.

        Cost: k times that of :meth:`max` in time and memory, in plain torch.
        """
        k = check_at_least(f"{type(self).__name__}.topk(k)", k, 1)
        scores = self._scores()
        with torch.enable_grad():
            x = scores.detach().requires_grad_()
            values = self._reference(KMax(k), x)
            parts = [self._gradient(values[:, r], x, keep=r + 1 < k) for r in range(k)]
        chosen = torch.stack(parts, 1)
        total = product_or_zero(chosen, scores.unsqueeze(1).expand_as(chosen)).sum(2)
        total = torch.where(values.detach() == -math.inf, torch.full_like(total, -math.inf), total)
        return self._unflatten(total), self._parts(chosen, 1)

    # ---- analytic: sums over all structures ------------------------------------------------------------------

    def log_partition(self, temperature: float | torch.Tensor = 1.0) -> torch.Tensor:
        r"""Return the smooth maximum :math:`\tau \log \sum_y e^{s(y) / \tau}`, at 1 the log-partition.

        Args:
            temperature: :math:`\tau > 0`; towards 0 the result tends to :meth:`max`.

        Returns:
            ``(*batch,)``; -inf, with a zero gradient, where no structure is allowed.

        Differentiability: any order.
        """
        scores, scale = self._tempered(temperature)
        value = self._log_z(scores)
        return self._unflatten(value if isinstance(scale, float) and scale == 1 else value * scale)

    def marginals(self, temperature: float | torch.Tensor = 1.0) -> Parts:
        """Return the expected parts, with the probability (or expected count) of each.

        Args:
            temperature: As in :meth:`log_partition`; towards 0 the result tends to :meth:`argmax`.

        Returns:
            In the shape of the factors; zero where no structure is allowed.

        Differentiability: any order.
        """
        return self._parts(self._marginals(self._tempered(temperature)[0]))

    def entropy(self) -> torch.Tensor:
        r"""Return the Shannon entropy :math:`-\sum_y p(y) \log p(y)` in nats, ``(*batch,)``.

        Computed in float64. Zero where no structure is allowed. Differentiability: any order.
        """
        return self.cross_entropy(self).clamp_min(0)

    def cross_entropy(self, other: Self) -> torch.Tensor:
        r"""Return :math:`-\sum_y p(y) \log q(y)` in nats for ``self`` = p and ``other`` = q, ``(*batch,)``.

        +inf where q forbids what p allows. Computed in float64. Differentiability: any order, in both.

        Raises:
            ValueError, TypeError: unless both are programs of one kind and shape.
        """
        call = f"{type(self).__name__}.cross_entropy(other)"
        if type(other) is not type(self):
            reject_type(call, f"must be a {type(self).__name__}", other)
        same = self.batch_shape == other.batch_shape and self._shapes() == other._shapes()
        require(same and self._options == other._options, call, f"must have the shape of {self!r}", other)
        own, theirs = self._scores().double(), other._scores().double()
        mean = self._marginals(own)
        total = other._log_z(theirs)
        possible = self._log_z(own).detach() > -math.inf
        expected = product_or_zero(mean, theirs).sum(1)
        result = torch.where(total == -math.inf, torch.full_like(total, math.inf), total) - expected
        return self._unflatten(torch.where(possible, result, torch.zeros_like(result)).to(self._scores().dtype))

    def kl(self, other: Self) -> torch.Tensor:
        r"""Return the Kullback-Leibler divergence :math:`\sum_y p(y) \log (p(y) / q(y))` in nats, ``(*batch,)``.

        Non-negative up to rounding. Raises and differentiability as :meth:`cross_entropy`.
        """
        return self.cross_entropy(other) - self.cross_entropy(self)

    def sample(self, n: int = 1, generator: torch.Generator | None = None) -> Parts:
        """Draw structures from :math:`p(y)`, exactly, as parts with a dimension n before the batch.

        Args:
            n: How many, at least 1.
            generator: Source of randomness.

        Differentiability: none; for gradients use :meth:`marginals`.
        """
        n = check_at_least(f"{type(self).__name__}.sample(n)", n, 1)
        with torch.enable_grad():
            scores = self._scores().detach()
            x = scores.repeat(n, *[1] * (scores.ndim - 1)).requires_grad_()
            drawn = self._gradient(self._reference(Sampling(generator), x, self._goal.repeat(n)), x)
        found = self._parts(drawn.unflatten(0, (n, len(scores))).transpose(0, 1), 1)
        place = len(self.batch_shape)
        return tuple(p.movedim(place, 0) for p in found) if isinstance(found, tuple) else found.movedim(place, 0)

    # ---- one given structure -----------------------------------------------------------------------------------

    def score(self, parts: Parts) -> torch.Tensor:
        """Return the score of a structure, ``(*batch,)``: the inner product of its parts with the factors.

        -inf for a forbidden part. Differentiability: linear in the factors.

        Raises:
            ValueError, TypeError: unless there is a tensor in the shape of each factor.
        """
        return self._unflatten(product_or_zero(self._joined("score(parts)", parts), self._scores()).sum(1))

    def log_prob(self, parts: Parts) -> torch.Tensor:
        r"""Return :math:`\log p(y) = s(y) - \log Z`, ``(*batch,)``; arguments and errors as :meth:`score`.

        -inf where no structure is allowed. Differentiability: any order.
        """
        total = self.log_partition()
        return self.score(parts) - torch.where(total == -math.inf, torch.zeros_like(total), total)

    def augmented(self, costs: Parts) -> Self:
        """Return the program with ``costs`` added to its factors, as margins and perturbations need.

        Args:
            costs: In the shape of the factors, finite; one tensor alone goes to the first factor.
        """
        given = costs if isinstance(costs, tuple) else (costs,)
        call = f"{type(self).__name__}.augmented(costs)"
        require(len(given) <= len(self._factors), call, "must be no more tensors than there are factors", len(given))
        changed = list(self._factors)
        for k, cost in enumerate(given):
            check_floating(call, cost)
            shape = (*self.batch_shape, *self._factors[k].shape[1:])
            require(tuple(cost.shape) == shape, call, f"must have shape {shape}", cost)
            if values_visible(cost):
                require(bool(cost.detach().isfinite().all()), call, "must be finite", "NaN or inf")
            changed[k] = changed[k] + cost.reshape(changed[k].shape).to(changed[k].dtype)
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        copy._factors = tuple(changed)
        return copy

    def hamming(self, parts: Parts, margin: float = 1.0) -> Self:
        """Return the program in which each part (of the first factor) that a structure has not gains ``margin``."""
        joined = self._split(self._joined("hamming(parts)", parts))[0]
        return self.augmented(self._unflatten((1 - joined) * margin))

    # ---- any semiring --------------------------------------------------------------------------------------------

    def reduce(self, semiring: Semiring) -> torch.Tensor:
        """Run the recursion in any semiring of ``algonets.semirings`` (or your own), in plain torch on any device.

        Returns:
            ``(*batch, *event)``: what the semiring's ``lower`` gives.

        Differentiability: that of the semiring.
        """
        if not isinstance(semiring, Semiring):
            call = f"{type(self).__name__}.reduce(semiring)"
            reject_type(call, "must be a Semiring", semiring, "See algonets.semirings.")
        return self._unflatten(semiring.lower(self._reference(semiring, self._scores())))

    def count(self) -> torch.Tensor:
        """Return how many structures are allowed, float64 ``(*batch,)``: exact up to 2^53."""
        return self.reduce(Counting())

    def feasible(self) -> torch.Tensor:
        """Return whether any structure is allowed, bool ``(*batch,)``."""
        return self.reduce(Boolean())

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n}={tuple(s)}" for n, s in zip(self.factor_names, self._shapes(), strict=True))
        more = "".join(f", {name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}(batch={tuple(self.batch_shape)}, {shapes}{more})"

    # ---- private -------------------------------------------------------------------------------------------------

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(factor.shape[1:]) for factor in self._factors)

    def _scores(self) -> torch.Tensor:
        """All factors in one (B, leaves) tensor."""
        flat = [f.reshape(f.shape[0], math.prod(f.shape[1:])) for f in self._factors]  # (B, 1) from (B,)
        return flat[0] if len(flat) == 1 else torch.cat(flat, 1)

    def _split(self, joined: torch.Tensor, dim: int = 1) -> list[torch.Tensor]:
        return split_factors(joined, self._shapes(), dim)

    def _parts(self, joined: torch.Tensor, extra: int = 0) -> Parts:
        found = tuple(self._unflatten(part) for part in self._split(joined, 1 + extra))
        return found[0] if len(found) == 1 else found

    def _joined(self, method: str, parts: Parts) -> torch.Tensor:
        call = f"{type(self).__name__}.{method}"
        given = parts if isinstance(parts, tuple) else (parts,)
        if not all(isinstance(part, torch.Tensor) for part in given):
            reject_type(call, "must be a tensor for each factor", parts)
        shapes = tuple((*self.batch_shape, *shape) for shape in self._shapes())
        fits = tuple(tuple(part.shape) for part in given) == shapes
        require(fits, call, f"must have the shapes {shapes} of the factors", [tuple(part.shape) for part in given])
        pairs = zip(given, self._factors, strict=True)
        return torch.cat([p.reshape(f.shape[0], math.prod(f.shape[1:])).to(f.dtype) for p, f in pairs], 1)

    def _unflatten(self, value: torch.Tensor) -> torch.Tensor:
        return unflatten_batch(value, self.batch_shape)

    def _number(self) -> int:
        return number_for(type(self).inside, tuple(self._options.items()), self._shapes())

    def _native(self, scores: torch.Tensor) -> bool:
        return use_native(type(self).__name__, scores) and kernels.fits(self._number())

    def _tempered(self, temperature: float | torch.Tensor) -> tuple[torch.Tensor, float | torch.Tensor]:
        call, scores = f"{type(self).__name__}(temperature)", self._scores()
        scale = as_scale(call, temperature)
        if isinstance(scale, torch.Tensor):
            require(scale.ndim == 0, call, "must be a number or a scalar tensor", scale)
            scale = scale.to(scores.dtype)
        elif scale == 1:
            return scores, scale
        forbidden = scores == -math.inf  # apart, or the temperature's gradient gets 0 * -inf
        return torch.where(forbidden, scores, torch.where(forbidden, torch.zeros_like(scores), scores) / scale), scale

    def _reference(self, semiring: Semiring, scores: torch.Tensor, goal: torch.Tensor | None = None) -> torch.Tensor:
        return kernels.reference(semiring, scores, self._goal if goal is None else goal, self._number())

    def _log_z(self, scores: torch.Tensor) -> torch.Tensor:
        if not self._native(scores):
            return self._reference(Log(), scores)
        if torch.is_grad_enabled() and scores.requires_grad:  # one run gives the value and its gradient
            return kernels.solve(scores, self._goal, self._number(), False)[0]
        return kernels.value(scores, self._goal, self._number())

    def _marginals(self, scores: torch.Tensor) -> torch.Tensor:
        if self._native(scores):
            return kernels.solve(scores, self._goal, self._number(), False)[1]
        return torch.func.grad(lambda x: self._reference(Log(), x).sum())(scores)

    def _best(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = scores.detach()
        if self._native(scores):
            return kernels.solve(scores, self._goal, self._number(), True)

        def best(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value = self._reference(MaxPlus(), x)
            return value.sum(), value

        parts, value = torch.func.grad(best, has_aux=True)(scores)
        return value, parts

    @staticmethod
    def _first(parts: Parts) -> torch.Tensor:
        return parts[0] if isinstance(parts, tuple) else parts

    @staticmethod
    def _gradient(value: torch.Tensor, x: torch.Tensor, keep: bool = False) -> torch.Tensor:
        if not value.requires_grad:
            return torch.zeros_like(x)
        (found,) = torch.autograd.grad(value.sum(), x, retain_graph=keep, allow_unused=True)
        return torch.zeros_like(x) if found is None else found


def checked_scores(call: str, name: str, value: Any, event_dims: int, like: torch.Tensor | None = None) -> torch.Tensor:
    """Return scores of at least ``event_dims`` dimensions, half types in float32, finite or -inf."""
    call = f"{call}({name})"
    check_floating(call, value)
    value = value.to(torch.promote_types(value.dtype, torch.float32))
    if like is not None:
        check_same_kind(call, value, like, "the first argument")
    require(value.ndim >= event_dims, call, f"must have at least {event_dims} dimensions", value)
    check_finite_or_minus_inf(call, value)
    return value


def per_example(call: str, value: torch.Tensor, batch: torch.Size, event_dims: int) -> torch.Tensor:
    """Return a factor as (B, *event): it has its batch dimensions, or none and is shared."""
    if value.ndim not in (event_dims, event_dims + len(batch)):
        reject(call, f"must have {event_dims} dimensions, or {len(batch)} more for the batch", value)
    return flatten_batch(broadcast_batch(call, value, batch, event_dims), event_dims)
