"""Learning costs from paths: scores are right, every method learns, and a run goes on where it was stopped."""

import json

import pytest
import torch

from algonets.cli import main
from algonets.data import TerrainMaps
from algonets.experiments.paths import METHODS, build_method, evaluate
from algonets.experiments.paths.evaluate import score_paths
from algonets.graph import GridPath

TINY = [
    *["--side", "4", "--train_size", "8", "--test_size", "6", "--batch_size", "4", "--width", "2", "--epochs", "2"],
    *["--trainer.enable_progress_bar", "false"],
]


def run(folder, *more: str) -> int:
    return main(["train", "paths", *TINY, "--output", str(folder), *more])


def test_scores_by_hand():
    costs = torch.tensor([[1.0, 1, 9], [9, 1, 9], [9, 9, 1]]).expand(4, 3, 3)
    right = torch.eye(3).expand(4, 3, 3)
    found = torch.stack(
        [
            torch.eye(3),
            torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 0, 1]]),  # a detour of 1
            torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 1]]),  # cheap, but no path
            torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ]
    )
    score = score_paths(found, costs, right)
    assert score == (0.25, 0.25, pytest.approx((0 + 1 / 3) / 2), 0.5)
    tied = torch.tensor([[1.0, 1, 1], [1, 1, 1], [1, 1, 1]])[None]
    other = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
    assert score_paths(other, tied, other) == (1.0, 1.0, 0.0, 1.0)


def test_true_costs_are_perfect_and_equal_costs_are_not():
    data = TerrainMaps(size=40, side=6)
    score, found = evaluate(3 * data.costs, data.costs, data.paths, direct=False)
    assert score.optimal == score.exact == 1 and score.regret == pytest.approx(0, abs=1e-6)
    assert torch.equal(found, data.paths)
    assert evaluate(torch.ones_like(data.costs), data.costs, data.paths, False)[0].optimal < 0.7
    assert evaluate(data.paths - 0.5, data.costs, data.paths, True)[0].optimal == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns(name):
    """Costs of the five kinds of terrain, shared by all maps, from their paths: Adam on five numbers."""
    torch.manual_seed(0)
    data = TerrainMaps(size=30, side=6)
    kinds = data.kinds.long()
    raw = torch.zeros(5, requires_grad=True)
    optimizer = torch.optim.Adam([raw], 0.1)
    loss = build_method(name)
    if name == "resnet":  # no algorithm: logits of the tiles themselves
        raw = torch.zeros(data.paths.shape, requires_grad=True)
        optimizer = torch.optim.Adam([raw], 0.1)
    for _ in range(60):
        said = raw if name == "resnet" else torch.nn.functional.softplus(raw)[kinds] + 0.05
        value = loss(said, data.paths)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    score, _ = evaluate(said.detach(), data.costs, data.paths, name == "resnet")
    equal, _ = evaluate(torch.ones_like(data.costs), data.costs, data.paths, False)
    assert score.optimal > equal.optimal + 0.1


def test_a_comparison_and_its_files(tmp_path, capsys):
    assert run(tmp_path / "a", "--compare", "--methods", "[hinge,resnet]") == 0
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert set(metrics["methods"]) == {"hinge", "resnet"} and len(metrics["methods"]["hinge"]["curve"]) == 2
    assert (tmp_path / "a" / "report.png").stat().st_size > 5000
    assert (tmp_path / "a" / "example.png").stat().st_size > 5000
    capsys.readouterr()
    assert run(tmp_path / "a", "--compare", "--methods", "[hinge,unroll]") == 1
    assert "--resume" in capsys.readouterr().err
    assert run(tmp_path / "a", "--compare", "--methods", "[hinge,unroll]", "--resume") == 0
    assert "hinge: finished before" in capsys.readouterr().out
    again = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert again["methods"]["hinge"] == metrics["methods"]["hinge"]


def test_options_that_do_not_fit(tmp_path, capsys):
    for wrong in (["--compare", "--strength", "2"], ["--methods", "[hinge]"], ["--side", "2"]):
        assert run(tmp_path / "c", *wrong) != 0
    assert "--strength" in capsys.readouterr().err


def test_margin_and_noise_may_make_costs_negative():
    """Methods hand negative costs to the solver, which counts them as 0."""
    costs = torch.full((2, 4, 4), 0.05, requires_grad=True)
    paths = GridPath(8)(costs.detach())
    for name in ("hinge", "fenchel-young", "imle", "blackbox"):
        build_method(name)(costs, paths).backward()
