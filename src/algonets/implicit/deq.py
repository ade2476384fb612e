"""Deep equilibrium models: a layer of infinite depth."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.errors import reject, reject_type
from algonets.implicit.anderson import Anderson
from algonets.implicit.backward import AbstractBackward, Implicit
from algonets.implicit.fixed_point import SOLVERS, fixed_point
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.names import chosen
from algonets.implicit.solution import OnFailure, Solution

__all__ = ["DEQ"]


@final
class DEQ(nn.Module):
    r"""A network whose output is the equilibrium of a step: one layer, applied until nothing changes.

    .. math:: z^* = f_w(z^*, x)

    Args:
        step: Module or callable ``step(z, *inputs)``, of the shape of z. Its parameters are those of this module. It
            must be deterministic: no dropout that draws anew at each call.
        state_shape: Shape of one example's z, without the batch; ``None`` is that of the first input.
        solver: As of :func:`fixed_point`.
        backward: As of :func:`fixed_point`; each module has an :class:`Implicit` of its own by default.
        tolerance: As of :func:`fixed_point`.
        max_iterations: As of :func:`fixed_point`.
        on_failure: As of :func:`fixed_point`; ``"warn"`` by default, for a network in training meets hard inputs.
        event_dims: How many trailing dimensions of the first input make one example.

    Raises:
        TypeError: ``step`` cannot be called; a solver or backward of the wrong kind.

    Differentiability: as the backward says.
    Cost: as of :func:`fixed_point`; with :class:`Implicit` the memory does not grow with the depth.
    References: S. Bai, J. Z. Kolter, V. Koltun, *Deep Equilibrium Models*, NeurIPS 2019.

    Example:
        >>> class Step(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.inner = nn.Linear(3, 3)
        ...     def forward(self, z, x):
        ...         return torch.tanh(0.5 * self.inner(z) + x)
        >>> layer = DEQ(Step())
        >>> z = layer(torch.ones(2, 3))
        >>> z.sum().backward()
        >>> z.shape, layer.step.inner.weight.grad.shape
        (torch.Size([2, 3]), torch.Size([3, 3]))
    """

    def __init__(
        self,
        step: Callable[..., Tensor],
        state_shape: tuple[int, ...] | None = None,
        *,
        solver: AbstractSolver | str | None = None,
        backward: AbstractBackward | None = None,
        tolerance: float | None = None,
        max_iterations: int = 200,
        on_failure: OnFailure = "warn",
        event_dims: int = 1,
    ):
        super().__init__()
        if not callable(step):
            reject_type("DEQ(step)", "must be a module or another callable", step)
        self.step = step
        self.state_shape = None if state_shape is None else tuple(state_shape)
        self.solver = Anderson() if solver is None else chosen("DEQ(solver)", solver, SOLVERS)
        self.backward = Implicit() if backward is None else backward
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.on_failure: OnFailure = on_failure
        self.event_dims = event_dims

    def forward(self, *inputs: Any, z0: Tensor | None = None) -> Tensor:
        """Return the equilibrium ``(*batch, *state_shape)``; ``z0`` is the start, zeros by default."""
        return self.solve(*inputs, z0=z0).value

    def solve(self, *inputs: Any, z0: Tensor | None = None) -> Solution:
        """Return the equilibrium with how it was found."""
        state_dims = self.event_dims if self.state_shape is None else len(self.state_shape)
        return fixed_point(
            self.step,
            self._zeros(inputs) if z0 is None else z0,
            *inputs,
            solver=self.solver,
            backward=self.backward,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            on_failure=self.on_failure,
            event_dims=state_dims,
        )

    def _zeros(self, inputs: tuple[Any, ...]) -> Tensor:
        first = inputs[0] if inputs else None
        if not isinstance(first, Tensor):
            reject_type("DEQ(*inputs)", "must begin with a tensor, or come with z0", first)
        if first.ndim < self.event_dims:
            reject("DEQ(*inputs)", f"must have at least event_dims = {self.event_dims} dimensions", first)
        batch = first.shape[: first.ndim - self.event_dims]
        return torch.zeros_like(first) if self.state_shape is None else first.new_zeros(*batch, *self.state_shape)

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"solver={self.solver}, backward={self.backward}"
