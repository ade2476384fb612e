"""Learning through relaxed programs: programs are right, tasks learn, and a run goes on where it was stopped."""

import json

import pytest
import torch

from algonets.cli import main
from algonets.data import Digits, NumberSets, SyntheticWords, TerrainMaps
from algonets.distributions import Cauchy, Logistic
from algonets.experiments.relax import EditTask, PathTask, SortTask, grid
from algonets.experiments.relax.edit import edit_distance, levenshtein
from algonets.experiments.relax.path import cheapest, occupancy
from algonets.experiments.relax.sort import bubble_sort
from algonets.graph import GridPath

QUIET = ["--trainer.enable_progress_bar", "false", "--laws", "[logistic]", "--scales", "[0.3]"]
TINY = {
    "relax-sort": ["--steps", "4", "--interval", "2", "--batch_size", "4", "--width", "2", "--test_sets", "20"],
    "relax-edit": [
        *["--steps", "4", "--interval", "2", "--batch_size", "4", "--width", "2", "--longest", "4"],
        *["--train_size", "60", "--test_size", "40"],
    ],
    "relax-path": [
        *["--steps", "4", "--interval", "2", "--batch_size", "4", "--width", "2", "--side", "4", "--sweeps", "5"],
        *["--train_size", "10", "--test_size", "10"],
    ],
}


def run(name, folder, *more):
    return main(["train", name, *TINY[name], *QUIET, "--output", str(folder), *more])


def test_the_grid_has_baselines_and_all_pairs():
    methods = grid(["logistic", "cauchy"], [0.1, 1.0], ["plain"])
    assert list(methods) == ["plain", "logistic-0.1", "logistic-1", "cauchy-0.1", "cauchy-1"]
    assert methods["plain"].law is None and methods["cauchy-1"].law.scale == 1.0


def test_bubble_sort_counts_swaps():
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(0))
    values, swaps = bubble_sort(x)
    assert torch.equal(values, x.sort(-1).values)
    inversions = (x[:, :, None] > x[:, None, :]).triu(1).sum((1, 2))
    assert torch.equal(swaps, inversions)


@pytest.mark.parametrize(("a", "b"), [("abc", "abc"), ("abc", "acd"), ("a", "bcd"), ("cab", "b")])
def test_the_relaxed_distance_is_that_of_strings(a, b):
    longest = 4
    pair = [torch.full((longest, 5), 0.0) for _ in "ab"]
    for rows, word in zip(pair, (a, b), strict=True):
        for k, letter in enumerate(word):
            rows[k, "abcd".index(letter)] = 1.0
    x, y = (rows[None] for rows in pair)
    m, n = torch.tensor([len(a)]), torch.tensor([len(b)])
    expected = torch.tensor([float(edit_distance(a, b))])
    torch.testing.assert_close(levenshtein(x, y, m, n), expected)
    torch.testing.assert_close(levenshtein.soft(x, y, m, n, distribution=Logistic(0.02)), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("law", [Logistic(1e-3), Cauchy(1e-4)])
def test_the_gradient_of_the_distance_is_the_path(law):
    """Costs are disturbed, so that there is one cheapest path only; the library's solver is the oracle."""
    maps = TerrainMaps(size=6, side=6, tile=4)
    costs = maps.costs + 0.3 * torch.rand(maps.costs.shape, generator=torch.Generator().manual_seed(0))
    path = GridPath(8)(costs)
    torch.testing.assert_close(cheapest(costs, 12), (costs * path).sum((1, 2)))
    torch.testing.assert_close(occupancy(costs, 12, law), path, atol=0.02, rtol=0)


def test_paths_teach_costs():
    maps = TerrainMaps(size=40, side=5, tile=4)
    task = PathTask(maps, maps, 16, 7, 8)
    methods = grid(["cauchy"], [0.3], ["cnn"])
    network, losses = trained(task, methods["cauchy-0.3"], 40, 2e-2)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert task.measure(network.eval(), True)["optimal"] > 50


def trained(task, method, steps, rate):
    torch.manual_seed(0)
    network = task.network(method)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(steps):
        loss = task.loss(network, task.batch(generator), method)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return network, losses


def test_swaps_teach_order():
    digits = Digits()
    sets = NumberSets(digits.images, digits.labels, n=3, digits=1, size=100)
    task = SortTask((digits.images, digits.labels), sets, 16, 4)
    methods = grid(["logistic"], [0.1], ["pairwise"])
    before = task.measure(task.network(methods["logistic-0.1"]), True)["EW"]
    network, losses = trained(task, methods["logistic-0.1"], 40, 5e-3)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert task.measure(network.eval(), True)["EW"] > max(before, 33.3) + 15


def test_distances_teach_letters():
    words = [SyntheticWords(True, 60, lexicon=["abc", "cab", "aac", "bbc"], difficulty=0.2) for _ in "ab"]
    task = EditTask(*words, 24, 4, 3, 8)
    methods = grid(["logistic"], [0.3], ["network"])
    network, losses = trained(task, methods["logistic-0.3"], 30, 1e-2)
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert task.measure(network.eval(), True)["letters"] > 60


def test_accuracy_is_that_of_the_best_assignment():
    words = SyntheticWords(True, 20, lexicon=["ab"], difficulty=0.0)
    task = EditTask(words, words, 2, 3, 2, 2)

    class Swapped(torch.nn.Module):
        def forward(self, images):
            return torch.eye(3)[(1 - task.labels) * 2][: len(images)]

    assert task.measure(Swapped(), True) == {"letters": 100.0, "clusters used": pytest.approx(200 / 3)}


@pytest.mark.parametrize("name", TINY)
def test_a_run_writes_its_report_and_resumes(name, tmp_path):
    assert run(name, tmp_path) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert "logistic-0.3" in metrics["methods"] and len(metrics["methods"]) >= 2
    assert all(len(result["curve"]) == 2 for result in metrics["methods"].values())
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert run(name, tmp_path) == 1  # holds a run already
    assert run(name, tmp_path, "--resume") == 0
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert run(name, tmp_path, "--overwrite") == 0
    again = json.loads((tmp_path / "metrics.json").read_text())
    for method, result in again["methods"].items():
        before = metrics["methods"][method]
        assert result["curve"][-1][metrics["score"]] == before["curve"][-1][metrics["score"]]


@pytest.mark.parametrize(
    "wrong",
    [["--scales", "[0.0]"], ["--steps", "0"], ["--learning_rate", "-1"], ["--n", "1"]],
)
def test_wrong_options_say_so(wrong, tmp_path, capsys):
    assert run("relax-sort", tmp_path, *wrong) == 1
    assert wrong[0] in capsys.readouterr().err
