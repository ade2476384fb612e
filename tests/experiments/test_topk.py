"""Top-k classification: the accuracies are right, both losses learn, and a run goes on where it was stopped."""

import json

import pytest
import torch
from torch.nn import functional

from algonets.cli import main
from algonets.data import Digits
from algonets.experiments.topk import PictureClassifier, accuracies
from algonets.experiments.topk.evaluate import evaluate
from algonets.losses import TopKCrossEntropy
from algonets.nets import SmallCnn
from algonets.sort import OddEven

TINY = [
    *["--data", "digits", "--train_size", "64", "--batch_size", "16", "--width", "2", "--epochs", "2"],
    *["--trainer.enable_progress_bar", "false"],
]


def run(folder, *more: str) -> int:
    return main(["train", "topk", *TINY, "--output", str(folder), *more])


def test_accuracies_by_hand():
    scores = torch.tensor([[9.0, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4], [1, 1, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5]])
    labels = torch.tensor([0, 2, 0, 0])  # place 1; 3; tied for the first; 6
    assert accuracies(scores, labels) == [0.25, 0.5, 0.75, 0.75, 0.75]
    assert accuracies(torch.eye(3), torch.arange(3)) == [1.0, 1.0, 1.0]


def test_a_perfect_scorer_is_perfect():
    class Reads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(1))

        def forward(self, pictures):
            return self.one * functional.one_hot(pictures[:, 0, 0, 0].long(), 10)

    labels = torch.arange(10).repeat(3)
    images = labels.to(torch.uint8)[:, None, None, None].expand(30, 1, 8, 8)
    assert evaluate(Reads(), images, labels, at_once=7) == [1.0] * 5


@pytest.mark.parametrize("loss", [functional.cross_entropy, TopKCrossEntropy(OddEven(), [0.5, 0, 0, 0, 0.5])])
def test_both_losses_learn(loss):
    torch.manual_seed(0)
    digits = Digits()
    images, labels = digits.images[:100].unsqueeze(1), digits.labels[:100]
    classifier = PictureClassifier(loss, images, 10, (images, labels), 8)
    optimizer = torch.optim.Adam(classifier.parameters(), 0.01)
    losses = []
    for _ in range(40):
        value = loss(classifier(images), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.3 * losses[0]
    assert evaluate(classifier, images, labels)[0] > 0.9


def test_a_stopped_run_goes_on_and_finished_ones_do_not_run_again(tmp_path, capsys):
    assert run(tmp_path / "a", "--seeds", "2") == 0
    assert run(tmp_path / "b", "--seeds", "1") == 0
    folder = tmp_path / "b" / "cross-entropy-0"
    (folder / "result.json").unlink()
    capsys.readouterr()
    assert run(tmp_path / "b", "--seeds", "2") == 1
    assert "--resume" in capsys.readouterr().err
    assert run(tmp_path / "b", "--seeds", "2", "--resume") == 0
    output = capsys.readouterr().out
    assert "going on" in output and "top-k, seed 0: finished before" in output
    found = [json.loads((tmp_path / x / "metrics.json").read_text())["losses"] for x in "ab"]
    for losses in found:
        assert set(losses) == {"cross-entropy", "top-k"}
        for result in losses.values():
            assert len(result["mean"]) == len(result["std"]) == 5
            assert all(run.pop("train_seconds") >= 0 for run in result["runs"])
    assert found[0] == found[1]
    assert (tmp_path / "a" / "report.png").stat().st_size > 8000
    top = found[0]["top-k"]
    two = [result["accuracies"][0] for result in top["runs"]]
    assert top["mean"][0] == pytest.approx(sum(two) / 2, abs=1e-3)
    assert top["std"][0] == pytest.approx(abs(two[0] - two[1]) / 2**0.5, abs=1e-3)


def test_a_method_of_ones_own(tmp_path):
    options = ["--method=NeuralSort", "--method.temperature=0.7", "--loss", "top-k", "--weights", "[0.2,0.8]"]
    assert run(tmp_path, *options, "--seeds", "1") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["method"] == "NeuralSort(temperature=0.7)" and metrics["weights"] == [0.2, 0.8]
    assert list(metrics["losses"]) == ["top-k"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["--weights", "[0.5,0.2]"], "sum to 1"),
        (["--learning_rate", "-1"], "--learning_rate must be positive"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--trainer.devices", "2"], "one device"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, message):
    assert run(tmp_path, *options) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_help_can_be_read(capsys):
    with pytest.raises(SystemExit):
        main(["train", "topk", "--help"])
    text = capsys.readouterr().out
    assert "--weights" in text and "cifar10-jpeg" in text and "--compare" not in text


def test_the_network_takes_any_batch():
    network = SmallCnn((3, 16, 12), 7, 4).eval()
    images = torch.rand(2, 3, 3, 16, 12)
    assert network(images).shape == (2, 3, 7)
    assert torch.allclose(network(images)[1, 2], network(images[1, 2]), atol=1e-5)
    assert network(torch.zeros(0, 3, 16, 12)).shape == (0, 7)
    with pytest.raises(ValueError, match=r"\(\*batch, 3, 16, 12\)"):
        network(torch.zeros(1, 3, 12, 16))
    with pytest.raises(ValueError, match="at least 8"):
        SmallCnn((3, 7, 9), 10)
