"""Dense associative memories: from polynomial energies to the exponential one (modern Hopfield, attention)."""

import abc
import math
from typing import Any, Literal, Self, final

import torch
from torch import Tensor, nn

from algonets._core.checks import as_scale, check_at_least, check_finite, check_floating, check_positive
from algonets._core.errors import reject, require
from algonets._core.numerics import log_softmax
from algonets.implicit import Picard, fixed_point

__all__ = ["AssociativeMemory", "DenseMemory", "ModernHopfield"]

_WAYS = ("pool", "unroll", "analytic")
_STEPS = 1000  # plain ones: they lower the energy, where a faster search may leave for another rest
Way = Literal["pool", "unroll", "analytic"]


class AssociativeMemory(nn.Module, abc.ABC):
    """A memory of real patterns that is read by moving the query towards what it resembles.

    A step weighs the stored patterns by how much each resembles the state, and takes their average:
    ``q <- w(q)^T X``. The three ways to read differ in the steps and in the gradient:

    - ``pool``: the one stored pattern with the largest inner product; the gradient goes to that pattern alone.
    - ``unroll``: ``updates`` steps; autograd through all of them, to the query, to the patterns and to the steepness.
    - ``analytic``: steps until the state settles; gradient by the implicit function theorem, so that memory does not
      grow with the steps.

    Args:
        n: length of a pattern.
        way: how :meth:`forward` reads.
        updates: steps of ``unroll``, and the most that ``analytic`` takes is 1000 times as many.
    """

    patterns: Tensor

    def __init__(self, n: int, way: Way, updates: int):
        super().__init__()
        name = type(self).__name__
        self.n = check_at_least(f"{name}(n)", n, 1)
        require(way in _WAYS, f"{name}(way)", f"must be one of {', '.join(_WAYS)}", way)
        self.way, self.updates = way, check_at_least(f"{name}(updates)", updates, 1)
        self.register_buffer("patterns", torch.zeros(0, n))

    @abc.abstractmethod
    def _weights(self, products: Tensor, mask: Tensor | None = None) -> Tensor:
        """Weights of the patterns, summing to 1 over the last dimension, from inner products with the state.

        Patterns whose ``mask`` is False have the weight 0; where all are masked, all have.
        """

    def store(self, patterns: Tensor, *, append: bool = False) -> Self:
        """Keep patterns.

        Args:
            patterns: ``(P, n)``, real; one that needs a gradient gets it when the memory is read.
            append: add to those stored before, instead of replacing them.

        Returns:
            Itself.

        Raises:
            TypeError: if ``patterns`` is not a floating tensor.
            ValueError: if it does not fit, is empty, or holds NaN or infinities.
        """
        call = f"{type(self).__name__}.store(patterns)"
        check_floating(call, patterns)
        fits = patterns.ndim == 2 and patterns.shape[1] == self.n and len(patterns) > 0
        require(fits, call, f"must be (P, {self.n}) with at least one pattern", patterns)
        check_finite(call, patterns)
        self.patterns = torch.cat([self.patterns.to(patterns), patterns]) if append else patterns
        return self

    def forward(self, queries: Tensor) -> Tensor:
        """Read.

        Args:
            queries: ``(*batch, n)``, real.

        Returns:
            ``(*batch, n)``.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if it does not fit, or nothing is stored.
        """
        return self.read(queries, self._stored(f"{type(self).__name__}(queries)", queries))

    def _stored(self, call: str, states: Tensor) -> Tensor:
        """Check states and that something is stored; give the patterns in their dtype."""
        check_floating(call, states)
        require(states.ndim >= 1 and states.shape[-1] == self.n, call, f"must be (*batch, {self.n})", states)
        check_finite(call, states)
        if not len(self.patterns):
            reject(call, "must find stored patterns", "none", "Call store(patterns) first.")
        return self.patterns.to(states.dtype)

    def read(self, queries: Tensor, stored: Tensor, mask: Tensor | None = None, values: Tensor | None = None) -> Tensor:
        """Read other patterns than the memory's own.

        Args:
            queries: ``(*batch, n)``.
            stored: ``(*batch, P, n)`` or ``(P, n)``, at least one.
            mask: boolean, broadcast to ``(*batch, P)``: True for the patterns that count. With none, the result is 0.
            values: ``(P, v)`` to be read in the last step in place of ``stored``.

        Returns:
            ``(*batch, n)`` or ``(*batch, v)``.
        """
        found = stored if values is None else values
        if self.way == "pool":
            products = self._products(queries, stored)
            best = (products if mask is None else products.masked_fill(~mask, -torch.inf)).argmax(-1)
            if found.ndim == 2:
                chosen = found[best]
            else:
                chosen = found.gather(-2, best[..., None, None].expand(*best.shape, 1, found.shape[-1])).squeeze(-2)
            return chosen if mask is None else chosen * mask.any(-1, keepdim=True)
        if self.way == "unroll":
            for _ in range(self.updates - 1):
                queries = self.step(queries, stored, mask)
        else:
            step = self.step if mask is None else lambda state, patterns: self.step(state, patterns, mask)
            queries = fixed_point(step, queries, stored, solver=Picard(), max_iterations=_STEPS * self.updates).value
            if values is None:
                return queries
        return _average(self._weights(self._products(queries, stored), mask), found)

    def step(self, state: Tensor, stored: Tensor, mask: Tensor | None = None) -> Tensor:
        """One update of the state ``(*batch, n)``."""
        return _average(self._weights(self._products(state, stored), mask), stored)

    def lookup(self, queries: Tensor) -> Tensor:
        """Weights of the stored patterns for ``(*batch, n)`` queries, ``(*batch, P)``: what attention shows."""
        stored = self._stored(f"{type(self).__name__}.lookup(queries)", queries)
        return self._weights(self._products(queries, stored))

    def _products(self, state: Tensor, stored: Tensor) -> Tensor:
        return state @ stored.mT if stored.ndim == 2 else (stored @ state.unsqueeze(-1)).squeeze(-1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(prefix + "patterns")
        if isinstance(stored, Tensor):  # as many as were saved
            self.patterns = self.patterns.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _average(weights: Tensor, patterns: Tensor) -> Tensor:
    """Average patterns ``(P, n)`` or ``(*batch, P, n)`` with weights ``(*batch, P)``."""
    return weights @ patterns if patterns.ndim == 2 else (weights.unsqueeze(-2) @ patterns).squeeze(-2)


@final
class ModernHopfield(AssociativeMemory):
    """Modern Hopfield network: exponential capacity, retrieval in one step, equal to attention.

    ``E(q) = -1/beta log sum_m exp(beta x_m . q) + 1/2 |q|^2 + 1/beta log P + 1/2 M^2`` with ``M = max |x_m|``, lowered
    by ``q <- X^T softmax(beta X q)``. A large ``beta`` finds single patterns, a small one averages of many.

    Args:
        n: length of a pattern.
        beta: steepness, a positive float or tensor (it may be a parameter).
        way: see :class:`AssociativeMemory`.
        updates: see :class:`AssociativeMemory`.

    Raises:
        TypeError: if ``n`` or ``updates`` is not an integer, or ``beta`` neither a number nor a floating tensor.
        ValueError: if one is out of range.

    Differentiability: ``unroll`` and ``analytic`` any order and twice; ``pool`` linear in the chosen pattern.
    Cost: O(P n) a query and step, time and memory.
    References: Ramsauer et al. 2021, Hopfield Networks is All You Need, eq. 2 and 3.

    Example:
        >>> memory = ModernHopfield(3, beta=8.0).store(torch.tensor([[1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]]))
        >>> memory(torch.tensor([0.6, 0.1, -0.2]))
        tensor([ 1.0000,  1.0000, -1.0000])
    """

    def __init__(self, n: int, beta: float | Tensor = 1.0, *, way: Way = "unroll", updates: int = 1):
        super().__init__(n, way, updates)
        self.beta = as_scale("ModernHopfield(beta)", beta)

    def _weights(self, products: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return torch.softmax(self.beta * products, -1)
        soft = log_softmax((self.beta * products).masked_fill(~mask, -torch.inf), -1).exp()
        return torch.where(mask, soft, 0.0)

    def energy(self, states: Tensor) -> Tensor:
        """Energy of ``(*batch, n)`` states, ``(*batch)``; no step raises it."""
        stored = self._stored("ModernHopfield.energy(states)", states)
        soft = torch.logsumexp(self.beta * self._products(states, stored), -1) / self.beta
        largest = stored.square().sum(-1).amax()
        return -soft + 0.5 * states.square().sum(-1) + math.log(len(stored)) / self.beta + 0.5 * largest

    def extra_repr(self) -> str:
        """Show what rebuilds it, and how full it is."""
        return f"n={self.n}, beta={self.beta!r}, way={self.way!r}, updates={self.updates}, stored={len(self.patterns)}"


@final
class DenseMemory(AssociativeMemory):
    """Dense associative memory with a polynomial energy, between Hopfield's (power 2) and the modern one.

    ``E(s) = -sum_m F(x_m . s / n)`` with ``F(z) = max(z, 0)^power``. Its gradient weighs pattern ``m`` by
    ``F'(x_m . s / n)``; normalised to sum 1, these are the weights of a step. The capacity for random signs grows as
    ``n^(power - 1)``.

    Args:
        n: length of a pattern.
        power: of the energy, at least 2.
        way: see :class:`AssociativeMemory`.
        updates: see :class:`AssociativeMemory`.

    Raises:
        TypeError: if ``n`` or ``updates`` is not an integer.
        ValueError: if an argument is out of range.

    Differentiability: twice for ``power > 3``; kinks where a pattern's overlap crosses 0.
    Cost: O(P n) a query and step, time and memory.
    References: Krotov, Hopfield 2016, Dense Associative Memory for Pattern Recognition, eq. 3.

    Example:
        >>> memory = DenseMemory(3, power=12).store(torch.tensor([[1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]]))
        >>> memory(torch.tensor([1.0, -1.0, -1.0])).sign()
        tensor([ 1.,  1., -1.])
    """

    def __init__(self, n: int, power: float = 3.0, *, way: Way = "unroll", updates: int = 1):
        super().__init__(n, way, updates)
        check_positive("DenseMemory(power)", power)
        require(power >= 2, "DenseMemory(power)", "must be at least 2", power)
        self.power = float(power)

    def _weights(self, products: Tensor, mask: Tensor | None = None) -> Tensor:
        # In logarithms, relative to the largest: no power over- or underflows as a whole.
        positive = products.clamp_min(0)
        if mask is not None:
            positive = positive.masked_fill(~mask, 0.0)
        largest = positive.amax(-1, keepdim=True)
        scaled = positive / largest.masked_fill(largest == 0, 1.0)
        raised = scaled ** (self.power - 1)
        total = raised.sum(-1, keepdim=True)
        if mask is None:
            even = torch.full_like(raised, 1 / raised.shape[-1])
        else:
            even = mask.to(raised.dtype) / mask.sum(-1, keepdim=True).clamp_min(1)
        return torch.where(total > 0, raised / total.masked_fill(total == 0, 1.0), even)

    def energy(self, states: Tensor) -> Tensor:
        """Energy of ``(*batch, n)`` states, ``(*batch)``."""
        overlaps = self._products(states, self._stored("DenseMemory.energy(states)", states)) / self.n
        return -(overlaps.clamp_min(0) ** self.power).sum(-1)

    def extra_repr(self) -> str:
        """Show what rebuilds it, and how full it is."""
        return f"n={self.n}, power={self.power}, way={self.way!r}, updates={self.updates}, stored={len(self.patterns)}"
