"""The chain's iterations as layers: belief propagation and mean field, plain torch, any order of derivative."""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.functional import pad

from algonets._core.checks import values_visible
from algonets._core.numerics import log_softmax, logsumexp
from algonets.dp._chain_factors import ChainFactors

__all__ = ["mean_field", "messages"]


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Keep autocast from computing matrix products in a half type."""
    on = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if on else nullcontext()


def messages(factors: ChainFactors, iterations: int) -> torch.Tensor:
    """Return (B, T, S) beliefs after parallel updates of all messages."""
    with _full_precision(factors.unary.device):
        return _messages(factors, iterations)


def mean_field(factors: ChainFactors, iterations: int) -> torch.Tensor:
    """Return (B, T, S) beliefs after sweeps over the even, then the odd positions."""
    with _full_precision(factors.unary.device):
        return _mean_field(factors, iterations)


def _messages(factors: ChainFactors, iterations: int) -> torch.Tensor:
    unary, transition = factors.scores(), factors.transition
    forward, backward = torch.zeros_like(unary), torch.zeros_like(unary)
    linked = factors.inside()[:, 1:, None]
    step = _scaled_step if _may_scale(factors) else _exact_step
    for _ in range(min(iterations, unary.shape[1] - 1)):
        ahead = log_softmax(step((forward + unary)[:, :-1], transition), 2)
        behind = log_softmax(step((unary + backward)[:, 1:], transition.mT), 2)
        forward = torch.cat([forward[:, :1], ahead], 1)
        backward = torch.cat([torch.where(linked, behind, torch.zeros_like(behind)), backward[:, -1:]], 1)
    return _softmax(unary + forward + backward, factors)


def _mean_field(factors: ChainFactors, iterations: int) -> torch.Tensor:
    unary, transition, positions = factors.scores(), factors.transition, factors.positions()
    inside = factors.inside().unsqueeze(-1)
    belief = _softmax(unary, factors)
    for _ in range(iterations):
        for parity in (0, 1):
            ahead = (belief[:, :-1].unsqueeze(2) @ transition).squeeze(2)
            behind = (transition @ belief[:, 1:].unsqueeze(3)).squeeze(3)
            field = unary + pad(ahead, (0, 0, 1, 0)) + pad(behind, (0, 0, 0, 1))
            belief = torch.where((positions % 2 == parity) & inside, _softmax(field, factors), belief)
    return belief


def _softmax(scores: torch.Tensor, factors: ChainFactors) -> torch.Tensor:
    """Normalise over the labels; zero beyond the length."""
    belief = log_softmax(scores, 2)
    return torch.where(factors.inside().unsqueeze(-1), belief, torch.full_like(belief, -math.inf)).exp()


def _may_scale(factors: ChainFactors) -> bool:
    """Tell whether ``_scaled_step`` is safe: all scores finite, transitions within half the exponent range."""
    tensors = (factors.unary, factors.transition, factors.start, factors.end)
    if not values_visible(*tensors) or any(t is not None and bool((t.detach() == -math.inf).any()) for t in tensors):
        return False
    if not factors.transition.numel():
        return True
    low, high = factors.transition.detach().aminmax()
    return float(high - low) < (600 if factors.unary.dtype == torch.float64 else 60)


def _exact_step(message: torch.Tensor, transition: torch.Tensor) -> torch.Tensor:
    """Log of ``exp(message) @ exp(transition)`` for all positions at once: (B, T - 1, S) messages."""
    return logsumexp(message.unsqueeze(3) + transition, 2)


def _scaled_step(message: torch.Tensor, transition: torch.Tensor) -> torch.Tensor:
    """The same as a matrix product; what underflows is below rounding, as :func:`_may_scale` makes sure."""
    shift, top = message.detach().amax(2, keepdim=True), transition.detach().amax()
    weights, matrix = (message - shift).exp(), (transition - top).exp()
    product = weights @ matrix[0, 0] if matrix.shape[:2] == (1, 1) else (weights.unsqueeze(2) @ matrix).squeeze(2)
    return product.log() + shift + top
