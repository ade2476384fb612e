"""Hidden Markov models, with expected counts for every parameter."""

from typing import Any, final

import torch

from algonets._core.checks import check_same_kind, values_visible
from algonets._core.errors import reject_type, require
from algonets._core.shapes import flatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import scan
from algonets.dp.program import DynamicProgram, checked_scores, per_example
from algonets.semirings import Semiring

__all__ = ["HMM"]


@final
class HMM(DynamicProgram):
    r"""All hidden state sequences behind observed symbols.

    .. math:: \log p(z, x) = \log \pi_{z_1} + \sum_t \log A_{z_t z_{t+1}} + \sum_t \log B_{z_t x_t}

    :meth:`log_partition` is the log-likelihood of the observations, and its gradient with respect to the parameters
    the expected counts of the E step. Parts are the factors ``initial`` ``(S,)``, ``transition`` ``(S, S)`` and
    ``emission`` ``(T, S)``: how often a sequence starts, changes and visits there.

    Args:
        initial: Log-probabilities ``(S,)`` or ``(*batch, S)`` of the first state.
        transition: ``(S, S)`` or ``(*batch, S, S)``, from row to column.
        emission: ``(S, V)`` or ``(*batch, S, V)`` of the V symbols.
        observations: Integers ``(*batch, T)`` in ``0 .. V - 1``; anything beyond the length.
        lengths: Integers ``batch`` from 1 to T, the default.

    The parameters need not be normalised; -inf forbids.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, observations or lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch T S^2)``. Where each example has many states and steps, a :class:`LinearChain` is faster.

    References:
        L. Rabiner, *A Tutorial on Hidden Markov Models*, Proceedings of the IEEE 77(2), 1989.

    Example:
        >>> uniform = torch.full((2, 2), 0.5).log()
        >>> model = HMM(torch.full((2,), 0.5).log(), uniform, uniform, torch.tensor([0, 1, 1]))
        >>> round(model.log_partition().exp().item(), 4), model.states().tolist()
        (0.125, [0, 0, 0])
    """

    factor_names = ("initial", "transition", "emission")

    def __init__(
        self,
        initial: torch.Tensor,
        transition: torch.Tensor,
        emission: torch.Tensor,
        observations: torch.Tensor,
        lengths: torch.Tensor | None = None,
    ):
        call = "HMM(observations)"
        if not isinstance(observations, torch.Tensor):
            reject_type(call, "must be an integer tensor", observations)
        if observations.dtype.is_floating_point or observations.dtype.is_complex or observations.dtype == torch.bool:
            reject_type(call, "must be an integer tensor", observations)
        require(
            observations.ndim >= 1 and observations.shape[-1] >= 1, call, "must have shape (*batch, T)", observations
        )
        shape, steps = observations.shape[:-1], observations.shape[-1]
        initial = checked_scores("HMM", "initial", initial, 1)
        states = initial.shape[-1]
        transition = checked_scores("HMM", "transition", transition, 2)
        emission = checked_scores("HMM", "emission", emission, 2)
        for name, value, event in (("transition", transition, (states, states)), ("emission", emission, (states,))):
            check_same_kind(f"HMM({name})", value, initial, "initial")
            end = value.shape[-2:] if name == "transition" else value.shape[-2:-1]
            require(
                (tuple(end) == event and value.numel() > 0) or 0 in shape,
                f"HMM({name})",
                f"must have {states} rows",
                value,
            )
        ends = check_lengths("HMM(lengths)", lengths, shape, steps, initial.device)
        symbols = flatten_batch(observations, 1).to(torch.int64)
        symbols = torch.where(torch.arange(steps, device=symbols.device) < ends[:, None], symbols, 0)
        if values_visible(observations) and symbols.numel():
            low, high = int(symbols.min()), int(symbols.max())
            count = emission.shape[-1]
            require(low >= 0 and high < count, call, f"must be in 0 .. {count - 1}", low if low < 0 else high)
        table = per_example("HMM(emission)", emission, shape, 2)
        seen = table.gather(2, symbols.unsqueeze(1).expand(-1, states, -1)).transpose(1, 2)
        first = per_example("HMM(initial)", initial, shape, 1)
        super().__init__((first, per_example("HMM(transition)", transition, shape, 2), seen), shape, ends - 1)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Run along the sequence; the value of every length is kept."""
        initial, transition, emission = factors

        def step(alpha, seen):
            before = semiring.plus(semiring.times(alpha.unsqueeze(2), transition), 1) if alpha is not None else initial
            alpha = semiring.times(before, seen)
            return alpha, semiring.plus(alpha, 1)

        return scan(step, None, emission)

    def states(self) -> torch.Tensor:
        """Return the best state sequence, int64 ``(*batch, T)``; -1 beyond the length and where none is possible."""
        return _labels(self.argmax()[2])

    def posterior(self) -> torch.Tensor:
        """Return the probability of every state at every step, ``(*batch, T, S)``. Differentiability: any order."""
        return self.marginals()[2]


def _labels(indicator: torch.Tensor) -> torch.Tensor:
    best = indicator.max(-1)
    return torch.where(best.values > 0, best.indices, -1)
