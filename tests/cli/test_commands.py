"""The commands that need no training, the parser, and what is said when an extra is missing."""

import functools
import importlib.metadata
import sys

import pytest
import torch

import algonets as an
from algonets import cli
from algonets.cli import bench as bench_module
from algonets.experiments import EXPERIMENTS


def test_console_script():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="algonets")
    assert script.load() is cli.main


# ---- help and spelling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help(algonets, arguments):
    status, out, err = algonets(*arguments)
    assert status == 0 and err == ""
    assert all(command in out for command in ("train", "read", "list", "doctor", "bench"))


@pytest.mark.parametrize("command", [("train",), ("train", "words"), ("read",), ("list",), ("doctor",), ("bench",)])
def test_help_of_a_command(algonets, command):
    status, out, err = algonets(*command, "--help")
    assert status == 0 and "usage: " in out and err == ""


def test_train_help_explains_the_options(algonets):
    out = " ".join(algonets("train", "words", "--help").out.split())
    for words in ("Passes over the training words", "--data_dir", "--resume", "--trainer.accelerator", "pool-hinge"):
        assert words in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frobnicate",), ("invalid choice", "'frobnicate'", "'train'")),
        (("list", "--foo"), ("--foo", "--help")),
        (("train",), ("words",)),
        (("train", "sentences"), ("invalid choice", "'sentences'", "'words'")),
        (("train", "words", "--way", "nope"), ("way", "nope", "pool-hinge")),
        (("train", "words", "--data", "mnist"), ("data", "mnist", "synthetic", "ocr")),
        (("train", "words", "--epochs", "many"), ("epochs", "many", "int")),
        (("train", "words", "--learning-rate", "fast"), ("learning_rate", "fast", "float")),
        (("train", "words", "--learning-rate", "nan"), ("learning_rate", "nan", "float")),
        (("train", "words", "--epoch-count", "3"), ("--epoch_count",)),
        (("train", "words", "--trainer.max_epochs", "3"), ("max_epochs",)),
        (("train", "words", "--config", "/no/such.yaml"), ("/no/such.yaml",)),
        (("read",), ("image", "checkpoint", "required")),
        (("read", "a.png"), ("checkpoint", "required")),
        (("read", "a.png", "--checkpoint", "c", "--best", "all"), ("best", "all")),
        (("read", "a.png", "--checkpoint", "c", "--letters", "two"), ("letters", "two")),
        (("bench", "--threads", "some"), ("threads", "some")),
    ],
)
def test_wrong_use_exits_with_2(algonets, arguments, words):
    status, out, err = algonets(*arguments)
    assert status == 2 and out == "" and "Traceback" not in err
    assert all(word in err for word in words), err


@pytest.mark.parametrize("options", [("--train-size", "7"), ("--train_size", "7"), ("--train-size=7",)])
def test_hyphens_and_underscores(algonets, options):
    status, out, _ = algonets("train", "words", *options, "--data-dir=/a-b_c", "--print_config")
    assert status == 0 and "train_size: 7\n" in out and "data_dir: /a-b_c\n" in out


def test_print_config_is_a_config(algonets, tmp_path, capsys):
    first = algonets("train", "words", "--way", "unroll", "--iterations", 5, "--print_config")
    assert first.status == 0 and "way: unroll\n" in first.out and "iterations: 5\n" in first.out
    path = tmp_path / "config.yaml"
    path.write_text(first.out)
    again = algonets("train", "words", "--config", path, "--iterations", 6, "--print_config")
    assert again.status == 0 and again.out == first.out.replace("iterations: 5\n", "iterations: 6\n")


# ---- doctor, list, bench -------------------------------------------------------------------------------------


def test_doctor(algonets, monkeypatch, tmp_path):
    (tmp_path / "cache" / "algonets" / "mnist").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ALGONETS_DATA", str(tmp_path / "nowhere"))
    status, out, _ = algonets("doctor")
    assert status == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(("extra", "data")))
    assert lines["algonets"] == an.__version__ and torch.__version__ in lines["torch"]
    assert "native CPU kernels" in lines["backend"] if an.native_status()[0] else "plain torch" in lines["backend"]
    assert lines["$ALGONETS_DATA"] == f"{tmp_path / 'nowhere'} (does not exist)"
    assert f"{tmp_path / 'cache' / 'algonets'} (mnist)" in out
    assert "extra experiments" in out and "installed" in out


def test_doctor_without_kernels(algonets, monkeypatch):
    monkeypatch.delenv("ALGONETS_DATA", raising=False)
    monkeypatch.setattr(an, "native_status", lambda: (False, "no compiler"))
    status, out, err = algonets("doctor")
    assert status == 0 and "plain torch" in out and "not set" in out
    assert "no compiler" in err and "C++ compiler" in err


def test_doctor_names_what_is_missing(algonets, monkeypatch):
    monkeypatch.setattr("algonets.cli.doctor._version", lambda package: None if package == "rich" else "1")
    assert "missing rich\n" in algonets("doctor").out


def test_list(algonets):
    status, out, _ = algonets("list")
    assert status == 0
    for name in EXPERIMENTS:
        assert f"  {name} " in out
    for room in (an.dp, an.losses, an.semirings, an.tconorms, an.distributions):
        assert f"{room.__name__}: " in out and all(
            f"\n  {name} " in out for name in room.__all__ if callable(getattr(room, name))
        )
    described = [line for line in out.splitlines() if line.startswith("  ")]
    assert all(len(line.split(maxsplit=1)) == 2 for line in described)


@pytest.fixture
def short_bench(monkeypatch):
    monkeypatch.setattr(bench_module, "_milliseconds", functools.partial(bench_module._milliseconds, seconds=0.0))


@pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")
def test_bench(algonets, short_bench):
    threads = torch.get_num_threads()
    status, out, _ = algonets("bench", "--threads", 1)
    assert status == 0 and an.active_backend() == "auto" and torch.get_num_threads() == threads
    rows = [line.split() for line in out.splitlines()[2:]]
    assert len(rows) == 9 and {(row[-5], row[-4]) for row in rows} == {("26", "10"), ("26", "100"), ("128", "100")}
    for row in rows:
        slow, fast, ratio = map(float, row[-3:])
        assert slow > 0 and fast > 0 and ratio == pytest.approx(slow / fast, rel=0.1, abs=0.1 + 0.02 * ratio / fast)


def test_bench_without_kernels(algonets, monkeypatch):
    monkeypatch.setattr(an, "native_status", lambda: (False, "no compiler"))
    status, out, _ = algonets("bench")
    assert status == 1 and "nothing to compare" in out and "algonets doctor" in out


@pytest.mark.parametrize("threads", [0, -1])
def test_bench_threads_must_be_positive(algonets, short_bench, threads):
    algonets("bench", "--threads", threads).check_error(1, "threads", str(threads))


# ---- a missing extra -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["jsonargparse", "lightning"])
@pytest.mark.parametrize("arguments", [("train", "words"), ("read", "a.png"), ("list",), ()])
def test_missing_extra_gives_the_pip_hint(algonets, monkeypatch, package, arguments):
    for name in ("algonets.cli.commands", "algonets.experiments._training"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    algonets(*arguments).check_error(2, package, "pip install 'algonets[experiments]'")


def test_doctor_runs_without_the_extra(algonets, monkeypatch):
    monkeypatch.delitem(sys.modules, "algonets.cli.commands", raising=False)
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    status, out, _ = algonets("doctor")
    assert status == 0 and an.__version__ in out


def test_missing_pillow_gives_the_pip_hint(algonets, monkeypatch, trained, checkpoint):
    monkeypatch.setitem(sys.modules, "PIL", None)
    outcome = algonets("read", trained / "example.png", "--checkpoint", checkpoint)
    outcome.check_error(2, "PIL", "pip install 'algonets[experiments]'")
