"""Roots of systems of equations."""

from collections.abc import Callable
from typing import Any

from algonets._core.errors import reject_type
from algonets.implicit.backward import AbstractBackward, Implicit
from algonets.implicit.broyden import Broyden
from algonets.implicit.fixed_point import SOLVERS
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.layer import Settings, run
from algonets.implicit.linearise import Problem
from algonets.implicit.names import chosen
from algonets.implicit.newton import Newton
from algonets.implicit.packing import Packing
from algonets.implicit.solution import OnFailure, Solution

__all__ = ["root"]

_NEWTON = Newton()
_IMPLICIT = Implicit()


def root(
    residual: Callable[..., Any],
    z0: Any,
    *args: Any,
    solver: AbstractSolver | str = _NEWTON,
    backward: AbstractBackward = _IMPLICIT,
    tolerance: float | None = None,
    max_iterations: int = 100,
    on_failure: OnFailure = "raise",
    event_dims: Any = 1,
) -> Solution:
    r"""Find a root of a system of equations, differentiably.

    .. math:: F(z, \theta) = 0

    As :func:`fixed_point` with ``F`` for ``f(z) - z``; examples, pytrees and gradients as there.

    Args:
        residual: ``residual(z, *args)``, a pytree like ``z0``: as many equations as unknowns.
        z0: Start, a pytree of floating tensors ``(*batch, *event)``.
        args: Passed on to the residual.
        solver: :class:`Newton`, ``Broyden(exact_start=True)``, or one for fixed points if ``z + F(z)`` contracts; or
            by name, as of :func:`fixed_point`, where ``"broyden"`` has the exact start.
        backward: :class:`Implicit`, :class:`Unroll` or :class:`Checkpoint`.
        tolerance: Largest ``rms(F)`` of an example, in the unit of F; ``None`` as for :func:`fixed_point`.
        max_iterations: Most updates, ``>= 0``.
        on_failure: As of :func:`fixed_point`.
        event_dims: As of :func:`fixed_point`.

    Returns:
        :class:`Solution`, ``value`` like ``z0``.

    Raises:
        TypeError, ValueError, ConvergenceError: as :func:`fixed_point`.

    Differentiability: by :class:`Implicit` up to its ``order``, where the Jacobian at the root is regular;
        ``vmap`` and the other transforms of ``torch.func`` work.

    Cost: with :class:`Newton`, D backward passes and ``O(batch D^3)`` an iteration.

    References:
        J. Nocedal, S. Wright, *Numerical Optimization*, 2006, chapter 11.

    Example:
        >>> import torch
        >>> a = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
        >>> z = root(lambda z: z**3 + z - a, torch.zeros_like(a)).value
        >>> z.backward()
        >>> z.detach(), a.grad  # 1 / (3 z^2 + 1)
        (tensor([1.], dtype=torch.float64), tensor([0.2500], dtype=torch.float64))
    """
    solver = chosen("root(solver)", solver, {**SOLVERS, "broyden": lambda: Broyden(exact_start=True)})
    if not isinstance(solver, AbstractSolver):
        reject_type("root(solver)", "must be Newton(), Broyden(), Anderson() or Picard()", solver)
    packing = Packing("root(z0)", z0, event_dims)
    settings = Settings(backward, tolerance, max_iterations, on_failure).checked("root", packing)
    problem = Problem(packing.function("root(residual)", residual, args))
    return run("root", packing, packing.pack(z0), problem, solver, settings)
