"""Predict and optimise: the generators are PyEPO's, every loss learns, the report is right."""

import json
import statistics

import pytest
import torch

from algonets.cli import main
from algonets.experiments.predict_optimise import METHODS, PROBLEMS, Task, train

TINY = ["--train_size", "60", "--test_size", "40", "--epochs", "2", "--seeds", "2"]


def test_the_generator_is_that_of_pyepo():
    """First costs that PyEPO 2.2.7 generates for 100 instances, seed 1."""
    task = PROBLEMS["shortest-path"](100, seed=1)
    assert task.features.shape == (100, 5) and task.costs.shape == (100, 40)
    first = torch.tensor([0.71634585, 0.39527333, 0.9438078, 0.36440718])
    assert torch.allclose(task.costs[0, :4], first, atol=1e-6)
    best = task.solver(task.costs)
    assert (best.sum(-1) == 8).all()
    assert (best[0] * task.costs[0]).sum().item() == pytest.approx(5.193785548, abs=1e-5)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_solver_for_its_costs(name):
    task = PROBLEMS[name](6, seed=3)
    best = task.solver(task.costs)
    sign = 1 if task.solver.sense == "min" else -1
    others = task.solver(torch.rand(6, task.costs.shape[1], generator=torch.Generator().manual_seed(0)))
    assert (sign * (task.costs * best).sum(-1) <= sign * (task.costs * others).sum(-1) + 1e-4).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_loss_learns(method):
    task = PROBLEMS["shortest-path"](400, seed=0)
    before, held_out = (Task(task.features[s], task.costs[s], task.solver) for s in (slice(300), slice(300, None)))
    start = train(method, before, held_out, epochs=0)
    end = train(method, before, held_out, epochs=6, every=3)
    # By scores with three samples (dpo) it goes slowly.
    assert end.regret < 0.95 * start.regret
    assert len(end.curve) == 2 and end.curve[-1] == pytest.approx(end.regret)


def test_a_run_from_the_command_line(tmp_path):
    assert main(["train", "predict-optimise", *TINY, "--methods", "[two-stage,spo+]", "--output", str(tmp_path)]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert list(metrics["results"]) == ["two-stage", "spo+"]
    for found in metrics["results"].values():
        assert found["regret"] == pytest.approx(statistics.fmean(found["regrets"]), abs=1e-3)
        assert len(found["curve"]) == 2
    assert (tmp_path / "report.png").stat().st_size > 8000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "[magic]"], "--methods must be among two-stage"),
        (["--noise", "1.5"], r"--noise must be in [0, 1)"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--sigma", "0"], "--sigma must be positive"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, message):
    assert main(["train", "predict-optimise", *options, "--output", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
