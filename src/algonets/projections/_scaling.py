"""Matrix scaling (Sinkhorn): the matrix with given marginals next to ``exp(logits)``, with implicit gradients."""

import warnings
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import values_visible

__all__ = ["scale_matrix"]

_GUARD = 1e-13  # keeps the Newton system solvable where the matrix splits into blocks; float64


def scale_matrix(call: str, logits: Tensor, columns: float, iterations: int, tolerance: float) -> Tensor:
    """Scale ``P = diag(u) exp(logits) diag(v)`` to row sums 1 and column sums ``columns``.

    Args:
        call: for the warning.
        logits: ``(B, n, m)`` in float64; -inf where nothing may go.
        columns: ``n / m``.
        iterations: at most so many rounds, each one Newton step on the dual or, where that does not help, one
            normalisation of columns and rows.
        tolerance: largest error of a column sum to stop at.

    Returns:
        ``(B, n, m)``. Any order: gradients solve the linear system of the scaled matrix, whatever the rounds were.
    """
    scaled, error = _Scale.apply(logits, columns, iterations, tolerance)  # pyright: ignore[reportGeneralTypeIssues]
    if values_visible(error) and error.numel() and not bool((error <= tolerance).all()):
        worst, count = float(error.max()), int((~(error <= tolerance)).sum())
        warnings.warn(
            f"{call} stopped after iterations={iterations} with column sums off by up to {worst:.2g} in {count} of "
            f"{error.numel()} matrices (tolerance={tolerance:g}). Raise the temperature, iterations or tolerance.",
            RuntimeWarning,
            stacklevel=3,
        )
    return scaled


class _Scale(torch.autograd.Function):
    generate_vmap_rule = False

    @staticmethod
    def forward(logits: Tensor, columns: float, iterations: int, tolerance: float) -> tuple[Tensor, Tensor]:
        solve = _traced_solve if torch.compiler.is_compiling() else _solve
        return solve(logits, columns, iterations, tolerance)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.columns = inputs[1]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (scaled,) = ctx.saved_tensors
        # dP = P * (dlogits - da - db) with marginals that stay: the adjoint removes da and db from the gradient.
        weighted = gradient * scaled
        by_row, by_column = weighted.sum(-1, keepdim=True), weighted.sum(-2).unsqueeze(-1)
        total = torch.full_like(scaled[..., 0, :], ctx.columns)
        b = torch.linalg.solve_ex(_reduced(scaled, total), by_column - scaled.mT @ by_row).result
        a = by_row - scaled @ b
        return scaled * (gradient - a - b.mT), None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, logits: Tensor, columns: float, iterations: int, tolerance: float) -> Any:
        logits = logits.movedim(in_dims[0], 0)
        flat = logits.reshape(-1, *logits.shape[-2:])
        scaled, error = _Scale.apply(flat, columns, iterations, tolerance)  # pyright: ignore[reportGeneralTypeIssues]
        return (scaled.reshape(logits.shape), error.reshape(logits.shape[:-2])), (0, 0)


def _reduced(scaled: Tensor, total: Tensor) -> Tensor:
    """``diag(total) - P^T P``, the system of the column potentials, made regular along the constant."""
    m = scaled.shape[-1]
    return torch.diag_embed(total + _GUARD) - scaled.mT @ scaled + scaled.shape[-2] / m**2


def _solve(logits: Tensor, columns: float, iterations: int, tolerance: float) -> tuple[Tensor, Tensor]:
    """Newton on the semi-dual in the column potentials; rows are normalised exactly at every step."""
    potential = torch.zeros_like(logits[:, :1])
    scaled = torch.softmax(logits, -1)
    error = _error(scaled, columns)
    for _ in range(iterations):
        if bool((error <= tolerance).all()):
            break
        total = scaled.sum(-2, keepdim=True)
        step = torch.linalg.solve_ex(_reduced(scaled, total.squeeze(-2)), (columns - total).mT).result.mT
        newton = torch.softmax(logits + potential + step, -1)
        newton_error = _error(newton, columns)
        balanced = (columns / total.clamp_min(1e-300)).log()
        sinkhorn = torch.softmax(logits + potential + balanced, -1)
        sinkhorn_error = _error(sinkhorn, columns)
        better = (newton_error < sinkhorn_error)[:, None, None]  # False for NaN
        done = (error <= tolerance)[:, None, None]  # an example that is done does not change with its batch
        potential = torch.where(done, potential, potential + torch.where(better, step, balanced))
        scaled = torch.where(done, scaled, torch.where(better, newton, sinkhorn))
        error = torch.where(done[:, 0, 0], error, torch.where(better[:, 0, 0], newton_error, sinkhorn_error))
    return scaled, error


def _error(scaled: Tensor, columns: float) -> Tensor:
    return (scaled.sum(-2) - columns).abs().amax(-1)


# A tracer cannot see how many rounds it takes: for it, they are one operator. Elsewhere the call would cost more.
_traced_solve: Any = torch.library.custom_op("algonets::scale_matrix", _solve, mutates_args=())
_traced_solve.register_fake(lambda logits, *_: (torch.empty_like(logits), logits.new_empty(logits.shape[0])))
