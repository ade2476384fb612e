"""The kernel of dynamic time warping as a torch operator; second derivatives differentiate the recursion."""

from typing import Any

import torch

from algonets._core.backend import get_num_threads, native
from algonets._core.operator import Operator
from algonets.dp import _soft_dtw_reference as reference

__all__ = ["solve", "value"]


def _run(
    distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float, alignment: Any
) -> torch.Tensor:
    distances = distances.detach().contiguous()
    found = distances.new_empty(len(distances))
    native().soft_dtw(
        distances, rows.contiguous(), columns.contiguous(), temperature, found, alignment, get_num_threads()
    )
    return found


def _value(distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float) -> torch.Tensor:
    return _run(distances, rows, columns, temperature, None)


def _value_shape(
    distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float
) -> torch.Tensor:
    return distances.new_empty(distances.shape[0])


def _save_value(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.temperature = inputs[3]


def _value_backward(ctx: Any, grad: torch.Tensor) -> tuple:
    path = solve(*ctx.saved_tensors, ctx.temperature)[1]
    return grad[:, None, None] * path, None, None, None


value = Operator("soft_dtw_value", _value, _value_shape, _save_value, _value_backward)
"""(B,) soft minima, in memory linear in the longer side."""


def _solve(
    distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    alignment = torch.zeros(distances.shape, dtype=distances.dtype)
    return _run(distances, rows, columns, temperature, alignment), alignment


def _solve_shape(
    distances: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    empty = torch.empty_like(distances, memory_format=torch.contiguous_format)
    return distances.new_empty(distances.shape[0]), empty


def _save_solve(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.temperature = inputs
    ctx.save_for_backward(*tensors, output[1])
    ctx.set_materialize_grads(False)


def _solve_backward(ctx: Any, by_value: torch.Tensor | None, by_path: torch.Tensor | None) -> tuple:
    distances, rows, columns, path = ctx.saved_tensors
    total = None if by_value is None else by_value[:, None, None] * path
    if by_path is not None and ctx.temperature > 0:
        curved = reference.curvature(distances, rows, columns, ctx.temperature, by_path)
        total = curved if total is None else total + curved
    return total, None, None, None


solve = Operator("soft_dtw_solve", _solve, _solve_shape, _save_solve, _solve_backward)
"""(B,) soft minima and (B, n, m) expected paths; hard ones at temperature 0."""
