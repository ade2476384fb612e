"""Sum-product circuits as torch operators. First derivatives come from the kernel, higher ones from the recursion."""

from collections.abc import Callable
from typing import Any

import torch

from algonets._core.backend import get_num_threads, native
from algonets._core.compiling import constant_result
from algonets._core.operator import Operator
from algonets.dp._circuit import circuit_of, recipe, split_factors
from algonets.semirings import Log, Semiring

__all__ = ["add_kernel", "fits", "reference", "solve", "value"]


_checked: set[int] = set()


@constant_result
def fits(number: int) -> bool:
    """Tell whether a recipe has a circuit for the kernel; it is traced here."""
    return circuit_of(number) is not None


def reference(semiring: Semiring, scores: torch.Tensor, goal: torch.Tensor, number: int) -> torch.Tensor:
    """Run the recursion in plain torch: (B,) elements, not lowered."""
    plan = recipe(number)
    table = plan.table(semiring, [semiring.lift(factor) for factor in split_factors(scores, plan.shapes)])
    index = goal.reshape(-1, 1, *[1] * semiring.event_dims).expand(-1, 1, *table.shape[2:])
    return semiring.plus(table.gather(1, index), 1)  # of one: where nothing is allowed no gradient flows


_special: dict[Callable, Callable[..., bool]] = {}


def add_kernel(inside: Callable, kernel: Callable[..., bool]) -> None:
    """Give a recursion a kernel of its own for sums; it returns false where the circuit must do it."""
    _special[inside] = kernel


def _run(scores: torch.Tensor, goal: torch.Tensor, number: int, maximum: bool, marginals: Any) -> torch.Tensor:
    scores = scores.detach().contiguous()
    found = scores.new_empty(len(scores))
    plan = recipe(number)
    kernel = None if maximum else _special.get(plan.inside)
    if kernel is not None and kernel(scores, goal.contiguous(), plan.shapes, found, marginals):
        return found
    circuit = circuit_of(number)
    if circuit is None:
        raise RuntimeError("the recursion is too long for a circuit: ask fits() first")
    if number not in _checked:  # once a recipe: a wrong node would be a wild read
        if not native().sum_product_check(*circuit, scores.shape[1]):
            raise RuntimeError("the circuit of a recursion is malformed")
        _checked.add(number)
    native().sum_product_run(scores, goal.contiguous(), *circuit, maximum, found, marginals, get_num_threads())
    return found


# ---- the value alone -------------------------------------------------------------------------------------------


def _value(scores: torch.Tensor, goal: torch.Tensor, number: int) -> torch.Tensor:
    return _run(scores, goal, number, False, None)


def _value_shape(scores: torch.Tensor, goal: torch.Tensor, number: int) -> torch.Tensor:
    return scores.new_empty(scores.shape[0])


def _save_value(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.number = inputs[2]


def _value_backward(ctx: Any, grad: torch.Tensor) -> tuple:
    scores, goal = ctx.saved_tensors
    return grad.unsqueeze(1) * solve(scores, goal, ctx.number, False)[1], None, None


value = Operator("sum_product_value", _value, _value_shape, _save_value, _value_backward)
"""(B,) log-sum-exp over all structures."""


# ---- value and marginals ---------------------------------------------------------------------------------------


def _solve(scores: torch.Tensor, goal: torch.Tensor, number: int, maximum: bool) -> tuple[torch.Tensor, torch.Tensor]:
    marginals = torch.empty(scores.shape, dtype=scores.dtype)
    return _run(scores, goal, number, maximum, marginals), marginals


def _solve_shape(
    scores: torch.Tensor, goal: torch.Tensor, number: int, maximum: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    return scores.new_empty(scores.shape[0]), torch.empty_like(scores, memory_format=torch.contiguous_format)


def _save_solve(ctx: Any, inputs: Any, output: Any) -> None:
    scores, goal, ctx.number, ctx.maximum = inputs
    ctx.save_for_backward(scores, goal, output[1])
    ctx.set_materialize_grads(False)


def _solve_backward(ctx: Any, by_value: torch.Tensor | None, by_marginals: torch.Tensor | None) -> tuple:
    scores, goal, marginals = ctx.saved_tensors
    total = None if by_value is None else by_value.unsqueeze(1) * marginals
    if by_marginals is not None and not ctx.maximum:
        curved = _curvature(scores, goal, ctx.number, by_marginals)
        total = curved if total is None else total + curved
    return total, None, None, None


def _curvature(scores: torch.Tensor, goal: torch.Tensor, number: int, direction: torch.Tensor) -> torch.Tensor:
    """Product of the Hessian with a direction, by differentiating the recursion twice, to any further order."""
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        x = scores.view_as(scores) if keep_graph and scores.requires_grad else scores.detach().requires_grad_()
        total = reference(Log(), x, goal, number)
        (first,) = torch.autograd.grad(total.sum(), x, create_graph=True)
        if not first.requires_grad:  # one structure: its marginals are constant
            return torch.zeros_like(scores)
        (second,) = torch.autograd.grad(first, x, direction, create_graph=keep_graph, allow_unused=True)
    return torch.zeros_like(scores) if second is None else second


solve = Operator("sum_product_solve", _solve, _solve_shape, _save_solve, _solve_backward)
"""(B,) log-sum-exp and (B, leaves) marginals; or the maximum and how often the best structure has each leaf."""
