"""What a solver returns, and what happens where it did not converge."""

import warnings
from typing import Any, Literal, NamedTuple, NoReturn

import torch
from torch import Tensor

from algonets._core.errors import require
from algonets.implicit.tracing import holds_anywhere, visible_items

__all__ = [
    "BiasWarning",
    "ConvergenceError",
    "ConvergenceWarning",
    "OnFailure",
    "Solution",
    "check_on_failure",
    "settle",
]

OnFailure = Literal["raise", "warn", "mask"]


class ConvergenceError(RuntimeError):
    """A solver stopped before its tolerance was met, and ``on_failure="raise"`` was asked for."""


class ConvergenceWarning(UserWarning):
    """A solver, or the linear solver of a backward pass, stopped before its tolerance was met."""


class BiasWarning(UserWarning):
    """A shortened backward (``OneStep``, ``Truncated``) leaves out a part of the gradient that matters."""


class Solution(NamedTuple):
    """A solution and how it was found; a pytree, so that ``vmap`` can return it.

    Attributes:
        value: The solution, a pytree like the start; it carries the gradients.
        converged: ``(*batch,)`` booleans, whether the residual is within the tolerance.
        iterations: ``(*batch,)`` integers, how many updates each example took.
        residual: ``(*batch,)``, the measure that was compared with the tolerance; it carries no gradient.
    """

    value: Any
    converged: Tensor
    iterations: Tensor
    residual: Tensor


def check_on_failure(call: str, on_failure: str) -> None:
    """Require one of the three choices."""
    known = ("raise", "warn", "mask")
    require(on_failure in known, f"{call}(on_failure)", f"must be one of {', '.join(known)}", on_failure)


def settle(call: str, solution: Solution, on_failure: str, tolerance: float, remedy: str) -> None:
    """Raise or warn where an example did not converge; ``mask`` leaves that to ``Solution.converged``."""
    failed = ~solution.converged
    if on_failure == "mask" or not holds_anywhere(failed):
        return
    message = _message(call, solution, tolerance, remedy)
    if on_failure == "raise":
        _fail(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=4)


def _fail(message: str) -> NoReturn:
    raise ConvergenceError(message)


def _message(call: str, solution: Solution, tolerance: float, remedy: str) -> str:
    items = visible_items(solution.converged)
    worst = visible_items(solution.residual)[~items].max().item() if items.numel() else float("nan")
    broken = bool(visible_items(solution.residual).isnan().any())
    taken = int(visible_items(solution.iterations).max())
    found = "NaN or inf" if broken else f"a residual of {worst:.3g}"
    return (
        f"{call} must reach the tolerance {tolerance:.3g}, got {found} in {int((~items).sum())} of {items.numel()} "
        f"example(s) after {taken} iterations. {remedy} on_failure='mask' returns the others and flags these."
    )


def rms(x: Tensor) -> Tensor:
    """Root mean square of each example ``(B, D)``, so that a tolerance does not depend on D."""
    return torch.linalg.vector_norm(x, dim=1) / max(x.shape[1], 1) ** 0.5
