"""The classical Hopfield network: binary units, symmetric weights, an energy that retrieval never raises."""

import math
from collections.abc import Callable
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from algonets._core.checks import as_scale, check_at_least, check_floating
from algonets._core.errors import reject, require
from algonets.implicit import Picard, fixed_point
from algonets.memory import _kernels
from algonets.memory.patterns import check_patterns
from algonets.memory.rules import hebb, perceptron_rule, pseudo_inverse, storkey

__all__ = ["Hopfield"]

Rule = Literal["hebb", "storkey", "pseudo_inverse", "perceptron"]
_RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "hebb": hebb,
    "storkey": storkey,
    "pseudo_inverse": pseudo_inverse,
    "perceptron": perceptron_rule,
}


class Hopfield(nn.Module):
    """Classical Hopfield network: stores patterns of signs, and completes what is like them.

    ``E(s) = -1/2 s^T W s + theta^T s``; a unit takes the sign of its field ``h = W s - theta``, and keeps its state
    where the field is 0. Asynchronous updates never raise the energy, so that they end in a local minimum;
    synchronous ones may end in a cycle of two states.

    Args:
        n: number of units.
        rule: how :meth:`store` learns: ``"hebb"``, ``"storkey"``, ``"pseudo_inverse"``, ``"perceptron"``, or a
            function of patterns ``(P, n)`` that returns weights ``(n, n)``.
        centred: for biased patterns (mean activity ``a`` far from 0, such as strokes on empty paper): learn from
            ``x - a`` and shift the thresholds; only with Hebb's rule.

    Raises:
        TypeError: if ``n`` is not an integer.
        ValueError: if ``rule`` is unknown, or ``centred`` asked of another rule than Hebb's.

    Differentiability: :meth:`forward` none (states are signs); :meth:`unroll` any order, in the query and in the
    weights (pass ``weights`` that need a gradient by setting the buffer to a parameter).
    Cost: storing by the rule; retrieval O(n^2) a query for the fields, then O(n) for each unit that flips.
    References: Hopfield 1982, Neural networks and physical systems with emergent collective computational abilities.

    Example:
        >>> memory = Hopfield(4).store(torch.tensor([[1.0, 1.0, -1.0, -1.0]]))
        >>> memory(torch.tensor([1.0, -1.0, -1.0, -1.0]))
        tensor([ 1.,  1., -1., -1.])
    """

    weights: Tensor
    threshold: Tensor
    patterns: Tensor

    def __init__(self, n: int, rule: Rule | Callable[[Tensor], Tensor] = "hebb", *, centred: bool = False):
        super().__init__()
        self.n = check_at_least("Hopfield(n)", n, 1)
        if not callable(rule) and rule not in _RULES:
            reject("Hopfield(rule)", f"must be one of {', '.join(_RULES)}, or a function of patterns", rule)
        require(not centred or rule == "hebb", "Hopfield(centred)", "is defined for rule='hebb' only", rule)
        self.rule, self.centred = rule, centred
        self.register_buffer("weights", torch.zeros(n, n))
        self.register_buffer("threshold", torch.zeros(n))
        self.register_buffer("patterns", torch.zeros(0, n))

    def store(self, patterns: Tensor, *, append: bool = False) -> Self:
        """Learn patterns.

        Args:
            patterns: ``(P, n)`` of +1 and -1.
            append: add to those stored before, instead of replacing them.

        Returns:
            Itself.

        Raises:
            TypeError: if ``patterns`` is not a floating tensor.
            ValueError: if it holds anything but signs, or its shape does not fit.
        """
        check_patterns("Hopfield.store(patterns)", patterns, self.n)
        require(patterns.ndim == 2, "Hopfield.store(patterns)", "must be (P, n)", patterns)
        patterns = patterns.detach().to(self.weights)
        self.patterns = torch.cat([self.patterns, patterns]) if append else patterns.clone()
        if not len(self.patterns):
            self.weights, self.threshold = torch.zeros_like(self.weights), torch.zeros_like(self.threshold)
        elif self.centred:
            activity = float(self.patterns.mean().clamp(-0.999, 0.999))
            self.weights = hebb(self.patterns, activity)
            # The field of a stored pattern is then x itself plus noise, whichever sign is the rare one.
            self.threshold = activity * (self.weights.sum(-1) - 1)
        else:
            learn = self.rule if callable(self.rule) else _RULES[self.rule]
            self.weights = learn(self.patterns)
        return self

    def forward(
        self,
        queries: Tensor,
        *,
        update: Literal["asynchronous", "synchronous"] = "asynchronous",
        max_sweeps: int = 100,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Retrieve: update the units until nothing changes (pool: the result is a hard state without gradient).

        Args:
            queries: ``(*batch, n)`` of +1 and -1.
            update: one unit after the other, or all at once.
            max_sweeps: passes over all units at most; a cycle of synchronous updates ends here.
            generator: a random order of units in each sweep, the same for the batch; ``None`` for 0 to n - 1.

        Returns:
            ``(*batch, n)`` of +1 and -1, dtype of ``queries``.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if it holds anything but signs, does not fit, or an option is out of range.
        """
        check_patterns("Hopfield(queries)", queries, self.n)
        check_at_least("Hopfield(max_sweeps)", max_sweeps, 1)
        require(
            update in ("asynchronous", "synchronous"), "Hopfield(update)", "must be asynchronous or synchronous", update
        )
        states = queries.detach().reshape(-1, self.n).to(self.weights)
        if update == "asynchronous":
            states = _kernels.settle(states, self.weights, self.threshold, max_sweeps, generator)
        else:
            for _ in range(max_sweeps):
                after = _signs(states @ self.weights - self.threshold, states)
                if torch.equal(after, states):
                    break
                states = after
        return states.reshape(queries.shape).to(queries.dtype)

    def unroll(self, queries: Tensor, steps: int, beta: float | Tensor = 4.0) -> Tensor:
        """Unroll: ``steps`` synchronous updates ``s <- tanh(beta (W s - theta))``, differentiable to any order.

        Args:
            queries: ``(*batch, n)``, any real states.
            steps: number of updates, at least 1.
            beta: steepness, positive; towards infinity the units become signs.

        Returns:
            ``(*batch, n)`` in (-1, 1).

        Raises:
            ValueError: if an option is out of range.
        """
        check_at_least("Hopfield.unroll(steps)", steps, 1)
        check_floating("Hopfield.unroll(queries)", queries)
        beta, states = as_scale("Hopfield.unroll(beta)", beta), queries
        for _ in range(steps):
            states = self._soft_step(states, self.weights, beta)
        return states

    def settle(self, queries: Tensor, beta: float | Tensor = 2.0, *, max_iterations: int = 500) -> Tensor:
        """Analytic: the equilibrium ``s = tanh(beta (W s - theta))`` of graded units that the query falls to.

        The gradient is that of the equilibrium (implicit function theorem): to the weights, the threshold and
        ``beta``, in memory that does not grow with the iterations. The query chooses the equilibrium, and has no
        gradient where it does not move it.

        Args:
            queries: ``(*batch, n)``, any real states.
            beta: steepness, positive float or tensor.
            max_iterations: of the search.

        Returns:
            ``(*batch, n)`` in (-1, 1).

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if an option is out of range.
            ConvergenceError: if the units do not come to rest, as where synchronous updates go in a cycle.

        References: Hopfield 1984, Neurons with graded response have collective computational properties.
        """
        check_floating("Hopfield.settle(queries)", queries)
        check_at_least("Hopfield.settle(max_iterations)", max_iterations, 1)
        beta = as_scale("Hopfield.settle(beta)", beta)

        def step(states: Tensor, weights: Tensor) -> Tensor:
            # Half way: damped steps lead to the same rest, and out of the cycles of two states.
            return 0.5 * (states + self._soft_step(states, weights, beta))

        return fixed_point(step, queries, self.weights, solver=Picard(), max_iterations=max_iterations).value

    def _soft_step(self, states: Tensor, weights: Tensor, beta: Any) -> Tensor:
        return torch.tanh(beta * (states @ weights.to(states.dtype) - self.threshold.to(states.dtype)))

    def energy(self, states: Tensor) -> Tensor:
        """``E(s) = -1/2 s^T W s + theta^T s`` of ``(*batch, n)`` states, ``(*batch)``."""
        weights = self.weights.to(states.dtype)
        return -0.5 * (states @ weights * states).sum(-1) + (states * self.threshold.to(states.dtype)).sum(-1)

    def stability(self, patterns: Tensor | None = None) -> Tensor:
        """``x_i h_i`` of each unit, ``(P, n)``: a pattern is a fixed point if none is negative.

        Args:
            patterns: ``(P, n)``; by default the stored ones.
        """
        patterns = self.patterns if patterns is None else patterns
        check_patterns("Hopfield.stability(patterns)", patterns, self.n)
        return patterns * (patterns @ self.weights.to(patterns.dtype) - self.threshold.to(patterns.dtype))

    def overlaps(self, states: Tensor) -> Tensor:
        """Overlap of ``(*batch, n)`` states with every stored pattern, ``(*batch, P)``."""
        call = "Hopfield.overlaps(states)"
        check_floating(call, states)
        require(states.ndim >= 1 and states.shape[-1] == self.n, call, f"must be (*batch, {self.n})", states)
        return states @ self.patterns.to(states.dtype).mT / self.n

    def capacity(self) -> float:
        """How many random patterns the rule recalls, roughly: theory for large ``n``, see the rule.

        ``n / (2 ln n)`` for Hebb's rule without errors, ``n / sqrt(2 ln n)`` for Storkey's, ``n / 2`` for the
        pseudo-inverse with wide basins, ``n`` for the perceptron rule.
        """
        log = max(math.log(self.n), 1.0)
        known = {"hebb": self.n / (2 * log), "storkey": self.n / math.sqrt(2 * log), "pseudo_inverse": self.n / 2}
        return known.get(str(self.rule), float(self.n))

    def extra_repr(self) -> str:
        """Show what rebuilds it, and how full it is."""
        return f"n={self.n}, rule={self.rule!r}, centred={self.centred}, stored={len(self.patterns)}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(prefix + "patterns")
        if isinstance(stored, Tensor):  # as many as were saved
            self.patterns = self.patterns.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _signs(fields: Tensor, states: Tensor) -> Tensor:
    return torch.where(fields > 0, 1.0, torch.where(fields < 0, -1.0, states)).to(states.dtype)
