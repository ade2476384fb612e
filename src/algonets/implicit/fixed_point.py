"""Fixed points: iterate a step until it settles."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from algonets._core.errors import reject_type
from algonets.implicit.anderson import Anderson
from algonets.implicit.backward import AbstractBackward, Implicit
from algonets.implicit.broyden import Broyden
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.layer import Settings, relative_measure, run
from algonets.implicit.linearise import Problem
from algonets.implicit.names import chosen
from algonets.implicit.newton import Newton
from algonets.implicit.packing import Packing
from algonets.implicit.picard import Picard
from algonets.implicit.solution import OnFailure, Solution

__all__ = ["SOLVERS", "fixed_point"]

SOLVERS: dict[str, type[AbstractSolver]] = {
    "anderson": Anderson,
    "broyden": Broyden,
    "picard": Picard,
    "newton": Newton,
}
"""Solvers of fixed points by name."""

# Immutable, so one of each serves as the default of every call.
_ANDERSON = Anderson()
_IMPLICIT = Implicit()


def fixed_point(
    step: Callable[..., Any],
    z0: Any,
    *args: Any,
    solver: AbstractSolver | str = _ANDERSON,
    backward: AbstractBackward = _IMPLICIT,
    tolerance: float | None = None,
    max_iterations: int = 200,
    on_failure: OnFailure = "raise",
    event_dims: Any = 1,
) -> Solution:
    r"""Find the fixed point of a step, differentiably.

    .. math:: z = f(z, \theta)

    What is solved, by which solver, and how it is differentiated are independent choices. Parameters may reach the
    step through ``args``, closures or modules: all get their gradients. Each example stops by itself and stays as it
    is, so no result depends on the rest of its batch (as far as the step itself keeps examples apart).

    Args:
        step: ``step(z, *args)``, a pytree like ``z0``; deterministic, each example by itself.
        z0: Start: a tensor or a pytree of floating tensors ``(*batch, *event)``. Half types are iterated in float32.
        args: Passed on to the step.
        solver: :class:`Anderson`, :class:`Broyden`, :class:`Picard` or :class:`Newton`; or by name, ``"anderson"``.
        backward: :class:`Implicit`, :class:`Unroll`, :class:`OneStep`, :class:`Truncated` or :class:`Checkpoint`.
        tolerance: Largest ``rms(f(z) - z) / (1 + rms(z))`` of an example; ``None`` is 1e-10 for float64, 1e-5 for
            float32, 2e-3 for float16 and 2e-2 for bfloat16.
        max_iterations: Most updates, ``>= 0``.
        on_failure: Where an example does not converge: ``"raise"`` a :class:`ConvergenceError`, ``"warn"``, or
            ``"mask"``: return its best iterate with ``converged`` false and a zero gradient.
        event_dims: How many trailing dimensions make one example: an integer, or one for each leaf.

    Returns:
        :class:`Solution`: ``value`` like ``z0``, and
        ``converged``, ``iterations``, ``residual`` of shape ``(*batch,)``.

    Raises:
        TypeError: ``z0`` holds what is no floating tensor; a solver or backward of the wrong kind.
        ValueError: the step changes structure or shapes; leading dimensions differ; a setting outside its range.
        ConvergenceError: as ``on_failure`` says.

    Differentiability: as the backward says; :class:`Implicit` up to its ``order``, 2 by default. ``vmap``
        and the other transforms of ``torch.func`` work; ``torch.compile`` breaks the graph here.

    Cost: one step an iteration and what the solver adds, ``O(batch D)`` for Anderson; with :class:`Implicit` the
        memory is that of ``order`` steps.

    References:
        S. Bai, J. Z. Kolter, V. Koltun, *Deep Equilibrium Models*, NeurIPS 2019.
        M. Blondel et al., *Efficient and Modular Implicit Differentiation*, NeurIPS 2022, table 1.

    Example:
        >>> import torch
        >>> a = torch.tensor([4.0, 9.0], dtype=torch.float64, requires_grad=True)
        >>> solution = fixed_point(lambda z: 0.5 * (z + a / z), torch.ones_like(a), event_dims=0)
        >>> solution.value.detach().round(decimals=6), solution.converged
        (tensor([2., 3.], dtype=torch.float64), tensor([True, True]))
        >>> solution.value.sum().backward()
        >>> a.grad  # 1 / (2 sqrt(a))
        tensor([0.2500, 0.1667], dtype=torch.float64)
    """
    solver = chosen("fixed_point(solver)", solver, SOLVERS)
    if not isinstance(solver, AbstractSolver):
        reject_type("fixed_point(solver)", "must be Anderson(), Broyden(), Picard() or Newton()", solver)
    packing = Packing("fixed_point(z0)", z0, event_dims)
    settings = Settings(backward, tolerance, max_iterations, on_failure).checked("fixed_point", packing)
    stepped = packing.function("fixed_point(step)", step, args)

    def residual(z: Tensor) -> Tensor:
        return stepped(z) - z

    start = packing.pack(z0)
    return run("fixed_point", packing, start, Problem(residual), solver, settings, stepped, relative_measure)
