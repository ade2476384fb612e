"""The command line with its output captured, and one tiny trained run."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import QUICK, Outcome, call

if any(importlib.util.find_spec(name) is None for name in ("jsonargparse", "lightning", "matplotlib", "PIL")):
    collect_ignore_glob = ["test_*.py"]  # without the extra `experiments` there is no command line


@pytest.fixture
def algonets(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``algonets("read", image, ...)`` gives status, stdout and stderr."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = call(*arguments)
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run of one epoch; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("run") / "words"
    assert call("train", "words", "--output", folder, *QUICK) == 0
    return folder


@pytest.fixture
def own_run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may spoil."""
    return Path(shutil.copytree(trained, tmp_path / "words"))


@pytest.fixture
def checkpoint(trained: Path) -> Path:
    return trained / "checkpoints" / "last.ckpt"
