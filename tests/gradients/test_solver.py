"""Functions of anybody as solvers: failures stay in their example, in this process and in others."""

import os
import pickle
import time
import warnings

import joblib
import pytest
import torch

from algonets.gradients import Identity, Interpolated, Perturbed, Solver, SolverWarning, _processes
from algonets.losses import Perceptron
from tests.gradients.trouble import one

THETA = torch.tensor([[0.1, 0.9, 0.3], [5.0, 1.0, 0.0], [0.2, 0.0, 0.7]])
BEST = torch.eye(3)[[1, 0, 2]]


def batched(theta, weight=None):
    if bool((theta[:, 0] == 5).any()):
        raise RuntimeError("no path")
    scores = theta if weight is None else theta * weight
    return torch.eye(theta.shape[-1])[scores.argmax(-1)]


def spoiled(value):
    theta = THETA.clone()
    theta[1, 0] = value
    return theta


@pytest.mark.parametrize("solver", [Solver(one, batched=False), Solver(batched)])
def test_an_exception_stays_in_its_example(solver):
    with pytest.warns(SolverWarning, match="1 of 3 examples failed. First: RuntimeError: no path"):
        solution, feasible = solver.solve(THETA)
    assert feasible.tolist() == [True, False, True] and solver.failures == 1 and solver.calls == 3
    assert torch.equal(solution, BEST * feasible[:, None])


@pytest.mark.parametrize("value", [6.0, 7.0])
def test_wrong_shapes_and_values(value):
    with pytest.warns(SolverWarning, match="shape|finite"):
        assert Solver(one, batched=False).solve(spoiled(value)).feasible.tolist() == [True, False, True]


def test_the_failed_example_has_no_gradient_and_the_others_theirs():
    weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    for make in (lambda s: Interpolated(s, 5.0), lambda s: Identity(s, "none"), lambda s: Perturbed(s, samples=4)):
        gradients = []
        for given in (THETA, spoiled(0.4)):
            theta = given.clone().requires_grad_()
            layer = make(Solver(one, batched=False))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SolverWarning)
                y = layer(theta, generator=torch.Generator().manual_seed(0))
                (y * weight).sum().backward()
            gradients.append(theta.grad)
        if not isinstance(layer, Perturbed):  # under noise, nothing is 5 exactly
            assert (gradients[0][1] == 0).all()
        assert torch.equal(gradients[0][[0, 2]], gradients[1][[0, 2]])
    with pytest.warns(SolverWarning):
        loss = Perceptron(Solver(one, batched=False), reduction="none")(THETA, BEST.flip(0))
    assert loss[1] == 0 and loss[0] > 0


def test_rows_of_nan_of_any_callable_are_masked():
    theta = THETA.clone().requires_grad_()
    layer = Interpolated(lambda t: torch.where(t[:, :1] == 5, torch.nan, 1.0) * torch.eye(3)[t.argmax(-1)], 3.0)
    with pytest.warns(SolverWarning, match="1 of 3"):
        y = layer(theta)
        (y * torch.arange(3.0)).sum().backward()
    assert (y[1] == 0).all() and (theta.grad[1] == 0).all() and theta.grad[0].abs().sum() > 0


def test_processes_give_the_same():
    solver = Solver(one, batched=False, workers=2)
    weight = torch.tensor([1.0, -1.0, 1.0])
    with pytest.warns(SolverWarning, match="no path"):
        solution, feasible = solver.solve(THETA, weight=weight)
    assert feasible.tolist() == [True, False, True]
    assert solution[0].tolist() == [0, 1, 0] and solution[2].tolist() == [0, 0, 1]


@pytest.mark.parametrize(("value", "reason"), [(8.0, "no answer within"), (9.0, "died"), (10.0, "killed")])
def test_hanging_and_dying_processes_cost_one_example(value, reason, monkeypatch):
    monkeypatch.setattr(_processes, "GRACE", 4.0)
    solver = Solver(one, batched=False, workers=2, timeout=0.5)
    solver(THETA[:1])  # the process is there
    start = time.perf_counter()
    with pytest.warns(SolverWarning, match=reason):
        solution, feasible = solver.solve(spoiled(value)[1:])
    assert feasible.tolist() == [False, True] and torch.equal(solution[1], BEST[2])
    assert time.perf_counter() - start < 50


def test_the_backend_of_joblib_is_the_users():
    seen = []

    def here(theta):
        seen.append(os.getpid())
        return one(theta)

    with joblib.parallel_config(backend="threading"):
        assert torch.equal(Solver(here, batched=False, workers=2)(spoiled(0.4)[:1]), BEST[:1])
    assert seen == [os.getpid()]


def test_cache_solves_what_is_new():
    counted = []

    def counting(theta, weight):
        counted.append(len(theta))
        return batched(theta, weight)

    theta, weight = spoiled(0.4), torch.ones(3, 3)
    solver = Solver(counting, cache=4)
    first = solver(theta, weight=weight)
    again = solver(torch.cat([theta[:2], theta[:1] + 1]), weight=weight)
    assert counted == [3, 1] and torch.equal(first[:2], again[:2])
    solver(theta[:1], weight=-weight[:1])  # another instance is another problem
    assert counted == [3, 1, 1] and len(solver._kept) == 4
    assert len(pickle.loads(pickle.dumps(Solver(batched, cache=4)))._kept) == 0


def test_batches_and_empty_batches():
    solver = Solver(batched, event_dims=1)
    theta = torch.randn(2, 3, 4)
    assert solver(theta).shape == (2, 3, 4) and solver(theta[0, 0]).shape == (4,)
    assert solver.solve(torch.zeros(0, 4)).feasible.shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sense": "best"}, r"Solver\(sense\) must be 'max' or 'min', got 'best'"),
        ({"workers": 2}, r"Solver\(workers\) must be None for a batched function"),
        ({"batched": False, "workers": 1}, r"Solver\(workers\) must be -1 or at least 2"),
        ({"batched": False, "timeout": 1.0}, r"Solver\(timeout\) must be None without workers"),
        ({"timeout": -1.0}, r"Solver\(timeout\) must be positive"),
        ({"cache": -1}, r"Solver\(cache\) must be at least 0"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Solver(one, **options)
    with pytest.raises(TypeError, match="must be callable"):
        Solver("solver")


@pytest.mark.parametrize("k", [torch.tensor(1), torch.tensor([1, 2]), torch.tensor([1, 2, 3, 4])])
def test_an_instance_has_one_value_an_example(k):
    solver = Solver(lambda theta, k: theta, batched=False)
    with pytest.raises(ValueError, match=r"Solver\(k\) must have the batch shape \(3,\) of theta in front"):
        solver(torch.zeros(3, 2), k=k)
