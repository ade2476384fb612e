"""``algonets export circuit`` and ``algonets run circuit``."""

import numpy as np
import pytest
import torch

from algonets import logic
from tests.logic.networks import images, rows


@pytest.fixture
def saved(tmp_path):
    net = images()
    circuit = logic.compile(net, torch.zeros(1, 2, 8, 8))
    circuit.save(tmp_path / "net.circuit")
    return circuit, tmp_path


@pytest.mark.parametrize(("format", "name", "word"), [
    ("c", "net.h", "eye_predict"),
    ("verilog", "net.v", "module eye ("),
    ("testbench", "net_test.v", "module eye_test;"),
    ("blif", "net.blif", ".model eye"),
    ("aiger", "net.aig", "aig "),
])  # fmt: skip
def test_export(algonets, saved, format, name, word):
    _, folder = saved
    outcome = algonets("export", "circuit", folder / "net.circuit", "--format", format, "--name", "eye")
    assert outcome.status == 0 and name in outcome.out and outcome.err == ""
    assert word.encode() in (folder / name).read_bytes()
    other = folder / "other.txt"
    assert algonets("export", "circuit", folder / "net.circuit", "--format", format, "--output", other).status == 0
    assert other.is_file()


def test_run(algonets, saved):
    circuit, folder = saved
    x = rows("images", 7)
    np.save(folder / "x.npy", x.numpy())
    outcome = algonets("run", "circuit", folder / "net.circuit", "--input", folder / "x.npy")
    assert outcome.status == 0 and [int(line) for line in outcome.out.split()] == circuit.predict(x).tolist()
    target = folder / "y.npy"
    outcome = algonets("run", "circuit", folder / "net.circuit", "--input", folder / "x.npy", "--output", target)
    assert outcome.status == 0 and np.array_equal(np.load(target), circuit.counts(x).numpy())


def test_errors(algonets, saved):
    _, folder = saved
    run = ("run", "circuit", folder / "net.circuit", "--input")
    np.save(folder / "x.npy", np.zeros((2, 3), np.uint8))
    algonets(*run, folder / "x.npy").check_error(1, "must have shape")
    np.save(folder / "complex.npy", np.zeros((2, 2, 8, 8), complex))
    algonets(*run, folder / "complex.npy").check_error(1, "must hold real numbers")
    (folder / "text.npy").write_text("no array")
    algonets(*run, folder / "text.npy").check_error(1, ".npy file of numbers")
    algonets("run", "circuit", folder / "none", "--input", folder / "x.npy").check_error(1, "must be a file")
    content = (folder / "net.circuit").read_bytes()
    (folder / "cut").write_bytes(content[:-1])
    algonets("export", "circuit", folder / "cut", "--format", "c").check_error(1, "unaltered")
    assert algonets("export", "circuit", folder / "net.circuit", "--format", "vhdl").status == 2
