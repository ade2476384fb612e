"""What a training step costs: bytes that are kept for the backward pass, and seconds."""

import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from algonets.implicit import DEQ, ConvergenceWarning, Implicit, Picard, unroll

__all__ = ["over_iterations", "saved_bytes", "step_seconds"]


def saved_bytes(function: Callable[[], Tensor]) -> int:
    """Return the bytes of all different tensors that a forward pass keeps for the backward pass."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = tensor  # holding it keeps its address from being given to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def step_seconds(function: Callable[[], Tensor], repeats: int = 5) -> float:
    """Return the median processor seconds of a forward and backward pass, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        function().backward()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def over_iterations(
    step: nn.Module, inputs: tuple[Tensor, ...], depths: list[int], repeats: int = 5
) -> list[dict[str, float]]:
    """Compare unrolling with the implicit gradient where both take the same number of plain iterations.

    Args:
        step: ``step(z, *inputs)``.
        inputs: The first has the shape of z, ``(B, channels, H, W)``.
        depths: Numbers of iterations.
        repeats: Of each time.

    Returns:
        For each depth: megabytes and processor seconds a forward and backward pass of both.
    """
    rows = []
    for depth in depths:
        # No tolerance is ever met, so that the solver takes all its iterations; it warns of that.
        layer = DEQ(
            step,
            solver=Picard(),
            backward=Implicit(tolerance=1e-3, max_iterations=30),
            tolerance=1e-30,
            max_iterations=depth,
            on_failure="warn",
            event_dims=3,
        )
        ways = {
            "unrolled": lambda depth=depth: unroll(step, depth)(torch.zeros_like(inputs[0]), *inputs).square().mean(),
            "implicit": lambda layer=layer: layer(*inputs).square().mean(),
        }
        row: dict[str, float] = {"iterations": depth}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for name, way in ways.items():
                row[f"{name}_megabytes"] = round(saved_bytes(way) / 1e6, 3)
                row[f"{name}_seconds"] = round(step_seconds(way, repeats), 5)
        rows.append(row)
    return rows
