"""How a solution is differentiated: implicitly, through the iterations, or through a few of them."""

import abc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject_type, require
from algonets.implicit.anderson import Anderson
from algonets.implicit.broyden import Broyden
from algonets.implicit.contraction import rate_of
from algonets.implicit.correction import Adjoint, attach, newton_attach
from algonets.implicit.dense import Dense
from algonets.implicit.gmres import GMRES
from algonets.implicit.iterate import AbstractSolver, Outcome
from algonets.implicit.linear import AbstractLinearSolver
from algonets.implicit.linearise import Problem
from algonets.implicit.names import chosen
from algonets.implicit.normal_cg import NormalCG
from algonets.implicit.picard import Picard
from algonets.implicit.solution import BiasWarning
from algonets.implicit.tracing import transformed, untracked, visible_items

__all__ = ["AbstractBackward", "Checkpoint", "Implicit", "OneStep", "Task", "Truncated", "Unroll"]


_ADJOINTS = {
    "gmres": GMRES,
    "normal_cg": NormalCG,
    "dense": Dense,
    "anderson": Anderson,
    "broyden": Broyden,
    "picard": Picard,
}


@dataclass(frozen=True)
class Task:
    """What a backward is asked to differentiate: a problem on rows, how to solve it, and from where.

    Attributes:
        call: Name of the layer in messages.
        problem: Its root is the solution.
        solve: ``(start, checkpoint_every)`` to the outcome, differentiable if run with gradients on.
        start: Rows.
        step: The step of a fixed-point problem, whose last application is the value; ``None`` for a root.
        on_failure: As of the layer.
    """

    call: str
    problem: Problem
    solve: Callable[[Tensor, int | None], Outcome]
    start: Tensor
    step: Callable[[Tensor], Tensor] | None
    on_failure: str

    def solve_untracked(self) -> Outcome:
        """Solve without any differentiation."""
        with untracked():
            outcome = self.solve(self.start.detach(), None)
        return outcome._replace(z=outcome.z.detach(), residual=outcome.residual.detach())


class AbstractBackward(abc.ABC):
    """A way to differentiate a solution; give one as ``backward=``."""

    @abc.abstractmethod
    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        """Return the value on rows, with gradients, and the outcome of the solver."""


@final
@dataclass(frozen=True)
class Implicit(AbstractBackward):
    r"""Differentiate the equation that the solution satisfies, not the way to it.

    .. math:: F(z, \theta) = 0 \;\Rightarrow\; \frac{dz}{d\theta} = -A^{-1} \frac{\partial F}{\partial\theta},
        \quad A = \frac{\partial F}{\partial z}; \qquad
        \text{backward: } A^\top u = -g, \; \bar\theta = \Big(\frac{\partial F}{\partial\theta}\Big)^{\!\top} u

    The memory is that of ``order`` steps, whatever the number of iterations. The gradient is exact as far as the
    solution and the adjoint equation are solved.

    Args:
        adjoint: The solver of the adjoint equation: :class:`GMRES`, :class:`NormalCG`, :class:`Dense`, or for fixed
            points also :class:`Anderson`, :class:`Broyden` or :class:`Picard`; or by name, ``"normal_cg"``.
        tolerance: Of the adjoint, relative to the incoming gradient; ``None`` is 20 roundings of the dtype.
        max_iterations: Of ``Anderson``, ``Broyden`` and ``Picard``; the others have their own.
        order: How often the result can be differentiated, ``>= 1``. Each order evaluates the step once more and keeps
            its graph.
        warm_start: Begin each adjoint solve at the solution of the last one, if it has the same shape. It saves
            iterations where batches repeat, as in full-batch training; the object then remembers that tensor.

    Raises:
        TypeError: ``adjoint`` is no solver.
        ValueError: a setting outside its range.

    Differentiability: up to ``order``; one backward pass more raises. Second derivatives solve the adjoint of the
    adjoint. Under the transforms of ``torch.func``: up to the third order, and the adjoint is dense whatever is given.
    Cost: ``order`` steps more than solving; a backward pass takes one product with the transposed Jacobian an
    iteration of the adjoint.
    References: S. Bai, J. Z. Kolter, V. Koltun 2019, Deep Equilibrium Models, eq. 5; M. Blondel et al. 2022,
    Efficient and Modular Implicit Differentiation.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> a = torch.tensor([0.5], requires_grad=True)
        >>> fixed_point(lambda z: a * z + 1, torch.zeros(1), backward=Implicit(GMRES())).value.backward()
        >>> a.grad  # z = 1 / (1 - a)
        tensor([4.0000])
    """

    adjoint: AbstractLinearSolver | AbstractSolver | str = field(default_factory=GMRES)
    tolerance: float | None = None
    max_iterations: int = 200
    order: int = 2
    warm_start: bool = False
    _memory: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adjoint", chosen("Implicit(adjoint)", self.adjoint, _ADJOINTS))
        if not isinstance(self.adjoint, AbstractLinearSolver | Anderson | Broyden | Picard):
            rule = "must be GMRES(), NormalCG(), Dense(), Anderson(), Broyden() or Picard()"
            reject_type("Implicit(adjoint)", rule, self.adjoint)
        if self.tolerance is not None:
            check_positive("Implicit(tolerance)", self.tolerance)
        check_at_least("Implicit(max_iterations)", self.max_iterations, 1)
        check_at_least("Implicit(order)", self.order, 1)
        require(isinstance(self.warm_start, bool), "Implicit(warm_start)", "must be a boolean", self.warm_start)

    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        outcome = task.solve_untracked()
        z = outcome.z
        if transformed():
            # Far from a root a Newton update is no refinement: there the value stays as the solver left it.
            return torch.where(outcome.converged.unsqueeze(1), newton_attach(task.problem, z), z), outcome
        memory = self._memory if self.warm_start else None
        solver = cast(AbstractLinearSolver | AbstractSolver, self.adjoint)  # no longer a name
        adjoint = Adjoint(task.call, solver, self.tolerance, self.max_iterations, task.on_failure, memory)
        return attach(adjoint, task.problem, z, self.order), outcome


@final
@dataclass(frozen=True)
class Unroll(AbstractBackward):
    """Differentiate through every iteration of the solver.

    The gradient is that of the iterates, also to the start; it tends to that of the solution as they converge, and
    differs from it as they are stopped early. Each example goes through its own iterations only.

    Differentiability: as often as the step; solvers say what they hold constant. Works under ``torch.func``.
    Cost: memory and backward time grow with the iterations.
    References: A. Griewank, A. Walther, Evaluating Derivatives, 2008, chapter 15.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> a = torch.tensor([0.5], requires_grad=True)
        >>> solution = fixed_point(lambda z: a * z + 1, torch.zeros(1), solver=Picard(), backward=Unroll())
        >>> solution.value.backward()
        >>> a.grad
        tensor([3.9995])
    """

    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        return _through_the_solver(task, None)


@final
@dataclass(frozen=True)
class Checkpoint(AbstractBackward):
    """Differentiate through every iteration, but store only some and recompute the others in the backward pass.

    The same gradient as :class:`Unroll`.

    Args:
        every: Iterations between stored states, ``>= 1``; about the square root of their number stores least.

    Raises:
        ValueError, TypeError: ``every`` is below 1 or no integer.

    Differentiability: first and second order by ``torch.autograd``; not under ``torch.func``.
    Cost: one more forward pass; memory ``iterations / every + every`` steps, each with the solver's memory.
    References: A. Griewank, A. Walther 2000, Algorithm 799: Revolve.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> a = torch.tensor([0.5], requires_grad=True)
        >>> solution = fixed_point(lambda z: a * z + 1, torch.zeros(1), solver=Picard(), backward=Checkpoint(4))
        >>> solution.value.backward()
        >>> a.grad
        tensor([3.9995])
    """

    every: int = 10

    def __post_init__(self) -> None:
        check_at_least("Checkpoint(every)", self.every, 1)

    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        return _through_the_solver(task, self.every)


def _through_the_solver(task: Task, every: int | None) -> tuple[Tensor, Outcome]:
    outcome = task.solve(task.start, every)
    value = outcome.z if task.step is None else task.step(outcome.z)
    return value, outcome


@final
@dataclass(frozen=True)
class Truncated(AbstractBackward):
    r"""Differentiate through k applications of the step at the solution, as if it were a constant before them.

    .. math:: \frac{dz}{d\theta} \approx \sum_{i < k} J^i \frac{\partial f}{\partial\theta}

    The gradient is biased: it misses a part of about ``rho^k`` of the exact one, rho the spectral radius of the
    step's Jacobian at the solution. For fixed points only.

    Args:
        k: Applications, ``>= 1``.
        bias: A :class:`BiasWarning` is given where the estimated ``rho^k`` of an example exceeds this; ``None`` does
            not estimate it. The estimate takes 8 products with the Jacobian.

    Raises:
        ValueError, TypeError: a setting outside its range.

    Differentiability: as often as the step, likewise biased.
    Cost: k steps, and their memory.
    References: Z. Geng et al. 2021, On Training Implicit Models, eq. 7; A. Shaban et al. 2019, Truncated
    Back-propagation for Bilevel Optimization.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> a = torch.tensor([0.5], requires_grad=True)
        >>> fixed_point(lambda z: a * z + 1, torch.zeros(1), backward=Truncated(3, bias=None)).value.backward()
        >>> a.grad  # z (1 + a + a^2), where the exact one is 4
        tensor([3.5000])
    """

    k: int = 5
    bias: float | None = 0.1

    def __post_init__(self) -> None:
        check_at_least("Truncated(k)", self.k, 1)
        _check_bias("Truncated(bias)", self.bias)

    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        return _last_steps(task, self.k, self.bias, f"Truncated({self.k})")


@final
@dataclass(frozen=True)
class OneStep(AbstractBackward):
    r"""Differentiate the last step only ("Jacobian-free"), as if its argument were a constant.

    .. math:: \frac{dz}{d\theta} \approx \frac{\partial f}{\partial\theta}

    It is :class:`Truncated` with ``k = 1``, the cheapest backward: right where the step forgets its argument, as
    Newton's does, and biased by about rho, the spectral radius of the step's Jacobian, elsewhere.

    Args:
        bias: As of :class:`Truncated`.

    Raises:
        ValueError, TypeError: ``bias`` is not positive or ``None``.

    Differentiability: as often as the step, likewise biased.
    Cost: one step, and its memory.
    References: S. Wu Fung et al. 2022, JFB: Jacobian-Free Backpropagation for Implicit Networks; J. Bolte,
    E. Pauwels, S. Vaiter 2023, One-step Differentiation of Iterative Algorithms.

    Example:
        >>> from algonets.implicit import fixed_point
        >>> a = torch.tensor([4.0], requires_grad=True)
        >>> newton_step = lambda z: 0.5 * (z + a / z)
        >>> fixed_point(newton_step, torch.ones(1), backward=OneStep()).value.backward()
        >>> a.grad
        tensor([0.2500])
    """

    bias: float | None = 0.1

    def __post_init__(self) -> None:
        _check_bias("OneStep(bias)", self.bias)

    def _run(self, task: Task) -> tuple[Tensor, Outcome]:
        return _last_steps(task, 1, self.bias, "OneStep()")


def _check_bias(call: str, bias: float | None) -> None:
    if bias is not None:
        check_positive(call, bias)


def _last_steps(task: Task, k: int, bias: float | None, name: str) -> tuple[Tensor, Outcome]:
    step = task.step
    if step is None:
        remedy = "Use Implicit() or Unroll()."
        raise TypeError(f"{task.call}(backward) must not be for fixed points only, got {name}. {remedy}")
    outcome = task.solve_untracked()
    if bias is not None and torch.is_grad_enabled() and not transformed():
        _warn_of_bias(task.call, name, step, outcome, k, bias)
    value = outcome.z
    for _ in range(k):
        value = step(value)
    return value, outcome


def _warn_of_bias(call: str, name: str, step, outcome: Outcome, k: int, bias: float) -> None:
    rates = visible_items(rate_of(step, outcome.z, 8))[visible_items(outcome.converged)]
    rate = rates.max().item() if rates.numel() else 0.0
    if rate**k > bias:
        message = (
            f"{call}(backward={name}) must leave out little of the gradient, got a contraction rate of about "
            f"{rate:.2g}: it misses a part of about {rate**k:.2g}. Use Implicit(), or bias=None to accept it."
        )
        warnings.warn(message, BiasWarning, stacklevel=5)
