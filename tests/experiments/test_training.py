"""The experiments on ways to train, tiny: they run, what they report is there, and their parts mean what they say."""

import json
import math

import pytest
import torch
from torch import nn

from algonets.experiments._training import RunError
from algonets.experiments.training import (
    CompressExperiment,
    DomainAdversaryExperiment,
    IsaacExperiment,
    NaturalGradientExperiment,
    NewtonLossExperiment,
    NoiseExperiment,
    OnlineMemoryExperiment,
    StructureExperiment,
)
from algonets.experiments.training.domain_adversary import change_background, moons
from algonets.experiments.training.newton_tasks import EditTask, PathTask, SortTask, VectorTask, train
from algonets.experiments.training.online_memory import bit_stream, influence
from algonets.experiments.training.samples import batches
from algonets.experiments.training.study import best_setting, summarise
from algonets.training import RTRL

TINY = {
    NaturalGradientExperiment: {"steps": 2, "size": 60, "width": 4},
    IsaacExperiment: {"epochs": 2, "size": 60, "width": 5, "depth": 1, "batch_size": 30},
    NoiseExperiment: {"size": 20, "steps": 3, "draws": 40},
    CompressExperiment: {"size": 200, "epochs": 1, "tuning": 3},
    StructureExperiment: {"size": 60, "epochs": 2, "width": 4, "depth": 2},
    DomainAdversaryExperiment: {"steps": 3},
    OnlineMemoryExperiment: {
        **{"units": 3, "streams": 2, "steps": 40, "balance_steps": 200, "long_steps": 40},
    },
    NewtonLossExperiment: {"steps": 2, "search_steps": 1, "sizes": [3], "parts": "sorting"},
}


@pytest.mark.parametrize("kind", TINY, ids=lambda kind: kind.name)
def test_a_tiny_run(kind, tmp_path):
    pytest.importorskip("sklearn")
    state = torch.get_rng_state()
    found = kind(output=str(tmp_path), seeds=2, config="a: 1", **TINY[kind]).run()
    assert torch.equal(torch.get_rng_state(), state)
    assert json.loads((tmp_path / "metrics.json").read_text()) == found
    assert found["figures"]["mean"] and all(c["passed"] in (True, False) for c in found["criteria"]) and found["rows"]
    for name in ("report.png", "table.md", "settings.json", "config.yaml"):
        assert (tmp_path / name).is_file()
    with pytest.raises(RunError, match="holds a run already"):
        kind(output=str(tmp_path), seeds=2, **TINY[kind]).run()


def test_a_seed_repeats_itself(tmp_path):
    pytest.importorskip("sklearn")
    runs = [
        StructureExperiment(output=str(tmp_path / str(k)), seeds=1, **TINY[StructureExperiment]).run() for k in range(2)
    ]
    assert runs[0]["figures"] == runs[1]["figures"]


@pytest.mark.parametrize("kind", TINY, ids=lambda kind: kind.name)
def test_an_interrupted_run_goes_on(kind, tmp_path, monkeypatch, capsys):
    """What was chosen and the first seed are kept; the second is measured; all is as without the interruption."""
    pytest.importorskip("sklearn")
    whole = kind(output=str(tmp_path / "whole"), seeds=2, **TINY[kind]).run()
    measure, measured = kind.measure_seed, []

    def interrupted(self, seed):
        if seed == 1:
            raise KeyboardInterrupt
        return measure(self, seed)

    def counted(self, seed):
        measured.append(seed)
        return measure(self, seed)

    monkeypatch.setattr(kind, "measure_seed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kind(output=str(tmp_path / "cut"), seeds=2, **TINY[kind]).run()
    monkeypatch.setattr(kind, "measure_seed", counted)
    monkeypatch.setattr(kind, "prepare", None)  # chosen before
    found = kind(output=str(tmp_path / "cut"), seeds=2, resume=True, **TINY[kind]).run()
    assert measured == [1] and "seed 0: finished before" in capsys.readouterr().out
    one, other = (_without_times(metrics["figures"]) for metrics in (whole, found))
    assert one == other
    assert [c["name"] for c in whole["criteria"]] == [c["name"] for c in found["criteria"]]


def _without_times(figures):
    """Without seconds and MiB, which are of the machine."""
    if not isinstance(figures, dict):
        return figures
    return {k: _without_times(v) for k, v in figures.items() if k not in ("seconds", "long stream")}


def test_gates_close_within_a_short_training(tmp_path):
    pytest.importorskip("sklearn")
    options = {**TINY[StructureExperiment], "epochs": 150, "gates": 100.0}
    experiment = StructureExperiment(output=str(tmp_path), seeds=1, **options)
    torch.manual_seed(0)
    kept = experiment._train("edges", 0)["kept"]
    assert kept[0] == 1.0 and kept[-1] < 0.2


def test_what_a_run_kept(tmp_path, capsys):
    options = {"output": str(tmp_path), "seeds": 1, **TINY[NoiseExperiment]}
    first = NoiseExperiment(**options).run()
    with pytest.raises(RunError, match=r"steps: 3 before, 4 now"):
        NoiseExperiment(**{**options, "steps": 4}, resume=True).run()
    assert NoiseExperiment(**options, resume=True).run()["figures"] == first["figures"]
    (tmp_path / "progress.json").write_text('{"seed 0": ')
    with pytest.raises(RunError, match=r"progress\.json must hold .* damaged .*--overwrite"):
        NoiseExperiment(**options, resume=True).run()
    capsys.readouterr()
    assert NoiseExperiment(**options, overwrite=True).run()["figures"] == first["figures"]
    assert "finished before" not in capsys.readouterr().out


def test_wrong_options():
    for kind, options, told in (
        (DomainAdversaryExperiment, {"seeds": 0}, "--seeds must be at least 1"),
        (DomainAdversaryExperiment, {"output": ""}, "--output must name a folder"),
        (NewtonLossExperiment, {"search_steps": 0}, "--search_steps must be at least 1"),
        (NewtonLossExperiment, {"sizes": []}, "--sizes must name at least one"),
        (NoiseExperiment, {"sigma": -0.1}, "--sigma must be positive"),
        (CompressExperiment, {"amount": 100}, "--amount must be at most 99"),
        (IsaacExperiment, {"resume": True, "overwrite": True}, "exclude each other"),
    ):
        with pytest.raises(RunError, match=told):
            kind(**options)


def test_summaries():
    mean, deviation = summarise([{"a": 1.0, "b": [1.0, 2.0]}, {"a": 3.0, "b": [1.0, 4.0]}])
    assert mean == {"a": 2.0, "b": [1.0, 3.0]}
    assert deviation == {"a": pytest.approx(math.sqrt(2)), "b": [0.0, pytest.approx(math.sqrt(2))]}
    assert summarise([{"a": 1.0}])[1] == {"a": 0.0}
    assert best_setting(lambda x, _: float("nan") if x == 1 else x, [(1,), (3,), (2,)]) == (2,)


def test_batches_show_each_example_once():
    generator = torch.Generator().manual_seed(0)
    assert sorted(torch.cat(batches(6, 3, generator)).tolist()) == list(range(6))
    assert [len(chosen) for chosen in batches(7, 3, generator)] == [3, 3]
    assert [len(chosen) for chosen in batches(2, 3, generator)] == [2], "few examples are learnt from, too"


def test_moons_and_backgrounds():
    generator = torch.Generator().manual_seed(0)
    x, y = moons(2000, 0.0, generator)
    turned, _ = moons(2000, 90.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turned, torch.stack([-x[:, 1], x[:, 0]], 1), atol=1e-5, rtol=1e-5)
    assert y.float().mean() == 0.5 and x[y == 0][:, 1].mean() > x[y == 1][:, 1].mean()
    images = torch.rand(5, 64)
    changed = change_background(images, generator)
    assert ((changed >= 0) & (changed <= 1)).all() and not torch.allclose(changed, images)


def test_bits_come_back_after_the_delay():
    stream = list(bit_stream(3, 2, 10, torch.Generator().manual_seed(0)))
    for (x, _), (_, target) in zip(stream, stream[2:], strict=False):
        assert torch.equal((x[:, 0] + 1) / 2, target)


def test_influences_have_opposite_signs():
    """Near units push up, far ones down, and the far ones win: the limit is -6 times the parameter."""
    theta = torch.tensor(0.5, requires_grad=True)
    learner = RTRL(influence, torch.zeros(23), {"theta": theta})
    seed = torch.zeros(23)
    seed[0] = 1
    early = [learner.gradient(seed)["theta"].item() for _ in range(5) if learner.advance() is not None]
    for _ in range(300):
        state = learner.advance()
    assert early[-1] > 0 and state[0].item() == pytest.approx(-3.0, abs=1e-3)
    assert learner.gradient(seed)["theta"].item() == pytest.approx(-6.0, abs=1e-3)


def test_tasks_of_newton_losses():
    pytest.importorskip("sklearn")
    task = SortTask("NeuralSort", 3)

    class Reader(nn.Module):
        def forward(self, images):
            return images.flatten(1).sum(1, keepdim=True)

    sets = task.sets("test", 7)
    task.outputs = lambda model, images: sets.values.float()
    assert task.judge(Reader(), "test") == (100.0, 100.0)
    paths = PathTask(side=4)
    _, costs, _ = paths._parts["test"]
    paths.outputs = lambda model, x: costs
    assert paths.judge(nn.Identity(), "test").exact == 100.0
    for mode in ("base", "hessian", "fisher"):
        assert 0 <= train(SortTask("Cauchy network", 3), mode, 1.0, 1e-3, 2, 0, "adam", "test", 4).parts <= 100


@pytest.mark.parametrize("task", [VectorTask("NeuralSort", 3), EditTask()], ids=["vectors", "edit"])
def test_tasks_without_images(task):
    """A teacher scores all; each way of training runs, and some steps teach more than chance."""
    teacher = {"VectorTask": lambda _, x: x @ _direction(), "EditTask": lambda _, x: -torch.cdist(x, task._shapes)}
    for mode in ("base", "hessian", "fisher"):
        assert 0 <= train(task, mode, 1.0, 1e-3, 1, 0, "sgd", "test", 4).parts <= 100
    assert train(task, "base", 1.0, 1e-2, 30, 0, "adam", "test").parts > 50.0
    task.outputs = teacher[type(task).__name__]
    found = task.judge(nn.Identity(), "test")
    assert found.parts == 100.0 if isinstance(task, VectorTask) else found.parts > 75.0


def _direction():
    return torch.randn(10, generator=torch.Generator().manual_seed(99)) / 10**0.5


def test_the_edit_task_leaves_out_a_letter():
    task = EditTask()
    _, shorter, words = task._parts["train"]
    ways = [torch.cat([words[:, :k], words[:, k + 1 :]], 1) for k in range(4)]
    assert torch.stack([(way == shorter).all(1) for way in ways]).any(0).all()
    certain = 30 * nn.functional.one_hot(words, 4).float()
    value = task.loss()(certain, shorter)  # one deletion, and less for the choice among ways
    assert ((value <= 1.0 + 1e-5) & (value > 0.8)).all()


def test_the_gradient_of_perturbed_paths():
    """Right minus mean path; its derivative is that of the perturbed layer, symmetric by differences."""
    task = PathTask(side=3, samples=1000)
    costs = (torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.5).requires_grad_()
    target = task.solver(costs.detach())
    torch.manual_seed(0)
    (gradient,) = torch.autograd.grad(task.loss()(costs, target).sum(), costs, create_graph=True)
    torch.manual_seed(0)
    torch.testing.assert_close(gradient, target - task.layer(costs), atol=0.05, rtol=0)  # other draws
    (row,) = torch.autograd.grad(gradient[0, 1, 1], costs)
    assert row[0, 1, 1] > 0  # costlier cells are used less: the loss is convex
