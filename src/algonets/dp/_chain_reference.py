"""The chain's recursions in plain torch: any device, any order of derivative. The native kernels equal these."""

import math

import torch

from algonets._core.numerics import log_softmax, logsumexp
from algonets.dp._chain_factors import ChainFactors
from algonets.semirings import Semiring

__all__ = [
    "forward_backward",
    "log_partition",
    "marginals",
    "reduce",
    "sample",
    "topk",
    "viterbi",
]


def _steps(transition: torch.Tensor, count: int) -> list[torch.Tensor]:
    """Split (1 | B, 1 | T - 1, S, S) into one matrix a step; ``unbind`` keeps autograd linear in T."""
    return [transition[:, 0]] * count if transition.shape[1] == 1 else list(transition.unbind(1))


def _finite(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x == -math.inf, torch.zeros_like(x), x)


def _forward(factors: ChainFactors) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return log-normalised forward messages and the log-partition (-inf where infeasible)."""
    unary = factors.scores().unbind(1)
    matrices = _steps(factors.transition, len(unary) - 1)
    norm = logsumexp(unary[0], 1, keepdim=True)
    message = unary[0] - _finite(norm)
    messages, total = [message], norm.squeeze(1)
    for t in range(1, len(unary)):
        step = logsumexp(message.unsqueeze(2) + matrices[t - 1], 1) + unary[t]
        norm = logsumexp(step, 1, keepdim=True)
        live = (t < factors.lengths)[:, None]
        message = torch.where(live, step - _finite(norm), message)
        total = total + torch.where(live, norm, torch.zeros_like(norm)).squeeze(1)
        messages.append(message)
    # Infeasible: -inf, and no gradient from the steps before the contradiction.
    return messages, torch.where(total == -math.inf, torch.full_like(total, -math.inf), total)


def log_partition(factors: ChainFactors) -> torch.Tensor:
    """Return (B,) log-sum-exp of the scores of all label sequences."""
    return _forward(factors)[1]


def forward_backward(factors: ChainFactors, messages: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the backward messages that belong to the forward ones, each up to a constant."""
    unary = factors.scores().unbind(1)
    matrices = _steps(factors.transition, len(unary) - 1)
    message = torch.zeros_like(messages[-1])
    result = [message]
    for t in range(len(unary) - 1, 0, -1):
        step = logsumexp(matrices[t - 1] + (unary[t] + message).unsqueeze(1), 2)
        step = log_softmax(step, 1)
        message = torch.where((t < factors.lengths)[:, None], step, message)
        result.append(message)
    return result[::-1]


def marginals(factors: ChainFactors) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, T, S) unary and (B, T - 1, S, S) pairwise marginals; zero where infeasible."""
    batch, steps, states = factors.unary.shape
    forward, total = _forward(factors)
    feasible = (total > -math.inf)[:, None]
    backward = forward_backward(factors, forward)
    unary = factors.scores().unbind(1)
    matrices = _steps(factors.transition, steps - 1)
    nodes, pairs = [], []
    for t in range(steps):
        live = feasible & (t < factors.lengths)[:, None]
        belief = log_softmax(forward[t] + backward[t], 1)
        nodes.append(torch.where(live, belief, torch.full_like(belief, -math.inf)).exp())
        if t == 0:
            continue
        pair = forward[t - 1].unsqueeze(2) + matrices[t - 1] + (unary[t] + backward[t]).unsqueeze(1)
        pair = log_softmax(pair.flatten(1), 1)
        pair = torch.where(live, pair, torch.full_like(pair, -math.inf)).exp()
        pairs.append(pair.unflatten(1, (states, states)))
    empty = factors.unary.new_zeros(batch, 0, states, states)
    return torch.stack(nodes, 1), torch.stack(pairs, 1) if pairs else empty


def viterbi(factors: ChainFactors) -> torch.Tensor:
    """Return (B, T) labels of the best sequence, -1 beyond the length and where infeasible.

    Ties: the lowest last label wins, then at each earlier position the lowest label that leads to it.
    """
    with torch.no_grad():
        unary = factors.scores().unbind(1)
        matrices = _steps(factors.transition, len(unary) - 1)
        best = unary[0]
        pointers = []
        for t in range(1, len(unary)):
            best = best - _finite(best.amax(1, keepdim=True))  # keeps the precision of long chains
            value, origin = (best.unsqueeze(2) + matrices[t - 1]).max(1)
            live = (t < factors.lengths)[:, None]
            best = torch.where(live, value + unary[t], best)
            pointers.append(torch.where(live, origin, torch.arange(origin.shape[1], device=origin.device)))
        score, label = best.max(1)
        path = [label]
        for origin in reversed(pointers):
            label = origin.gather(1, label.unsqueeze(1)).squeeze(1)
            path.append(label)
        labels = torch.stack(path[::-1], 1)
        keep = factors.inside() & (score > -math.inf)[:, None]
        return torch.where(keep, labels, -1)


def topk(factors: ChainFactors, k: int) -> torch.Tensor:
    """Return (B, k, T) labels of the k best sequences, best first; -1 beyond the length and where there are fewer."""
    with torch.no_grad():
        unary = factors.scores().unbind(1)
        batch, states = unary[0].shape
        matrices = _steps(factors.transition, len(unary) - 1)
        missing = unary[0].new_full((batch, states, k - 1), -math.inf)
        best = torch.cat([unary[0].unsqueeze(2), missing], 2)  # (B, state, rank)
        pointers = []
        identity = torch.arange(states * k, device=best.device).reshape(states, k).expand(batch, -1, -1)
        for t in range(1, len(unary)):
            best = best - _finite(best.flatten(1).amax(1))[:, None, None]
            candidates = best.unsqueeze(3) + matrices[t - 1].unsqueeze(2)  # (B, from, rank, to)
            value, origin = candidates.flatten(1, 2).transpose(1, 2).topk(k, 2)
            live = (t < factors.lengths)[:, None, None]
            best = torch.where(live, value + unary[t].unsqueeze(2), best)
            pointers.append(torch.where(live, origin, identity))
        score, slot = best.flatten(1).topk(k, 1)  # slot = state * k + rank
        path = [slot // k]
        for origin in reversed(pointers):
            slot = origin.flatten(1).gather(1, slot)
            path.append(slot // k)
        labels = torch.stack(path[::-1], 2)
        keep = factors.inside().unsqueeze(1) & (score > -math.inf).unsqueeze(2)
        return torch.where(keep, labels, -1)


def sample(factors: ChainFactors, uniforms: torch.Tensor) -> torch.Tensor:
    """Forward filter, backward sample: (n, B, T) labels by inverse CDF from (n, B, T) float64 uniforms."""
    with torch.no_grad():
        wide = factors.double()
        messages, total = _forward(wide)
        matrices = _steps(wide.transition, len(messages) - 1)
        n, batch, steps = uniforms.shape
        states = messages[0].shape[1]
        label = torch.zeros(n, batch, dtype=torch.int64, device=uniforms.device)
        path = []
        for t in range(steps - 1, -1, -1):
            log_weight = messages[t].expand(n, batch, states)
            if t < steps - 1:
                columns = matrices[t].transpose(1, 2).expand(batch, states, states)
                index = label.T.unsqueeze(2).expand(batch, n, states)
                into = columns.gather(1, index).transpose(0, 1)
                log_weight = torch.where((t < factors.lengths - 1)[None, :, None], log_weight + into, log_weight)
            weight = log_softmax(log_weight, 2).exp()
            cumulative = weight.cumsum(2)
            drawn = (cumulative <= uniforms[:, :, t, None] * cumulative[..., -1:]).sum(2)
            last = (states - 1) - (weight.flip(2) > 0).int().argmax(2)  # never a state of weight zero
            label = torch.where(t < factors.lengths, torch.minimum(drawn, last), label)
            path.append(label)
        labels = torch.stack(path[::-1], 2)
        keep = factors.inside() & (total > -math.inf)[:, None]
        return torch.where(keep, labels, -1)


def reduce(factors: ChainFactors, semiring: Semiring) -> torch.Tensor:
    """Run the chain's recursion in any semiring."""
    unary = [semiring.lift(u) for u in factors.scores().unbind(1)]
    lifted = semiring.lift(factors.transition)
    matrices = _steps(lifted, len(unary) - 1)
    message = unary[0]
    for t in range(1, len(unary)):
        step = semiring.plus(semiring.times(message.unsqueeze(2), matrices[t - 1]), 1)
        message = semiring.where((t < factors.lengths)[:, None], semiring.times(step, unary[t]), message)
    return semiring.lower(semiring.plus(message, 1))
