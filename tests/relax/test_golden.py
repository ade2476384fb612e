"""Equality with AlgoVision 0.1.2, values and gradients."""

import pytest
import torch

from algonets.distributions import Logistic
from tests.golden import assert_close, select
from tests.relax import programs

OUTPUTS = {
    "bubble_sort": ("array", "swaps"),
    "levenshtein": ("distance",),
    "bellman_ford": ("distance",),
    "while_halving": ("x", "n"),
    "count_equal_and_max": ("count", "running_max"),
}
CASES = [pytest.param(fn, *case.values, id=f"{fn}-{case.id}", marks=case.marks) for fn in OUTPUTS
         for case in select("relax", fn)]  # fmt: skip


def run(fn, case, dtype):
    inputs = {name: value.to(dtype).requires_grad_() for name, value in case.inputs.items()}
    extra = [case.meta["sweeps"]] if fn == "bellman_ford" else []
    result = getattr(programs, fn).soft(
        *inputs.values(),
        *extra,
        distribution=Logistic(1 / case.meta["beta"]),
        epsilon=case.meta["epsilon"],
        max_iterations=case.meta.get("max_iter", 1024),
    )
    result = result if isinstance(result, tuple) else (result,)
    return inputs, dict(zip(OUTPUTS[fn], result, strict=True))


@pytest.mark.filterwarnings("ignore::algonets.relax.errors.ResidualMassWarning")
@pytest.mark.parametrize(("fn", "case"), CASES)
def test_it_equals_algovision_in_float64(fn, case):
    inputs, ours = run(fn, case, torch.float64)
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.filterwarnings("ignore::algonets.relax.errors.ResidualMassWarning")
@pytest.mark.parametrize(("fn", "case"), CASES)
def test_it_equals_algovision_in_float32(fn, case):
    inputs, ours = run(fn, case, torch.float32)
    for name, value in ours.items():
        assert value.dtype == torch.float32
        assert_close(value, case.outputs[name], 1e-5)
    loss = sum((case.weights[name].float() * ours[name]).sum() for name in case.weights)
    for gradient, golden in zip(torch.autograd.grad(loss, list(inputs.values())), case.grads.values(), strict=True):
        assert_close(gradient, golden, 1e-4, relative_to_largest=True)
