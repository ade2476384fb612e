"""The logic experiment: small runs, rules that can be read, what is refused."""

import os
from pathlib import Path

import pytest
import torch

from algonets import logic
from algonets.experiments._training import RunError
from algonets.experiments.logic import LogicExperiment
from algonets.experiments.logic.baselines import baselines
from algonets.experiments.logic.report import save_graph
from algonets.experiments.logic.rule import find_rule, formula
from algonets.experiments.logic.tasks import DATA, Preset, Task, build, load, preset
from algonets.experiments.logic.training import GateLearner, intervals

DATA_DIR = Path(os.environ.get("ALGONETS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def xor_task() -> Task:
    numbers = torch.arange(16)
    bits = (numbers[:, None] >> torch.arange(4) & 1).to(torch.uint8)
    labels = (bits[:, 0] ^ bits[:, 2]).long()
    return Task(bits, labels, bits, labels, 2, ("p", "q", "r", "s"))


def test_a_run_on_digits(tmp_path):
    pytest.importorskip("sklearn")
    found = LogicExperiment(
        output=str(tmp_path), layers=2, width=400, bits=2, temperature=1.0, steps=80, rate=0.1, marks=2
    ).run()
    assert found["circuit_equals_hardened_network"] and found["hard_accuracy"] > 50
    assert found["gates_before"] == sum(found["gate_types"].values()) == 800 > found["gates"]
    assert len(found["history"]) == 2 and found["history"][-1]["hard"] == found["hard_accuracy"]
    for name in ("report.png", "circuit.bin", "metrics.json", "settings.json"):
        assert (tmp_path / name).is_file()
    circuit = logic.Circuit.load(tmp_path / "circuit.bin")
    task = load("digits", None, 0)
    right = 100 * float((circuit.predict(task.test) == task.test_labels).float().mean())
    assert right == pytest.approx(found["hard_accuracy"], abs=0.01)
    with pytest.raises(RunError, match="holds a run already"):
        LogicExperiment(output=str(tmp_path)).run()


def without_times(found: dict) -> dict:
    """What must not depend on when it ran."""
    history = [{k: v for k, v in entry.items() if "seconds" not in k} for entry in found["history"]]
    kept = ("soft_accuracy", "hard_accuracy", "train_hard_accuracy", "gate_types", "gates", "depth")
    return {"history": history, **{name: found[name] for name in kept}}


@pytest.mark.parametrize("sampling", ["soft", "gumbel"])
def test_an_interrupted_run_ends_as_an_unbroken_one(tmp_path, monkeypatch, sampling):
    pytest.importorskip("sklearn")
    options = {"layers": 1, "width": 100, "bits": 1, "steps": 21, "rate": 0.1, "marks": 3, "sampling": sampling}
    options["trainer"] = {"enable_progress_bar": False}
    whole = LogicExperiment(output=str(tmp_path / "a"), **options).run()
    step = GateLearner.training_step

    def power_cut(self, batch, batch_index):
        if self.global_step == 17:
            raise RuntimeError("power cut")
        return step(self, batch, batch_index)

    with monkeypatch.context() as patch:
        patch.setattr(GateLearner, "training_step", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            LogicExperiment(output=str(tmp_path / "b"), **options).run()
    assert not (tmp_path / "b" / "metrics.json").exists()
    with pytest.raises(RunError, match="settings"):
        LogicExperiment(output=str(tmp_path / "b"), resume=True, **(options | {"rate": 0.2})).run()
    resumed = LogicExperiment(output=str(tmp_path / "b"), resume=True, **options).run()
    assert without_times(resumed) == without_times(whole)
    again = LogicExperiment(output=str(tmp_path / "b"), resume=True, **options).run()  # nothing left to train
    assert without_times(again) == without_times(whole)
    assert (tmp_path / "a" / "circuit.bin").read_bytes() == (tmp_path / "b" / "circuit.bin").read_bytes()


def test_intervals():
    assert intervals(10, 3) == [3, 4, 3] and sum(intervals(1300, 20)) == 1300 and min(intervals(7, 7)) == 1


def test_long_intervals_are_trained_in_full(tmp_path):
    pytest.importorskip("sklearn")
    options = {"layers": 1, "width": 20, "bits": 1, "steps": 521, "batch": 2, "trainer": {"enable_progress_bar": False}}
    found = LogicExperiment(output=str(tmp_path), marks=2, **options).run()
    assert [entry["step"] for entry in found["history"]] == [260, 521]


def test_a_convolutional_network(tmp_path):
    pytest.importorskip("sklearn")
    options = {"kernels": 4, "layers": 1, "width": 100, "bits": 2, "temperature": 1.0, "steps": 60, "rate": 0.1}
    found = LogicExperiment(output=str(tmp_path), marks=2, **options).run()
    trees = 7 * (4 + 12 + 36)
    assert found["circuit_equals_hardened_network"] and sum(found["gate_types"].values()) == trees + 100
    assert found["soft_accuracy"] > 30
    image = torch.zeros(2, 9, dtype=torch.uint8)
    small = Task(image, torch.zeros(2).long(), image, torch.zeros(2).long(), 2, image=(1, 3, 3)).as_images()
    with pytest.raises(RunError, match="at least 8 x 8"):
        build(small, Preset(1, 8, 1, 1.0, 1, kernels=2), "soft", 0)


def test_a_rule_is_found_and_can_be_read(tmp_path):
    task = xor_task()
    circuit, fitted = find_rule(task, seeds=2, steps=200)
    assert fitted == 100.0 and len(circuit.kind) == 1
    assert formula(circuit, task.names) in ("(p differs from r)", "(r differs from p)")
    save_graph(tmp_path / "rule.png", circuit, task.names, "xor")
    assert (tmp_path / "rule.png").stat().st_size > 1000


@pytest.mark.parametrize(("table", "words"), [
    (1, "(x and y)"), (7, "(x or y)"), (9, "(x equals y)"), (6, "(x differs from y)"), (14, "(not x or not y)"),
    (12, "not x"), (15, "true"), (0, "false"),
])  # fmt: skip
def test_formulas(table, words):
    layer = logic.LogicLayer(2, 1, wiring=torch.tensor([[0], [1]]))
    with torch.no_grad():
        layer.weights.zero_()
        layer.weights[0, table] = 1.0
    assert formula(logic.compile(layer), ("x", "y")) == words


def test_baselines():
    pytest.importorskip("sklearn")
    found = baselines(xor_task(), 40, 0)
    assert found["decision tree"]["accuracy"] == 100.0 and found["logistic regression"]["accuracy"] < 80
    assert any(name.startswith("MLP") for name in found)


@pytest.mark.parametrize(
    "options",
    [
        {"output": ""},
        {"width": 0},
        {"rate": -1.0},
        {"marks": 0},
        {"data": "monk1", "bits": 3},
        {"bits": 0},
        {"data": "monk1", "kernels": 4},
        {"kernels": -1},
        {"seed": -1},
        {"resume": True, "overwrite": True},
        {"trainer": {"devices": 2}},
    ],
)
def test_wrong_options(options):
    with pytest.raises(RunError):
        LogicExperiment(**options)


def test_a_width_that_does_not_divide(tmp_path):
    pytest.importorskip("sklearn")
    with pytest.raises(RunError, match="multiple of the 10 classes"):
        LogicExperiment(output=str(tmp_path), width=301).run()


@pytest.mark.data
@pytest.mark.parametrize("data", DATA)
def test_every_task_loads(data):
    if not DATA_DIR.is_dir():
        pytest.skip(f"no datasets at {DATA_DIR}: set ALGONETS_DATA")
    if data in ("cifar10", "digits"):
        pytest.skip("large, or read above")
    task = load(data, str(DATA_DIR), 0)
    assert len(task.train) == len(task.train_labels) and len(task.test) == len(task.test_labels) > 0
    assert int(task.train_labels.max()) < task.classes and preset(data).width % task.classes == 0
    assert task.train.shape[1] == (400 if data == "mnist" else len(task.names))
