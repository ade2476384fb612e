"""Nothing is lost: killed, interrupted and distributed runs of `algonets train words`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning
import lightning.pytorch.demos.boring_classes
import pytest
import torch

from algonets.cli import main
from algonets.experiments._training import fit, make_trainer

TINY = [
    *["--data", "synthetic", "--train_size", "96", "--batch_size", "8", "--width", "4"],
    *["--trainer.enable_progress_bar", "false"],
]


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "algonets", "train", "words", *TINY, "--output", str(folder), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}


def start_and_wait_for_checkpoint(folder: Path, *more: str) -> subprocess.Popen:
    process = subprocess.Popen(
        command(folder, *more), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.01)
    return process


def outcome(folder: Path) -> tuple[dict, dict]:
    metrics = json.loads((folder / "metrics.json").read_text())
    for way in metrics["ways"].values():
        way.pop("train_seconds")
    return metrics, torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_as_an_unbroken_one(tmp_path):
    epochs = ["--epochs", "6"]
    unbroken = subprocess.run(command(tmp_path / "a", *epochs), env=environment(), capture_output=True, text=True)
    assert unbroken.returncode == 0, unbroken.stderr
    process = start_and_wait_for_checkpoint(tmp_path / "b", *epochs)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "b" / "metrics.json").exists(), "it ended before it could be killed"
    epoch = torch.load(tmp_path / "b" / "checkpoints" / "last.ckpt", weights_only=False)["epoch"]
    assert epoch < 5
    resumed = subprocess.run(
        command(tmp_path / "b", *epochs, "--resume"), env=environment(), capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from" in resumed.stdout
    metrics, weights = outcome(tmp_path / "a")
    metrics_resumed, weights_resumed = outcome(tmp_path / "b")
    assert metrics == metrics_resumed
    for name, value in weights.items():
        assert torch.equal(value, weights_resumed[name]), name


@pytest.mark.slow
def test_sigint_leaves_a_resumable_run(tmp_path):
    process = start_and_wait_for_checkpoint(tmp_path, "--epochs", "400")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "--resume" in output and "Traceback" not in output
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=False)
    assert state["epoch"] < 399


def test_an_interrupt_that_a_library_swallows_still_stops_the_run(tmp_path):
    class Swallow(lightning.Callback):
        def on_train_batch_start(self, *_):
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    model = lightning.pytorch.demos.boring_classes.BoringModel()
    trainer = make_trainer(tmp_path, 1, 0, {"enable_progress_bar": False, "callbacks": [Swallow()]}, "swallow")
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, model, lightning.pytorch.demos.boring_classes.BoringDataModule(), None)
    assert trainer.global_step == 1
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_two_processes_train_together(tmp_path):
    """DDP on two CPU processes: the same number of words in half the steps, one set of results."""
    options = ["--epochs", "1", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    done = subprocess.run(command(tmp_path, *options), env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=False)
    assert state["global_step"] == 96 // 8 // 2
    assert json.loads((tmp_path / "metrics.json").read_text())["ways"]["analytic"]["letters"] > 0
    assert done.stdout.count("Held-out") == 1


def run(folder: Path, *more: str) -> int:
    return main(["train", "words", *TINY, "--output", str(folder), "--epochs", "1", *more])


def test_a_folder_with_a_run_is_not_overwritten_by_accident(tmp_path, capsys):
    assert run(tmp_path, "--way", "independent") == 0
    first = (tmp_path / "metrics.json").read_text()
    assert run(tmp_path, "--way", "independent") == 1
    assert "--resume" in (message := capsys.readouterr().err) and "--overwrite" in message
    assert run(tmp_path, "--way", "independent", "--seed", "1", "--resume") == 1
    assert "seed: 0 before, 1 now" in capsys.readouterr().err
    assert run(tmp_path, "--way", "independent", "--resume", "--overwrite") == 1
    assert (tmp_path / "metrics.json").read_text() == first
    assert run(tmp_path, "--way", "independent", "--resume") == 0  # finished already: the same result at once
    assert json.loads((tmp_path / "metrics.json").read_text())["ways"] == json.loads(first)["ways"]
    assert run(tmp_path, "--way", "analytic", "--overwrite") == 0


def test_a_truncated_checkpoint_is_named(tmp_path, capsys):
    assert run(tmp_path) == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    capsys.readouterr()
    assert run(tmp_path, "--resume") == 1
    error = capsys.readouterr().err
    assert "could not be read" in error and str(checkpoint) in error and "Traceback" not in error


def test_options_come_from_yaml_and_go_back_to_it(tmp_path):
    assert run(tmp_path / "a", "--margin", "2.5", "--way", "pool-hinge") == 0
    saved = tmp_path / "a" / "config.yaml"
    assert "margin: 2.5" in saved.read_text()
    assert main(["train", "words", "--config", str(saved), "--output", str(tmp_path / "b")]) == 0
    ways = [json.loads((tmp_path / x / "metrics.json").read_text())["ways"]["pool-hinge"] for x in "ab"]
    assert ways[0]["letters"] == ways[1]["letters"]
