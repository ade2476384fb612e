"""Projections onto the permutahedron in plain torch, on any device; the meaning of the native kernels.

Rows are ``(B, n)``. ``s`` are the scores in falling order, ``w`` the targets, not increasing. Isotonic regression cuts
the places into blocks; ``last`` is the last place of the block of each place, and serves as the name of the block.
Given the blocks everything is a smooth formula, so autograd differentiates it to any order.
All is computed in float64: scores over a small strength leave no digits in float32.
"""

import torch
from torch import Tensor

__all__ = [
    "ENTROPY",
    "POWER",
    "SQUARES",
    "block_sum",
    "project",
    "project_gradient",
    "soft_values",
    "soft_values_gradient",
]

SQUARES, ENTROPY, POWER = 0, 1, 2  # as in native/isotonic.h
_LOG_ENTROPY = 3  # entropy, the targets given by their logarithms


def block_sum(value: Tensor, last: Tensor) -> Tensor:
    """Sum over the block of each place."""
    return torch.zeros_like(value).scatter_add(-1, last, value).gather(-1, last)


def _size(last: Tensor, like: Tensor) -> Tensor:
    return block_sum(torch.ones_like(like), last)


def _at_first(value: Tensor, last: Tensor) -> Tensor:
    """The value at the first place of the block."""
    return value.gather(-1, last - _size(last, value).to(torch.int64) + 1)


# ---- where the blocks are


@torch.library.custom_op("algonets::isotonic_blocks", mutates_args=())
def _blocks(s: Tensor, w: Tensor, kind: int, power: float) -> tuple[Tensor, Tensor]:
    """Pool adjacent violators, all at once in rounds; a custom operator because the rounds depend on the values.

    Returns ``last`` and the value of the regression.
    """
    n = s.shape[1]
    places = torch.arange(n, device=s.device)
    is_last = torch.ones(s.shape, dtype=torch.bool, device=s.device)
    while True:
        last = torch.where(is_last, places, n).flip(-1).cummin(-1).values.flip(-1)
        value = _block_value(s, w, last, kind, power)
        joins = value[:, :-1] < value[:, 1:]
        if not bool(joins.any()):
            return last, value
        is_last[:, :-1] &= ~joins


@_blocks.register_fake
def _(s, w, kind, power):
    return torch.empty_like(s, dtype=torch.int64), torch.empty_like(s)


@_blocks.register_vmap
def _(info, dims, s, w, kind, power):
    size = info.batch_size
    whole = [t.expand(size, *t.shape) if d is None else t.movedim(d, 0) for t, d in zip((s, w), dims[:2], strict=True)]
    results = _blocks(*(t.reshape(-1, t.shape[-1]) for t in whole), kind, power)
    return tuple(r.reshape(whole[0].shape) for r in results), (0, 0)


def _block_value(s: Tensor, w: Tensor, last: Tensor, kind: int, power: float) -> Tensor:
    """The value of the regression on each block if it were alone."""
    if kind == SQUARES:
        return block_sum(s - w, last) / _size(last, s)
    if kind == POWER:
        return _solve_power(s, w, last, power)
    log_w = w if kind == _LOG_ENTROPY else w.log()
    dead = block_sum((log_w > -torch.inf).to(s.dtype), last) == 0
    return torch.where(dead, torch.inf, _log_sum(s, last) - _log_sum(log_w, last))


def _log_sum(value: Tensor, last: Tensor) -> Tensor:
    """log(sum(exp)) over blocks of values that fall."""
    top = _at_first(value, last).detach()
    top = torch.where(top == -torch.inf, 0.0, top)
    return top + block_sum((value - top).exp(), last).log()


def _solve_power(s: Tensor, w: Tensor, last: Tensor, power: float) -> Tensor:
    """v of each block with sum(sign(s - v) |s - v|^power) = sum(w), by Newton's method inside a bracket."""
    target, size = block_sum(w, last), _size(last, s)
    even = (target / size).pow(1 / power)
    low, high = s.gather(-1, last) - even, _at_first(s, last) - even
    v = torch.minimum(high, torch.maximum(low, _at_first(s, last) - target.pow(1 / power)))
    small = 4e-16 * (low.abs() + high.abs() + even)
    for _ in range(200):
        excess = block_sum(_signed_power(s - v, power), last) - target
        slope = block_sum(power * (s - v).abs().pow(power - 1), last)
        low, high = torch.where(excess > 0, v, low), torch.where(excess > 0, high, v)
        newton = v + excess / slope
        done = ((newton - v).abs() <= small) | (excess == 0) | (low >= high)
        v = torch.where(done, v, torch.where((newton > low) & (newton < high), newton, (low + high) / 2))
        if bool(done.all()):
            break
    return v


def _signed_power(value: Tensor, power: float) -> Tensor:
    return value.sign() * value.abs().pow(power)


# ---- ranks and masks


def project(x: Tensor, w: Tensor, strength: float | Tensor, kind: int, power: float) -> Tensor:
    """``argmax <y, x / strength> - R(y)`` over the permutahedron of ``w``, in the order of the items."""
    z = x.double() / (strength.double() if isinstance(strength, Tensor) else strength)
    w = w.double()
    s, order = torch.sort(z, dim=-1, descending=True, stable=True)
    last, value = _blocks(s.detach(), w.detach().expand_as(s), kind, power)
    size, target = _size(last, s), block_sum(w.expand_as(s), last)
    if kind == SQUARES:
        y = target / size + s - block_sum(s, last) / size
    elif kind == ENTROPY:
        share = (s - _at_first(s, last).detach()).exp()
        y = target * share / block_sum(share, last)
    else:
        y = _power_values(s, target, last, value, power)
    y = torch.where(size == 1, w, y)
    return torch.zeros_like(y).scatter(-1, order, y).to(x.dtype)


def _power_values(s: Tensor, target: Tensor, last: Tensor, v: Tensor, power: float) -> Tensor:
    """Two steps of Newton's method from the solution ``v``: they change nothing but carry three derivatives."""
    alone = _size(last, s) == 1
    for _ in range(2):
        d = torch.where(alone, 1.0, s - v)  # alone, d may be 0, where powers have no derivative
        excess = block_sum(_signed_power(d, power), last) - target
        v = v + torch.where(alone, 0.0, excess / block_sum(power * d.abs().pow(power - 1), last))
    return _signed_power(torch.where(alone, 1.0, s - v), power)


def project_gradient(
    g: Tensor, y: Tensor, plan: Tensor, strength: float, kind: int, power: float
) -> tuple[Tensor, Tensor]:
    """Gradient of ``<g, y>`` to ``x`` and to ``w``, as a formula of ``g`` and ``y``; for second derivatives."""
    order, last = plan.to(torch.int64).unbind(1)
    sorted_g, values = g.double().gather(-1, order), y.double().gather(-1, order)
    alone = _size(last, values) == 1
    if kind == SQUARES:
        curvature = torch.ones_like(values)
    elif kind == ENTROPY:
        curvature = torch.where(alone, 1.0, values)
    else:
        inner = torch.where(alone | (values == 0), 1.0, values)
        curvature = torch.where(values == 0, 0.0, power * inner.abs().pow(1 - 1 / power))
        curvature = torch.where(alone, 1.0, curvature)
    mean = block_sum(curvature * sorted_g, last) / block_sum(curvature, last)
    by_score = curvature * (sorted_g - mean) / strength
    return torch.zeros_like(by_score).scatter(-1, order, by_score).to(g.dtype), mean.to(g.dtype)


# ---- values


def soft_values(x: Tensor, strength: float | Tensor, entropy: bool, descending: bool) -> Tensor:
    """The projection of ``(n, ..., 1) / strength`` onto the permutahedron of the items; ascending by symmetry."""
    wide = x.double() if descending else -x.double()
    s = torch.sort(wide, dim=-1, descending=True, stable=True).values
    steps = torch.arange(x.shape[-1], dtype=s.dtype, device=s.device).expand_as(s)
    step = 1 / strength.double() if isinstance(strength, Tensor) else 1 / strength
    rho = -steps * step
    if entropy:
        last, _ = _blocks(rho.detach(), s.detach(), _LOG_ENTROPY, 1.0)
        within = rho - _at_first(rho, last)
        y = _log_sum(s, last) + within - block_sum(within.exp(), last).log()
    else:
        last, _ = _blocks(rho.detach(), s.detach(), SQUARES, 1.0)
        size = _size(last, s)
        y = block_sum(s, last) / size + (block_sum(steps, last) / size - steps) * step
    y = torch.where(_size(last, s) == 1, s, y)
    return (y if descending else -y).to(x.dtype)


def soft_values_gradient(g: Tensor, x: Tensor, plan: Tensor, entropy: bool, descending: bool) -> Tensor:
    """Gradient of ``<g, y>`` to ``x`` as a formula of ``g`` and ``x``; for second derivatives."""
    order, last = plan.to(torch.int64).unbind(1)
    total = block_sum(g.double(), last)
    if entropy:
        s = (x if descending else -x).double().gather(-1, order)
        share = (s - _at_first(s, last).detach()).exp()
        by_place = total * share / block_sum(share, last)
    else:
        by_place = total / _size(last, total)
    return torch.zeros_like(by_place).scatter(-1, order, by_place).to(g.dtype)
