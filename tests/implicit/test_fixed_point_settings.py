"""Fixed points: shortened backwards, contraction rates, warm starts, unrolling, wrong input."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algonets.implicit import (
    GMRES,
    Anderson,
    BiasWarning,
    Broyden,
    Checkpoint,
    Implicit,
    Newton,
    NormalCG,
    OneStep,
    Picard,
    Truncated,
    contraction_rate,
    fixed_point,
    unroll,
)
from tests.implicit.layers import F64, affine, linear, tanh_layer


def test_shortened_backwards():
    a = torch.tensor([0.5], dtype=F64, requires_grad=True)
    step = lambda z: a * z + 1  # noqa: E731
    for k in (1, 2, 5):
        z = fixed_point(step, torch.zeros(1, dtype=F64), backward=Truncated(k, bias=None)).value
        torch.testing.assert_close(torch.autograd.grad(z, a)[0], 2 * (1 - a.detach() ** k) / 0.5)
    with pytest.warns(BiasWarning, match=r"contraction rate of about 0\.5"):
        fixed_point(step, torch.zeros(1, dtype=F64), backward=OneStep())
    with pytest.warns(BiasWarning, match=r"Truncated\(2\)"):
        fixed_point(step, torch.zeros(1, dtype=F64), backward=Truncated(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed_point(step, torch.zeros(1, dtype=F64), backward=Truncated(8))
        fixed_point(lambda z: 0.5 * (z + (4 + a) / z), torch.ones(1, dtype=F64), backward=OneStep())
        fixed_point(step, torch.zeros(1, dtype=F64), backward=OneStep(bias=None))


def test_contraction_rate():
    matrix, _ = linear(radius=0.7)
    symmetric = (matrix + matrix.mT).detach()
    rate = contraction_rate(lambda z: affine(z, symmetric, 0), torch.zeros(4, 6, dtype=F64), iterations=400)
    torch.testing.assert_close(rate, torch.linalg.eigvalsh(symmetric).abs().amax(1), rtol=1e-2, atol=0)
    general = contraction_rate(affine, torch.zeros(4, 6, dtype=F64), matrix, 0.0, iterations=400)
    torch.testing.assert_close(general.detach(), torch.full((4,), 0.7, dtype=F64), rtol=2e-2, atol=0)


def test_warm_starts_of_the_adjoint():
    weight, x = tanh_layer()
    calls = [0]

    def step(z):
        result = torch.tanh(z @ weight.T + x)
        if result.requires_grad:
            result.register_hook(lambda g: calls.__setitem__(0, calls[0] + 1))
        return result

    counts, gradients = [], []
    backward = Implicit(Anderson(), warm_start=True)
    for _ in range(2):
        calls[0] = 0
        z = fixed_point(step, torch.zeros(3, 5, dtype=F64), backward=backward, tolerance=1e-13).value
        gradients.append(torch.autograd.grad(z.square().sum(), weight)[0])
        counts.append(calls[0])
    assert counts[1] < counts[0] / 2
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_unroll():
    a = torch.tensor(0.5, requires_grad=True)
    z = unroll(lambda z: a * z, 3)(torch.ones(()))
    assert z == 0.125 and torch.autograd.grad(z, a)[0] == 0.75


@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.sampled_from([Anderson(), Broyden(), Picard()]))
@settings(max_examples=30, deadline=None)
def test_any_contraction_has_its_fixed_point(seed, radius, solver):
    matrix, x = linear(seed=seed, batch=2, n=4, radius=radius)
    with torch.no_grad():
        solution = fixed_point(
            affine, torch.zeros(2, 4, dtype=F64), matrix, x, solver=solver, max_iterations=2000, tolerance=1e-9
        )
        exact = torch.linalg.solve(torch.eye(4, dtype=F64) - matrix, x)
    condition = torch.linalg.cond(torch.eye(4, dtype=F64) - matrix.detach()).max()
    assert (solution.value - exact).abs().max() <= 1e-7 * condition * (1 + exact.abs().max())


WRONG = [
    (lambda z: z, torch.zeros(2, dtype=torch.int64), {}, TypeError, "z0"),
    (lambda z: z[:1], torch.zeros(2), {}, ValueError, "step"),
    (lambda z: (z, z), torch.zeros(2), {}, ValueError, "step"),
    (lambda z: z, {"a": torch.zeros(2, 3), "b": torch.zeros(3, 3)}, {}, ValueError, "leading dimensions"),
    (lambda z: z, torch.zeros(()), {}, ValueError, "event_dims"),
    (lambda z: z, [], {}, ValueError, "at least one tensor"),
    (lambda z: z, torch.zeros(2), {"solver": 5}, TypeError, "Anderson"),
    (lambda z: z, torch.zeros(2), {"backward": "implicit"}, TypeError, "Implicit"),
    (lambda z: z, torch.zeros(2), {"tolerance": 0.0}, ValueError, "tolerance"),
    (lambda z: z, torch.zeros(2), {"max_iterations": -1}, ValueError, "max_iterations"),
    (lambda z: z, torch.zeros(2), {"on_failure": "ignore"}, ValueError, "raise, warn, mask"),
    (lambda z: z, torch.zeros(2), {"event_dims": -1}, ValueError, "event_dims"),
]


@pytest.mark.parametrize(("step", "start", "given_settings", "error", "text"), WRONG)
def test_wrong_input(step, start, given_settings, error, text):
    with pytest.raises(error, match=text) as caught:
        fixed_point(step, start, **given_settings)
    assert " must " in str(caught.value) and ", got " in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Anderson(memory=0),
        lambda: Anderson(damping=2.0),
        lambda: Anderson(regularisation=-1.0),
        lambda: Picard(0.0),
        lambda: Broyden(memory=0),
        lambda: Newton(backtracking=-1),
        lambda: Newton(Picard()),
        lambda: Implicit("gmre"),
        lambda: Implicit(tolerance=-1.0),
        lambda: Implicit(order=0),
        lambda: Truncated(0),
        lambda: OneStep(bias=0.0),
        lambda: Checkpoint(0),
        lambda: GMRES(restart=0),
        lambda: NormalCG(0),
    ],
)
def test_wrong_settings(make):
    with pytest.raises((ValueError, TypeError), match="must "):
        make()
