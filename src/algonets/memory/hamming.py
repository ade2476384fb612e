"""Hamming's network: a layer that matches, and a network of lateral inhibition that lets one unit win."""

from typing import Any, Self, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import reject, require
from algonets.implicit import fixed_point
from algonets.memory._kernels import packed_distance
from algonets.memory.packed import pack, unpack
from algonets.memory.patterns import check_patterns

__all__ = ["Hamming"]

_RACES = 1 << 21
"""Units that race at a time: what a call needs does not grow with its queries."""


@final
class Hamming(nn.Module):
    """Hamming network: the stored pattern in the fewest places different from the query.

    The matching layer gives ``y_m = (n + x_m . q) / 2``, the number of equal places. MAXNET then lets the units inhibit
    each other, ``y_m <- relu(y_m - eps sum_{k != m} y_k)`` with ``0 < eps < 1 / P``, until one is left. Exact ties
    never resolve by themselves: among units that are equally strong the one stored first wins.

    Args:
        n: number of units of a pattern; None takes that of the first patterns that are stored.
        inhibition: ``eps`` as a fraction of its bound ``1 / P``, in (0, 1).
        max_iterations: of MAXNET.
        packed: keep the patterns as bits, a 32nd of the memory, and count differing bits; for signs, not for
            :meth:`unroll` and :meth:`compete`, and not without ``n``.

    Raises:
        TypeError: if ``n`` or ``max_iterations`` is not an integer.
        ValueError: if an argument is out of range.

    Differentiability: :meth:`forward` linear in the chosen pattern (pool); :meth:`unroll` piecewise linear.
    Cost: O(P n) a query, and O(P) for each of up to O(P log n) iterations.
    References: Lippmann 1987, An introduction to computing with neural nets.

    Example:
        >>> memory = Hamming(4).store(torch.tensor([[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, 1.0]]))
        >>> memory(torch.tensor([-1.0, -1.0, -1.0, 1.0]))
        tensor([-1., -1.,  1.,  1.])
    """

    patterns: Tensor

    n: int

    def __init__(
        self, n: int | None = None, *, inhibition: float = 0.9, max_iterations: int = 10_000, packed: bool = False
    ):
        super().__init__()
        if n is None and packed:
            reject("Hamming(n)", "must be given with packed=True", n, "Bits do not tell how many of them count.")
        self.n = 0 if n is None else check_at_least("Hamming(n)", n, 1)
        require(0 < inhibition < 1, "Hamming(inhibition)", "must be in (0, 1)", inhibition, "At 1 all units may die.")
        self.inhibition = float(inhibition)
        self.max_iterations = check_at_least("Hamming(max_iterations)", max_iterations, 1)
        self.packed = packed
        self.register_buffer("patterns", pack(torch.zeros(0, self.n)) if packed else torch.zeros(0, self.n))

    def store(self, patterns: Tensor, *, append: bool = False) -> Self:
        """Keep patterns ``(P, n)`` of +1 and -1; see ``Hopfield.store``."""
        if not self.n and isinstance(patterns, Tensor) and patterns.ndim == 2 and patterns.shape[1]:
            self.n = patterns.shape[1]
            self.patterns = self.patterns.new_zeros(0, self.n)
        check_patterns("Hamming.store(patterns)", patterns, self.n)
        require(patterns.ndim == 2, "Hamming.store(patterns)", "must be (P, n)", patterns)
        new = pack(patterns) if self.packed else patterns.clone()
        self.patterns = torch.cat([self.patterns.to(new), new]) if append else new
        return self

    def forward(self, queries: Tensor, *, race: bool = False) -> Tensor:
        """Retrieve (pool) the nearest stored pattern of ``(*batch, n)`` queries; see :meth:`winner`."""
        chosen = self.patterns[self.winner(queries, race=race)]
        return (unpack(chosen, self.n) if self.packed else chosen).to(queries.dtype)

    def winner(self, queries: Tensor, *, race: bool = True) -> Tensor:
        """Index of the unit that wins, ``(*batch)`` of int64, by running MAXNET until one unit is left.

        Args:
            queries: ``(*batch, n)`` of +1 and -1.
            race: run MAXNET; else take the first of the strongest units at once, which is where it always ends.

        Returns:
            Indices into the stored patterns.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if it holds anything but signs, does not fit, or nothing is stored.
        """
        self._check_stored("Hamming(queries)")
        check_patterns("Hamming(queries)", queries, self.n)
        flat = queries.reshape(-1, self.n)
        rows = max(1, _RACES // max(len(self.patterns), 1))
        matches = (self._matches("Hamming(queries)", part) for part in flat.split(rows))
        parts = [self._race(part) if race else part.argmax(-1) for part in matches]
        return torch.cat(parts).reshape(queries.shape[:-1])

    def _race(self, matches: Tensor) -> Tensor:
        """Winners of the races of ``(B, P)``; units that have died in all of them are left behind."""
        winners = torch.zeros(len(matches), dtype=torch.int64, device=matches.device)
        # The units in the order of strength, the first stored first among equals. Inhibition keeps this order, so that
        # those still alive are always the first ones, and the others need no more computing.
        now, order = matches.to(torch.float64).sort(dim=-1, descending=True, stable=True)
        running, eps = torch.arange(len(matches), device=matches.device), self.inhibition / max(matches.shape[-1], 1)
        for _ in range(self.max_iterations):
            # Equally strong units stay so for ever: where only such are left, the first of them wins.
            undecided = ((now > 0) & (now < now[:, :1])).any(-1)
            if not bool(undecided.all()):
                winners[running[~undecided]] = now[~undecided].argmax(-1)
                running, now = running[undecided], now[undecided]
            if not len(running):
                return order.gather(-1, winners.unsqueeze(-1)).squeeze(-1)
            alive = int((now > 0).sum(-1).amax())
            now = torch.relu(now[:, :alive] - eps * (now.sum(-1, keepdim=True) - now[:, :alive]))
            now = now / now[:, :1]  # only ratios matter
        winners[running] = now.argmax(-1)
        return order.gather(-1, winners.unsqueeze(-1)).squeeze(-1)

    def unroll(self, queries: Tensor, iterations: int) -> Tensor:
        """Unroll: the average of the stored patterns, weighted by the strengths after some iterations of MAXNET.

        Args:
            queries: ``(*batch, n)``, real in [-1, 1]: soft bits of a network are welcome.
            iterations: at least 1.

        Returns:
            ``(*batch, n)`` in [-1, 1]; with more iterations the winner alone remains.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if it does not fit, or nothing is stored.
        """
        check_at_least("Hamming.unroll(iterations)", iterations, 1)
        strength = self._matches("Hamming.unroll(queries)", queries, soft=True)
        for _ in range(iterations):
            strength = self._inhibit(strength)
            strength = strength / strength.amax(-1, keepdim=True).clamp_min(torch.finfo(strength.dtype).tiny)
        weights = strength / strength.sum(-1, keepdim=True).clamp_min(torch.finfo(strength.dtype).tiny)
        return weights @ self.patterns.to(queries.dtype)

    def compete(self, queries: Tensor, inhibition: float = 0.9) -> Tensor:
        """Analytic: strengths at the equilibrium of units that inhibit each other while the match keeps driving them.

        ``y_m = relu(match_m / n - eps sum_{k != m} y_k)`` with ``eps = inhibition / P``; a sparse, soft choice whose
        gradient comes from the implicit function theorem.

        Args:
            queries: ``(*batch, n)``, real in [-1, 1].
            inhibition: ``eps P``, in (0, 1): below 1 the equilibrium is unique.

        Returns:
            ``(*batch, P)``, not negative.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if it does not fit, or nothing is stored.
        """
        require(0 < inhibition < 1, "Hamming.compete(inhibition)", "must be in (0, 1)", inhibition)
        drive = self._matches("Hamming.compete(queries)", queries, soft=True) / self.n
        eps = inhibition / drive.shape[-1]

        def settle(y: Tensor, drive: Tensor) -> Tensor:
            return torch.relu(drive - eps * (y.sum(-1, keepdim=True) - y))

        return fixed_point(settle, torch.zeros_like(drive), drive).value

    def _inhibit(self, strength: Tensor) -> Tensor:
        eps = self.inhibition / strength.shape[-1]
        return torch.relu(strength - eps * (strength.sum(-1, keepdim=True) - strength))

    def _check_stored(self, call: str) -> None:
        if not len(self.patterns):
            reject(call, "needs stored patterns", "none", "Call store(patterns) first.")

    def _matches(self, call: str, queries: Tensor, soft: bool = False) -> Tensor:
        self._check_stored(call)
        if soft:
            if self.packed:
                reject(call, "needs patterns that are not packed", "packed=True", "Use Hamming(n), without it.")
            check_floating(call, queries)
            fits = queries.ndim >= 1 and queries.shape[-1] == self.n
            require(fits, call, f"must have {self.n} units in the last dimension", queries)
        else:
            check_patterns(call, queries, self.n)
        if self.packed:
            return self.n - packed_distance(pack(queries), self.patterns)
        return (self.n + queries @ self.patterns.to(queries.dtype).mT) / 2

    def extra_repr(self) -> str:
        """Show what rebuilds it, and how full it is."""
        return f"n={self.n}, inhibition={self.inhibition}, packed={self.packed}, stored={len(self.patterns)}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(prefix + "patterns")
        if isinstance(stored, Tensor):  # as many as were saved
            self.patterns = self.patterns.new_zeros(stored.shape)
            self.n = self.n or stored.shape[-1]
        super()._load_from_state_dict(state_dict, prefix, *args)
