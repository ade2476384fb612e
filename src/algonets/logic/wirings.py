"""Which signals enter which gate."""

from typing import Literal

import torch
from torch import Tensor

from algonets._core.errors import reject, reject_type, require

__all__ = ["Wiring", "check_wiring", "draw_wiring"]

Wiring = Literal["balanced", "unique", "random", "learnable"]


def draw_wiring(
    in_features: int,
    out_features: int,
    kind: str = "balanced",
    inputs: int = 2,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the inputs of a layer of gates.

    Args:
        in_features: Number of signals.
        out_features: Number of gates.
        kind: ``balanced``: every signal is used equally often, up to one. ``unique``: no two gates have the same
            inputs. ``random``: independent draws. The inputs of a gate differ where there are enough signals.
        inputs: Of a gate.
        generator: Of the draws.

    Returns:
        int32 ``(inputs, out_features)``: entries from 0 to ``in_features - 1``.

    Raises:
        ValueError: for another kind, or if there are fewer pairs than gates for ``unique``.

    Cost:
        O(out), ``unique`` O(in^2 + out) at most.

    Example:
        >>> draw_wiring(4, 2, generator=torch.Generator().manual_seed(0)).sort(0).values.flatten().sort().values
        tensor([0, 1, 2, 3], dtype=torch.int32)
    """
    if kind == "balanced":
        drawn = _balanced(in_features, out_features, inputs, generator)
    elif kind == "random":
        drawn = torch.randint(in_features, (inputs, out_features), generator=generator)
    elif kind == "unique":
        require(inputs == 2, "draw_wiring(kind='unique')", "must be used with 2 inputs", inputs)
        return _unique(in_features, out_features, generator)
    else:
        reject("draw_wiring(kind)", "must be 'balanced', 'unique' or 'random'", kind)
    return _untwin(drawn, in_features, generator).to(torch.int32)


def _balanced(n: int, out: int, inputs: int, generator: torch.Generator | None) -> Tensor:
    """Permutations of all signals one after the other, cut into gates; each side of a gate comes from another part."""
    total = inputs * out
    rounds = [torch.randperm(n, generator=generator) for _ in range(-(-total // n))]
    return torch.cat(rounds)[:total].reshape(inputs, out)


def _untwin(drawn: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
    """Let no gate have the same signal twice, if there are enough, and keep how often each is used if one can."""
    if n < len(drawn):
        return drawn
    for _ in range(20):
        twins = _twins(drawn).nonzero().flatten()
        if not len(twins):
            return drawn
        for gate in twins.tolist():  # swap the last input with that of another gate
            other = int(torch.randint(drawn.shape[1], (), generator=generator))
            drawn[-1, gate], drawn[-1, other] = drawn[-1, other].clone(), drawn[-1, gate].clone()
    for gate in _twins(drawn).nonzero().flatten().tolist():
        drawn[:, gate] = torch.randperm(n, generator=generator)[: len(drawn)]
    return drawn


def _twins(drawn: Tensor) -> Tensor:
    ordered = drawn.sort(0).values
    return (ordered[1:] == ordered[:-1]).any(0)


def _unique(n: int, out: int, generator: torch.Generator | None) -> Tensor:
    pairs = n * (n - 1) // 2
    if out > pairs:
        reject(
            "draw_wiring(kind='unique')",
            f"must have at most {pairs} gates for {n} signals",
            out,
            "Use kind='balanced'.",
        )
    if pairs <= 4 * out:
        chosen = torch.randperm(pairs, generator=generator)[:out]
    else:  # draw some more, keep the first of equal ones
        chosen = torch.empty(0, dtype=torch.int64)
        while len(chosen) < out:
            more = torch.randint(pairs, (out + out // 4 + 8,), generator=generator)
            chosen = torch.cat((chosen, more)).unique()
            chosen = chosen[torch.randperm(len(chosen), generator=generator)]
        chosen = chosen[:out]
    # Pair number p = high (high - 1) / 2 + low, low < high.
    high = ((1 + (1 + 8 * chosen.double()).sqrt()) / 2).floor().long()
    high = torch.where(high * (high - 1) // 2 > chosen, high - 1, high)
    high = torch.where(high * (high + 1) // 2 <= chosen, high + 1, high)
    low = chosen - high * (high - 1) // 2
    swap = torch.rand(out, generator=generator) < 0.5
    return torch.stack((torch.where(swap, low, high), torch.where(swap, high, low))).to(torch.int32)


def check_wiring(call: str, wiring: Tensor, in_features: int, shape: tuple[int, ...]) -> Tensor:
    """Return a given wiring as int32 if its shape and entries are right."""
    if wiring.dtype.is_floating_point or wiring.dtype == torch.bool:
        reject_type(call, "must be a string or a tensor of integers", wiring)
    require(tuple(wiring.shape) == shape, call, f"must have shape {shape}", wiring)
    good = not wiring.numel() or bool(((wiring >= 0) & (wiring < in_features)).all())
    require(good, call, f"must hold signals from 0 to {in_features - 1}", int(wiring.max()) if wiring.numel() else 0)
    return wiring.to(torch.int32).clone()
