"""Exports, checked by compilers, simulators and equivalence provers that know nothing of us."""

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest
import torch

from algonets.logic import (
    GroupSum,
    LogicLayer,
    Sequential,
    compile,
    harden,
    to_aiger,
    to_blif,
    to_c,
    to_onnx,
    to_testbench,
    to_verilog,
)
from tests.logic.networks import EVENTS, NETWORKS, dense, rows, seeded


def tool(*names: str) -> str:
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    return pytest.skip(f"needs {' or '.join(names)}: apt install it")


def run(*command: str, cwd=None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def of(name: str, **options):
    return compile(NETWORKS[name](), torch.zeros(1, *EVENTS[name]), **options)


def constants():
    """Outputs that are constant, an input, and its opposite."""
    layer = LogicLayer(2, 4, wiring=torch.tensor([[0, 0, 0, 1], [1, 1, 1, 0]]))
    with torch.no_grad():
        layer.weights.zero_()
        layer.weights[torch.arange(4), torch.tensor([0, 15, 3, 12])] = 1.0
    return compile(layer)


MAIN = """
#include <stdio.h>
#include "circuit.h"
int main(void) {
  double x[circuit_features];
  int counts[circuit_classes];
  for (;;) {
    for (int f = 0; f < circuit_features; ++f) if (scanf("%lf", &x[f]) != 1) return 0;
    circuit_counts(x, counts);
    for (int k = 0; k < circuit_classes; ++k) printf("%d ", counts[k]);
    printf("%d\\n", circuit_predict(x));
  }
}
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_c_header(name, tmp_path):
    compiler = tool("gcc", "cc", "clang")
    circuit, x = of(name), rows(name, 200)
    (tmp_path / "circuit.h").write_text(to_c(circuit))
    (tmp_path / "main.c").write_text(MAIN)
    warnings = ("-std=c99", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-O1")
    run(compiler, *warnings, "main.c", "-o", "main", cwd=tmp_path)
    text = "\n".join(" ".join(f"{v:.17g}" for v in row) for row in x.flatten(1).tolist())
    done = subprocess.run([tmp_path / "main"], input=text, capture_output=True, text=True, timeout=60)
    found = np.array([line.split() for line in done.stdout.splitlines()], dtype=int)
    assert np.array_equal(found[:, :-1], circuit.counts(x).numpy())
    assert np.array_equal(found[:, -1], circuit.predict(x).numpy())


@pytest.mark.parametrize("name", [*NETWORKS, "constants"])
def test_verilog_passes_its_testbench(name, tmp_path):
    tool("iverilog")
    circuit = constants() if name == "constants" else of(name)
    bits = torch.rand(60, circuit.inputs, generator=seeded()).round()
    (tmp_path / "circuit.v").write_text(to_verilog(circuit))
    (tmp_path / "test.v").write_text(to_testbench(circuit, bits))
    run("iverilog", "-Wall", "-o", "sim", "circuit.v", "test.v", cwd=tmp_path)
    output = run("vvp", "sim", cwd=tmp_path)
    assert "PASS 60" in output and "FAIL" not in output


def test_the_testbench_finds_a_wrong_gate(tmp_path):
    tool("iverilog")
    circuit = of("dense")
    right = to_verilog(circuit)
    lines = right.splitlines()
    place = next(k for k, line in enumerate(lines) if " ^ " in line)
    lines[place] = lines[place].replace(" ^ ", " | ")
    (tmp_path / "circuit.v").write_text("\n".join(lines))
    bits = torch.rand(60, circuit.inputs, generator=seeded()).round()
    (tmp_path / "test.v").write_text(to_testbench(circuit, bits))
    run("iverilog", "-o", "sim", "circuit.v", "test.v", cwd=tmp_path)
    output = run("vvp", "sim", cwd=tmp_path)
    assert "FAIL" in output and "PASS" not in output


def test_the_testbench_holds_the_counts_of_the_circuit():
    """What it expects is computed apart from the runtime: compare the two."""
    circuit = of("dense")
    bits = torch.rand(5, circuit.inputs, generator=seeded()).round()
    text = to_testbench(circuit, bits)
    for prediction in circuit.predict(bits).tolist():
        assert f"wanted_class = {prediction};" in text


@pytest.mark.parametrize("name", ["dense", "lookup", "learned"])
def test_simplified_is_proved_equal_to_unsimplified(name, tmp_path):
    """An equivalence checker proves it for every input, on AIGER and BLIF."""
    abc = tool("berkeley-abc", "abc", "yosys-abc")
    simple, plain = of(name), of(name, simplify=False)
    (tmp_path / "simple.aig").write_bytes(to_aiger(simple))
    (tmp_path / "plain.aig").write_bytes(to_aiger(plain))
    (tmp_path / "plain.blif").write_text(to_blif(plain))
    for other in ("plain.aig", "plain.blif"):
        output = run(abc, "-c", f"cec -n simple.aig {other}", cwd=tmp_path)
        assert "Networks are equivalent" in output, output
    (tmp_path / "other.aig").write_bytes(to_aiger(compile(_changed(NETWORKS[name]()), torch.zeros(1, *EVENTS[name]))))
    output = run(abc, "-c", "cec -n simple.aig other.aig", cwd=tmp_path)
    assert "NOT EQUIVALENT" in output.upper() and "Networks are equivalent" not in output


def _changed(net):
    """The same network with other gates in its last layer of gates."""
    last = [module for module in net if hasattr(module, "weights")][-1]
    with torch.no_grad():
        last.weights.mul_(-1)
    return net


def test_verilog_is_proved_equal_to_blif(tmp_path):
    yosys = tool("yosys")
    circuit = of("learned")
    (tmp_path / "circuit.v").write_text(to_verilog(circuit))
    (tmp_path / "gold.blif").write_text(to_blif(circuit, "gold"))
    wrapper = [
        f"module gold_bus (input wire [{circuit.inputs - 1}:0] in, output wire [13:0] out);",
        "  gold g (",
    ]
    ports = [f".i{k}(in[{k}])" for k in range(circuit.inputs)] + [f".o{k}(out[{k}])" for k in range(14)]
    (tmp_path / "bus.v").write_text("\n".join([*wrapper, ", ".join(ports), ");", "endmodule"]))
    script = (
        "read_blif gold.blif; read_verilog circuit.v bus.v; hierarchy -check; proc; flatten gold_bus; opt; "
        "miter -equiv -flatten -make_outputs gold_bus circuit miter; hierarchy -top miter; flatten; opt; "
        "sat -verify -prove trigger 0 miter"
    )
    output = run(yosys, "-q", "-p", script, cwd=tmp_path)
    assert "ERROR" not in output


def test_counts_in_verilog_are_those_of_the_circuit(tmp_path):
    """A class with as many gates as the others, one of them alone, and ties."""
    tool("iverilog")
    for classes, width in ((1, 7), (2, 2), (5, 35)):
        net = Sequential(LogicLayer(6, width, initialization="normal", generator=seeded(classes)), GroupSum(classes))
        circuit = compile(net)
        numbers = torch.arange(64)
        bits = (numbers[:, None] >> torch.arange(6) & 1).float()
        (tmp_path / "circuit.v").write_text(to_verilog(circuit))
        (tmp_path / "test.v").write_text(to_testbench(circuit, bits))
        run("iverilog", "-o", "sim", "circuit.v", "test.v", cwd=tmp_path)
        assert "PASS 64" in run("vvp", "sim", cwd=tmp_path)


def test_refused():
    circuit = compile(dense())
    for function in (to_c, to_verilog, to_blif):
        with pytest.raises(ValueError, match="identifier"):
            function(circuit, "two words")
    with pytest.raises(ValueError, match=r"\(N, 20\)"):
        to_testbench(circuit, torch.zeros(3, 4))


def test_onnx_without_the_package():
    if importlib.util.find_spec("onnx") is not None:
        pytest.skip("onnx is installed")
    with pytest.raises(ImportError, match="pip install"):
        to_onnx(dense(), torch.zeros(2, 20), "net.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_computes_the_same(name, tmp_path):
    """Soft and hardened networks, batches of any size, as ONNX Runtime runs them."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    soft, x = NETWORKS[name](), rows(name, 7)
    for net in (soft, harden(soft)):
        to_onnx(net, x[:2], tmp_path / "net.onnx")
        session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
        for batch in (x, x[:1]):
            (found,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
            with torch.no_grad():
                torch.testing.assert_close(torch.from_numpy(found), net(batch), rtol=1e-4, atol=1e-5)
