"""Solvers from elsewhere as layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type
from algonets.implicit.backward import Implicit
from algonets.implicit.iterate import Outcome
from algonets.implicit.layer import Settings, relative_measure, run
from algonets.implicit.linearise import Problem
from algonets.implicit.packing import Packing
from algonets.implicit.solution import OnFailure, Solution
from algonets.implicit.tracing import untracked

__all__ = ["implicit"]

_IMPLICIT = Implicit()


@dataclass(frozen=True)
class _External:
    solver: Callable[..., Any]
    optimality: Callable[..., Any]
    settings: Settings
    event_dims: Any

    def __call__(self, *args: Any) -> Solution:
        detached = pytree.tree_map(lambda x: x.detach() if isinstance(x, Tensor) else x, args)
        with untracked():
            found = pytree.tree_map(_as_tensor_like(detached), self.solver(*detached))
        packing = Packing("implicit(solver)", found, self.event_dims)
        settings = self.settings.checked("implicit", packing)
        problem = Problem(packing.function("implicit(optimality)", self.optimality, args))

        def solve(z: Tensor, tolerance: float, max_iterations: int) -> Outcome:
            size = relative_measure(problem.residual(z), z)
            return Outcome(z, size <= tolerance, torch.zeros_like(size, dtype=torch.int64), size)

        remedy = "Let the solver be more accurate, loosen the tolerance, or check that both state the same problem."
        return run("implicit", packing, packing.pack(found), problem, solve, settings, remedy=remedy)


def _as_tensor_like(args: Any) -> Callable[[Any], Any]:
    floating = [x for x in pytree.tree_leaves(args) if isinstance(x, Tensor) and x.dtype.is_floating_point]

    def convert(leaf: Any) -> Any:
        if isinstance(leaf, Tensor) or not floating:
            return leaf if isinstance(leaf, Tensor) else torch.as_tensor(leaf)
        return torch.as_tensor(leaf).to(floating[0])

    return convert


def implicit(
    solver: Callable[..., Any],
    optimality: Callable[..., Any],
    *,
    backward: Implicit = _IMPLICIT,
    tolerance: float | None = None,
    on_failure: OnFailure = "raise",
    event_dims: Any = 1,
) -> Callable[..., Solution]:
    r"""Make a layer of any solver, from the equations that its solutions satisfy.

    .. math:: z = \mathrm{solver}(\theta), \quad F(z, \theta) = 0

    The solver is a black box: SciPy, a library for quadratic programmes, a simulator. It sees detached tensors and is
    never differentiated; F is, and only at the solution. So a solution is checked, too: where F is not small, the
    gradient would be wrong.

    Args:
        solver: ``solver(*args)``, the solution: a pytree of tensors, NumPy arrays or numbers ``(*batch, *event)``.
        optimality: ``optimality(z, *args)`` in torch, a pytree like z: as many equations as unknowns.
        backward: An :class:`Implicit`.
        tolerance: Largest ``rms(F) / (1 + rms(z))`` of an example; ``None`` as for :func:`fixed_point`.
        on_failure: As of :func:`fixed_point`.
        event_dims: As of :func:`fixed_point`.

    Returns:
        A callable ``(*args)`` that returns a :class:`Solution`; ``iterations`` is 0.

    Raises:
        TypeError: what cannot be called; a backward of another kind.
        ValueError: shapes of solution and conditions that differ.
        ConvergenceError: F is not small at the solution, as ``on_failure`` says.

    Differentiability: as of :class:`Implicit`. Transforms of ``torch.func`` that map the solver (``vmap``) need one in
        torch; ``grad`` does not.

    Cost: the solver's, and ``order`` evaluations of F.

    References:
        M. Blondel et al., *Efficient and Modular Implicit Differentiation*, NeurIPS 2022, figure 1.

    Example:
        >>> import numpy
        >>> layer = implicit(lambda a: numpy.cbrt(a.numpy()), lambda z, a: z**3 - a)
        >>> a = torch.tensor([8.0], dtype=torch.float64, requires_grad=True)
        >>> layer(a).value.backward()
        >>> a.grad  # 1 / (3 z^2)
        tensor([0.0833], dtype=torch.float64)
    """
    for name, function in (("solver", solver), ("optimality", optimality)):
        if not callable(function):
            reject_type(f"implicit({name})", "must be callable", function)
    if not isinstance(backward, Implicit):
        reject_type("implicit(backward)", "must be Implicit(...)", backward)
    if tolerance is not None:
        check_positive("implicit(tolerance)", tolerance)
    return _External(solver, optimality, Settings(backward, tolerance, 0, on_failure), event_dims)
