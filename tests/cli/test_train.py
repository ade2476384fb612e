"""``algonets train words``: what a small run leaves behind, and what is refused before it starts."""

import dataclasses
import json
import math
import socket

import pytest

from algonets.data import ocr_letters
from algonets.experiments.words import WordsExperiment, load_reader
from tests.cli.command import QUICK


def test_what_a_run_writes(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert (metrics["data"], metrics["seed"], metrics["epochs"]) == ("synthetic", 0, 1)
    (result,) = metrics["ways"].values()
    assert list(metrics["ways"]) == ["analytic"] and result.keys() == {"letters", "words", "train_seconds"}
    assert 0 < result["letters"] <= 100 and 0 <= result["words"] <= result["letters"]
    assert 0 < result["train_seconds"] < 600
    assert json.loads((trained / "settings.json").read_text())["train_size"] == 64
    assert "train_size: 64" in (trained / "config.yaml").read_text()
    assert any((trained / "tensorboard").iterdir())


def test_pictures_of_a_run(trained):
    image = pytest.importorskip("PIL.Image")
    with image.open(trained / "report.png") as report:
        assert report.format == "PNG" and report.width > 500 and report.height > 1000
        assert len(report.convert("L").getcolors(256)) > 50  # not a blank page
    with image.open(trained / "example.png") as example:
        assert example.height == 16 and example.width % 16 == 0 and example.getextrema()[0] < 128


def test_the_checkpoint_is_the_reader(checkpoint):
    reader = load_reader(checkpoint)
    assert reader.way == "analytic" and reader.alphabet == "abcdefghijklmnopqrstuvwxyz" and not reader.training
    assert all(p.isfinite().all() for p in reader.parameters())


@pytest.mark.parametrize("way", ["independent", "pool-perceptron", "pool-hinge", "unroll"])
def test_every_way_trains(algonets, tmp_path, way):
    outcome = algonets("train", "words", "--way", way, "--output", tmp_path / "o", *QUICK)
    assert outcome.status == 0, outcome.err
    result = json.loads((tmp_path / "o" / "metrics.json").read_text())["ways"][way]
    assert math.isfinite(result["letters"]) and f"algonets read --checkpoint {tmp_path}" in outcome.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", 0), ("--epochs", "at least 1", "got 0")),
        (("--epochs", -3), ("--epochs", "got -3")),
        (("--batch-size", 0), ("--batch_size", "at least 1", "got 0")),
        (("--train-size", 0), ("--train_size", "at least 1", "got 0")),
        (("--resume", "--overwrite"), ("--resume", "--overwrite", "Give one")),
        (("--way", "all", "--trainer.devices", 2), ("--way all", "Choose one")),
        (("--data", "ocr", "--fold", 10, "--data-dir", "/"), ("fold", "9", "10")),
        (("--dropout", 1.0), ("dropout", "[0, 1)")),
        (("--seed", -1), ("seed", "at least 0", "-1")),
    ],
)
def test_bad_values(algonets, tmp_path, options, words):
    algonets("train", "words", *QUICK, "--output", tmp_path / "o", *options).check_error(1, *words)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--iterations", -1, "--way", "unroll"), id="--iterations"),
        pytest.param(("--margin", 0, "--way", "pool-hinge"), id="--margin"),
        pytest.param(("--width", 0), id="--width"),
        pytest.param(("--learning-rate", -1), id="--learning-rate"),
        pytest.param(("--distortion", -1), id="--distortion"),
    ],
)
def test_bad_settings_of_the_model(algonets, tmp_path, options):
    name, value = options[0].removeprefix("--").replace("-", "_"), str(options[1])
    algonets("train", "words", *QUICK, "--output", tmp_path / "o", *options).check_error(1, name, value)


def test_a_finished_run_is_not_replaced(algonets, own_run):
    before = (own_run / "metrics.json").read_bytes(), (own_run / "checkpoints" / "last.ckpt").read_bytes()
    outcome = algonets("train", "words", *QUICK, "--output", own_run)
    outcome.check_error(1, str(own_run), "--resume", "--overwrite", "--output")
    assert before == ((own_run / "metrics.json").read_bytes(), (own_run / "checkpoints" / "last.ckpt").read_bytes())


def test_a_refused_run_leaves_the_config(algonets, own_run):
    before = (own_run / "config.yaml").read_text()
    assert algonets("train", "words", *QUICK, "--seed", 5, "--output", own_run).status == 1
    assert (own_run / "config.yaml").read_text() == before


def test_interrupted(algonets, monkeypatch, tmp_path):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(WordsExperiment, "run", interrupt)
    outcome = algonets("train", "words", *QUICK, "--output", tmp_path / "o")
    assert outcome.status == 130 and "--resume" in outcome.err and "Traceback" not in outcome.err


# ---- the data are not here ---------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Every address of the dataset is a loopback port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    file = dataclasses.replace(ocr_letters._FILE, urls=(f"http://127.0.0.1:{port}/letter.data.gz",))
    monkeypatch.setattr(ocr_letters, "_FILE", file)
    monkeypatch.setattr("algonets.data.remote.time.sleep", lambda seconds: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("ALGONETS_DATA", raising=False)
    return file.urls[0]


@pytest.mark.parametrize("named", [True, False])
def test_ocr_without_data_offline(algonets, offline, tmp_path, named):
    (tmp_path / "data").mkdir()
    folder = ("--data-dir", tmp_path / "data") if named else ()
    outcome = algonets("train", "words", "--data", "ocr", *folder, *QUICK, "--output", tmp_path / "o")
    outcome.check_error(1, "ocr_letters/letter.data.gz", offline, "--data-dir", "$ALGONETS_DATA", "Fetch")
    assert not (tmp_path / "o" / "checkpoints").exists()


def test_ocr_with_a_folder_that_does_not_exist(algonets, offline, tmp_path):
    arguments = ("--data", "ocr", "--data-dir", tmp_path / "typo", "--output", tmp_path / "o")
    algonets("train", "words", *arguments).check_error(1, "existing directory", str(tmp_path / "typo"))


def test_ocr_with_a_damaged_file(algonets, offline, tmp_path):
    path = tmp_path / "ocr_letters" / "letter.data.gz"
    path.parent.mkdir()
    path.write_bytes(b"half a fi")
    arguments = ("--data", "ocr", "--data-dir", tmp_path, "--output", tmp_path / "o")
    algonets("train", "words", *arguments).check_error(1, str(path), "damaged", "Delete it")
    assert path.read_bytes() == b"half a fi"
