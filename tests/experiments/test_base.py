"""The base of the short experiments: trains, reports, goes on after an interruption; measures and pictures."""

import pytest
import torch
from torch import nn

from algonets.experiments._experiment import AbstractExperiment, minibatches
from algonets.experiments._learner import Learner
from algonets.experiments._measures import accuracy, frechet_distance, mean_iou
from algonets.experiments._pictures import mosaic, new_figure
from algonets.experiments._report import Report, at_least, at_most
from algonets.experiments._training import RunError
from algonets.nets import MLP

QUIET = {"enable_progress_bar": False, "logger": False}


class _Tiny(AbstractExperiment):
    name = "tiny"

    def measure(self) -> Report:
        net = MLP((1, 1))
        curve = self.train(
            "line", net, lambda n, x: (n(x) - 3 * x).square().mean(), lambda step: torch.rand(16, 1), 200, 0.5
        )
        criteria = [at_most("last loss", curve[-1], 1e-3), at_least("out of reach", 1.0, 2.0)]
        return Report("Tiny", [{"system": "line", "slope": net.layers[0].weight.item()}], criteria, new_figure(1, 1))


def test_the_base_trains_and_counts_failures(tmp_path, capsys):
    metrics = _Tiny(output=str(tmp_path), trainer=QUIET).run()
    assert [c["passed"] for c in metrics["criteria"]] == [True, False]
    assert metrics["rows"][0]["slope"] == pytest.approx(3, abs=0.05)
    assert (tmp_path / "table.md").read_text().startswith("| system | slope |\n| --- | --- |\n| line | ")
    assert "no  out of reach: 1 >= 2" in capsys.readouterr().out
    with pytest.raises(RunError, match="name a folder"):
        _Tiny(output="")
    with pytest.raises(RunError, match="one device"):
        _Tiny(trainer={"devices": 2})
    with pytest.raises(TypeError, match="name of the subcommand"):
        type("Nameless", (AbstractExperiment,), {"measure": lambda self: None})


class _Two(AbstractExperiment):
    """Two networks; a signal comes at step ``stop`` of the second."""

    name = "two"
    stop: int | None = None

    def measure(self) -> Report:
        rows = []
        for name, replay in (("first", True), ("second", True), ("third", False)):
            torch.manual_seed(self.seed)
            net, noise, notes = MLP((1, 4, 1)), torch.Generator().manual_seed(1), []

            def batch(step, name=name, noise=noise, notes=notes):
                notes.append(step)
                if (name, step) == ("second", self.stop):
                    raise KeyboardInterrupt
                return torch.rand(8, 1, generator=noise)

            curve = self.train(name, net, lambda n, x: (n(x) - x).square().mean(), batch, 500, 0.01, notes, replay)
            rows.append({"network": name, "loss": curve[-1], "losses": len(curve), "batches": len(notes)})
            rows[-1]["weights"] = sum(p.double().sum().item() for p in net.parameters())
        return Report("Two", rows, [], new_figure(1, 1))


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path, capsys, monkeypatch):
    whole = _Two(output=str(tmp_path / "whole"), trainer=QUIET).run()["rows"]
    monkeypatch.setattr(_Two, "stop", 400)
    with pytest.raises(KeyboardInterrupt):
        _Two(output=str(tmp_path / "cut"), trainer=QUIET).run()
    with pytest.raises(RunError, match="--resume"):
        _Two(output=str(tmp_path / "cut"), trainer=QUIET).run()
    monkeypatch.setattr(_Two, "stop", None)
    capsys.readouterr()
    assert _Two(output=str(tmp_path / "cut"), resume=True, trainer=QUIET).run()["rows"] == whole
    said = capsys.readouterr().out
    assert "first: finished before" in said and "250 of them done before" in said
    with pytest.raises(RunError, match="differ"):
        _Two(output=str(tmp_path / "cut"), resume=True, seed=1, trainer=QUIET).run()
    again = _Two(output=str(tmp_path / "cut"), overwrite=True, trainer=QUIET)
    assert again.run()["rows"] == whole and "finished before" not in capsys.readouterr().out


@pytest.mark.parametrize("steps", [1, 2, 5, 100])
def test_the_schedule_rises_and_falls(steps):
    learner = Learner(MLP((1, 1)), lambda n, b: b, steps, 1.0)
    rates = [learner._share_of_rate(step) for step in range(steps)]
    assert all(0 <= rate <= 1 for rate in rates) and max(rates) > 0.4
    if steps == 100:
        assert rates[0] < 0.1 and rates[-1] < 0.01 and max(rates) > 0.95


def test_minibatches_show_each_example_once_an_epoch():
    batches = minibatches((torch.arange(10), torch.arange(10) * 2), 3)
    seen = [batches(step) for step in range(3)]
    whole = torch.cat([x for x, _ in seen])
    assert len(set(whole.tolist())) == 9 and all(torch.equal(y, 2 * x) for x, y in seen)
    assert len(minibatches((torch.arange(2),), 8)(0)[0]) == 2


def test_measures():
    net = nn.Linear(2, 2, bias=False)
    net.weight.data = torch.eye(2)
    assert accuracy(net, torch.eye(2), torch.tensor([0, 0])) == 0.5
    a = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    scaled = a * torch.tensor([1.0, 2.0, 3.0])
    assert frechet_distance(a, scaled) == pytest.approx(1 + 4, rel=0.1)  # (1 - 2)² + (1 - 3)²
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert mean_iou(torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 1], [0, 1]]), 2) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )


def test_a_mosaic_keeps_its_pictures():
    sheet = mosaic(torch.arange(3).float()[:, None, None].expand(3, 2, 2) / 4, 2, gap=1)
    assert sheet.shape == (5, 5, 3) and sheet[0, 0, 0] == 0 and sheet[0, 3, 1] == 0.25 and sheet[3, 0, 2] == 0.5
    assert sheet[2].eq(1).all() and sheet[3, 3].eq(1).all()


class _Parts(AbstractExperiment):
    """Three parts, kept as they come; an interruption before the last."""

    name = "parts"
    made: list[str] = []
    stop = True

    def measure(self) -> Report:
        found = [self.once(key, lambda key=key: self._make(key)) for key in "abc"]
        return Report("Parts", [{"system": "all", "found": str(found)}], [], new_figure(1, 1), {"found": found})

    def _make(self, key):
        if key == "c" and self.stop:
            raise KeyboardInterrupt
        self.made.append(key)
        return {"key": key, "more": self.once(f"{key}, inner", lambda: (1, 2))}


def test_parts_are_made_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_Parts, "made", [])
    state = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        _Parts(output=str(tmp_path)).run()
    monkeypatch.setattr(_Parts, "stop", False)
    found = _Parts(output=str(tmp_path), resume=True).run()["figures"]["found"]
    assert _Parts.made == ["a", "b", "c"] and found == [{"key": key, "more": [1, 2]} for key in "abc"]
    assert torch.equal(torch.get_rng_state(), state)
    _Parts(output=str(tmp_path), overwrite=True).run()
    assert _Parts.made == ["a", "b", "c"] * 2
