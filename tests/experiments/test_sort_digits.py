"""Learning from order: the scores are right, every method learns, and a run goes on where it was stopped."""

import json

import pytest
import torch

from algonets import sort
from algonets.cli import main
from algonets.data import Digits, NumberSets
from algonets.distributions import Cauchy
from algonets.experiments.sort_digits import METHODS, NumberSorter, build_method, evaluate, order_loss
from algonets.experiments.sort_digits.evaluate import ordering

TINY = [
    *["--steps", "6", "--interval", "2", "--batch_size", "8", "--width", "2", "--test_sets", "20"],
    *["--trainer.enable_progress_bar", "false"],
]


def run(folder, *more: str) -> int:
    return main(["train", "sort-digits", *TINY, "--output", str(folder), *more])


def numbers(size: int = 64, n: int = 4) -> NumberSets:
    digits = Digits()
    return NumberSets(digits.images[:50], digits.labels[:50], n=n, digits=2, size=size)


def test_orders_are_counted_right():
    values = torch.tensor([[30, 10, 20], [1, 2, 3], [5, 4, 6], [7, 8, 9]])
    scores = torch.tensor([[3.0, 1.0, 2.0], [1.0, 3.0, 2.0], [0.0, 0.0, 1.0], [-7.0, 80.0, 80.5]])
    found = ordering(scores, values)
    assert found.exact_match == 0.5  # the second has two wrong places, the third two equal scores
    assert found.element_wise == pytest.approx((3 + 1 + 1 + 3) / 12)


def test_a_perfect_scorer_is_perfect_and_a_constant_one_is_not():
    """The pictures are constant grey levels that say the digit, so the number can be computed from them."""
    images = (torch.arange(10.0) / 10)[:, None, None].expand(10, 4, 4)
    sets = NumberSets(images, torch.arange(10), n=5, digits=3, size=50)

    class Reads(torch.nn.Module):
        def forward(self, pictures):
            digits = (pictures[..., 0, 0, ::4] * 10).round()
            return digits @ torch.tensor([100.0, 10.0, 1.0])

    assert evaluate(Reads(), sets, at_once=7) == (1.0, 1.0)

    class Blank(torch.nn.Module):
        def forward(self, pictures):
            return pictures.new_zeros(pictures.shape[:2])

    assert evaluate(Blank(), sets) == (0.0, 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns(name):
    """Adam on the scores themselves, from near-equal ones, puts every set in order."""
    torch.manual_seed(0)
    values = torch.rand(32, 5).argsort(-1) * 10
    scores = (0.1 * torch.randn(32, 5)).requires_grad_()
    optimizer = torch.optim.Adam([scores], 0.05)
    method = build_method(name)
    losses = []
    for _ in range(100):
        loss = order_loss(method, scores, values)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    # Not monotone: gradients of the wrong sign leave some sets in a wrong order, at any scale (27 and 31 of 32 here).
    least = {"logistic": 0.8, "soft-sort": 0.9}.get(name, 1.0)
    assert ordering(scores.detach(), values).exact_match >= least


def test_losses_by_hand():
    scores, values = torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([[7, 9, 8]])
    pairs = torch.nn.functional.softplus(-torch.tensor([1.0, 2.0, 1.0])).mean()
    assert order_loss("pairwise", scores, values) == pytest.approx(pairs.item())
    ranks = torch.tensor([-1 / 3, 1 / 3, 0.0])
    assert order_loss("regression", scores, values) == pytest.approx(((scores - ranks) ** 2).mean().item())
    method = sort.OddEven(Cauchy(0.1))
    matrix = sort.soft_argsort(scores, method)[0]
    truth = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    entropy = -(truth * matrix.log() + (1 - truth) * (1 - matrix).log()).mean()
    assert order_loss(method, scores, values).item() == pytest.approx(entropy.item(), rel=1e-4)
    ranked = sort.soft_rank(scores, sort.Projection(strength=5.0))
    expected = 0.5 * ((ranked - torch.tensor([[1.0, 3.0, 2.0]])) ** 2).mean()
    assert order_loss(sort.Projection(strength=5.0), scores, values).item() == pytest.approx(expected.item())
    with pytest.raises(TypeError, match="pairwise"):
        order_loss("sorted", scores, values)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_network_learns_a_handful_of_numbers(precision):
    torch.manual_seed(0)
    sets = numbers()
    sorter = NumberSorter(build_method("cauchy"), sets.image_shape, sets, 8, precision=precision)
    sorter.at_once = 100  # in several parts
    optimizer = torch.optim.Adam(sorter.parameters(), 3e-3)
    batch = sets.batch(range(64))
    losses = []
    for _ in range(60):
        loss = order_loss(sorter.method, sorter(batch.images), batch.values)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert evaluate(sorter, sets).exact_match > 0.5


def test_parts_of_a_batch_give_the_same_scores():
    sets = numbers(6)
    sorter = NumberSorter("pairwise", sets.image_shape, sets, 4)
    images = sets.batch(range(6)).images
    whole = sorter(images)
    sorter.at_once = 5
    assert torch.allclose(sorter(images), whole, atol=1e-6)


def test_a_stopped_comparison_goes_on_and_finished_methods_do_not_run_again(tmp_path, capsys):
    methods = ["--compare", "--methods", "[pairwise,cauchy]"]
    assert run(tmp_path / "a", *methods) == 0
    assert run(tmp_path / "b", "--compare", "--methods", "[pairwise]") == 0
    folder = tmp_path / "b" / "cauchy"
    # Stopped after the second of three epochs: the same settings, one epoch less.
    assert run(folder, "--method", "cauchy", "--steps", "4") == 0
    (folder / "result.json").unlink()
    settings = json.loads((tmp_path / "a" / "cauchy" / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(settings))
    capsys.readouterr()
    assert run(tmp_path / "b", *methods) == 1
    assert "--resume" in capsys.readouterr().err
    assert run(tmp_path / "b", *methods, "--resume") == 0
    output = capsys.readouterr().out
    assert "pairwise: finished before" in output and "going on from" in output
    found = [json.loads((tmp_path / x / "metrics.json").read_text())["methods"] for x in "ab"]
    for methods_of in found:
        for result in methods_of.values():
            result.pop("train_seconds")
            for point in result["curve"]:
                point.pop("seconds")
    assert found[0] == found[1]
    assert [point["step"] for point in found[0]["cauchy"]["curve"]] == [2, 4, 6]
    weights = [torch.load(tmp_path / x / "cauchy/checkpoints/last.ckpt", weights_only=True)["state_dict"] for x in "ab"]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert (tmp_path / "b" / "report.png").stat().st_size > 10_000


def test_a_method_of_ones_own_by_class_and_options(tmp_path):
    options = ["--method=Bitonic", "--method.distribution=Cauchy", "--method.distribution.scale=0.4"]
    assert run(tmp_path, *options, "--holdout", "validation", "--n", "6") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    result = metrics["methods"]["Bitonic"]
    assert result["method"] == "Bitonic(distribution=Cauchy(scale=0.4))"
    assert 0 <= result["em"] <= result["ew"] <= 100 and "em5" in result
    saved = (tmp_path / "config.yaml").read_text()
    assert "algonets.sort.Bitonic" in saved
    assert main(["train", "sort-digits", "--config", str(tmp_path / "config.yaml"), "--overwrite"]) == 0
    again = json.loads((tmp_path / "metrics.json").read_text())["methods"]["Bitonic"]
    assert (again["em"], again["ew"]) == (result["em"], result["ew"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n", "1"], "--n must be at least 2, got 1"),
        (["--steps", "0"], "--steps must be at least 1"),
        (["--methods", "[cauchy]"], "--methods says what --compare runs"),
        (["--compare", "--scale", "0.1"], "Leave out --scale"),
        (["--method=NeuralSort", "--scale", "0.1"], "--scale belongs to a method by name"),
        (["--learning_rate", "0"], "--learning_rate must be positive"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--trainer.devices", "2"], "one device"),
        (["--output", ""], "--output must name a folder"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, message):
    assert run(tmp_path, *options) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_truncated_checkpoint_is_named(tmp_path, capsys):
    assert run(tmp_path) == 0
    (tmp_path / "result.json").unlink()
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    assert run(tmp_path, "--resume") == 1
    error = capsys.readouterr().err
    assert "could not be read" in error and str(checkpoint) in error and "Traceback" not in error


def test_help_can_be_read(capsys):
    with pytest.raises(SystemExit):
        main(["train", "sort-digits", "--help"])
    text = capsys.readouterr().out
    assert "--compare" in text and "pairwise" in text and "inverse steepness" in text.lower()
