"""Odd paths and files on the command line: one line that says what is wrong, never a traceback."""

import pytest

from algonets.cli import main

QUICK = ["--epochs", "1", "--train-size", "32", "--trainer.enable_progress_bar", "false"]


@pytest.fixture
def refused(capsys):
    """Run a command that must fail with one line on standard error; return the line."""

    def run(*arguments) -> str:
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:  # how jsonargparse refuses
            status = stop.code
        error = capsys.readouterr().err
        assert status in (1, 2) and "Traceback" not in error, error
        return error

    return run


def test_output_that_is_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "--output must be a folder" in refused("train", "words", *QUICK, "--output", tmp_path / "file")


def test_output_that_cannot_be_made(refused):
    assert "--output must be a folder" in refused("train", "words", *QUICK, "--output", "/proc/x")


def test_empty_output(refused):
    assert "--output must name a folder" in refused("train", "words", *QUICK, "--output", "")


@pytest.mark.parametrize("content", ["{broken", "[]"])
def test_damaged_settings(refused, tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    error = refused("train", "words", *QUICK, "--resume", "--output", tmp_path)
    assert "settings.json" in error and "--overwrite" in error


def test_config_that_is_no_text(refused, tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\x89PNG\xff\xfe")
    assert refused("train", "words", "--config", tmp_path / "x.yaml")


def test_too_many_readings(refused, tmp_path):
    (tmp_path / "c").write_text("")
    assert refused("read", "--checkpoint", tmp_path / "c", "--best", "100000", "a.png")
