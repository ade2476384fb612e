"""The step that natural gradient and K-FAC share: direction, size, line search, damping."""

import abc
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import reject_type
from algonets.training._fisher import Closure, Curvature, adapted, evaluate, loss_value, shift
from algonets.training.line_search import Backtracking
from algonets.training.outputs import OutputDistribution

__all__ = ["SecondOrder"]


class SecondOrder(torch.optim.Optimizer):
    """An optimiser whose step solves a damped quadratic model with the Fisher information of a batch."""

    def __init__(
        self,
        params: Iterable[Any],
        law: OutputDistribution,
        lr: float,
        damping: float,
        line_search: Backtracking | None,
        adaptive: bool,
    ):
        call = type(self).__name__
        if not isinstance(law, OutputDistribution):
            reject_type(f"{call}(law)", "must be an OutputDistribution", law, "Give CategoricalOutput() or the like.")
        check_positive(f"{call}(lr=...)", lr)
        check_positive(f"{call}(damping=...)", damping)
        super().__init__(params, {"lr": lr, "damping": float(damping)})
        self.law, self.line_search, self.adaptive = law, line_search, adaptive

    @property
    def damping(self) -> float:
        """The present damping; it is part of ``state_dict``, as an option of the first group."""
        return self.param_groups[0]["damping"]

    @abc.abstractmethod
    def _direction(self, local: Curvature, damping: float) -> Tensor:
        """The step at learning rate 1."""

    def _evaluate(self, closure: Closure | None) -> tuple[Tensor, Tensor]:
        return evaluate(type(self).__name__, closure)

    def step(self, closure: Closure | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take a step.

        Args:
            closure: A function that returns ``(loss, outputs)``: the mean loss over a batch, and the outputs
                ``(*batch, C)`` that it was computed from. No ``backward`` and no ``zero_grad`` are needed.

        Returns:
            The loss before the step, detached.

        Raises:
            TypeError: if there is no closure, or it returns something else.
            ValueError: if loss and outputs do not depend on the parameters, or the gradient is not finite.
        """
        loss, outputs = self._evaluate(closure)
        live = [(p, group["lr"]) for group in self.param_groups for p in group["params"] if p.requires_grad]
        parameters = [p for p, _ in live]
        local = Curvature(parameters, loss, outputs, self.law)
        if not bool(local.gradient.isfinite().all()):
            raise ValueError(
                f"{type(self).__name__}.step(closure) must give a finite gradient, got a loss of {loss.item()!r}. "
                "Lower lr, raise damping, or give a line_search."
            )
        rates = torch.cat([p.new_full((p.numel(),), rate) for p, rate in live])
        move = rates * self._direction(local, self.damping)
        slope, value = float(local.gradient @ move), float(loss.detach())
        if slope >= 0:  # at a minimum, or below rounding
            return loss.detach()
        # Before the parameters change: they are part of the graph.
        predicted = slope + 0.5 * float(move @ local.product(move)) if self.adaptive else 0.0
        size = self._search(closure, parameters, move, value, slope)
        shift(parameters, move, size)
        if self.adaptive:
            actual = (
                loss_value(cast(Closure, closure)) - value if size == 1 else float("nan")
            )  # a shortened step is a bad prediction
            for group in self.param_groups:
                group["damping"] = adapted(self.damping, actual, predicted)
        return loss.detach()

    def _search(self, closure: Any, parameters: list[Tensor], move: Tensor, value: float, slope: float) -> float:
        if self.line_search is None:
            return 1.0
        before = [p.detach().clone() for p in parameters]

        def restore() -> None:
            with torch.no_grad():
                for parameter, old in zip(parameters, before, strict=True):
                    parameter.copy_(old)

        def trial(size: float) -> float:
            shift(parameters, move, size)
            found = loss_value(closure)
            restore()
            return found

        return self.line_search(trial, value, slope)
