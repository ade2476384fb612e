"""``algonets export circuit`` and ``algonets run circuit``: circuit files in other languages, and at work."""

from pathlib import Path
from typing import Literal

import numpy
import torch

from algonets import logic
from algonets.experiments._training import RunError

__all__ = ["FORMATS", "export_circuit", "run_circuit"]

Format = Literal["c", "verilog", "testbench", "blif", "aiger"]
FORMATS: dict[str, str] = {"c": ".h", "verilog": ".v", "testbench": "_test.v", "blif": ".blif", "aiger": ".aig"}


def export_circuit(circuit: Path, format: Format, output: Path | None = None, name: str = "circuit") -> int:
    """Write a circuit file in another format, beside it by default."""
    loaded = _load(circuit)
    target = output or circuit.with_name(circuit.stem + FORMATS[format])
    if format == "aiger":
        content = logic.to_aiger(loaded)
    elif format == "testbench":
        bits = torch.rand(200, loaded.inputs, generator=torch.Generator().manual_seed(0)).round()
        content = logic.to_testbench(loaded, bits, name).encode()
    else:
        write = {"c": logic.to_c, "verilog": logic.to_verilog, "blif": logic.to_blif}[format]
        content = write(loaded, name).encode()
    target.write_bytes(content)
    print(f"{loaded!r}\n{target}: {len(content):,} bytes")
    return 0


def run_circuit(circuit: Path, input: Path, output: Path | None = None) -> int:
    """Run a circuit file on the rows of a NumPy array; print the classes, or write the counts."""
    loaded = _load(circuit)
    try:
        rows = numpy.load(input, allow_pickle=False)
        x = torch.from_numpy(numpy.ascontiguousarray(rows))
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise RunError(f"run circuit: --input must be a .npy file of numbers, got {input} ({error}).") from error
    try:
        counts = loaded.counts(x)
    except TypeError as error:
        raise RunError(f"run circuit: --input must hold real numbers, got {input} ({error}).") from error
    if output is not None:
        with output.open("wb") as file:
            numpy.save(file, counts.numpy())
        print(f"{output}: counts of shape {tuple(counts.shape)}")
        return 0
    shown = counts.argmax(-1) if loaded.groups else counts
    for row in shown.reshape(-1, 1) if loaded.groups else shown.reshape(-1, shown.shape[-1]):
        print(" ".join(map(str, row.tolist())))
    return 0


def _load(path: Path) -> logic.Circuit:
    if not path.is_file():
        raise RunError(f"the circuit must be a file that Circuit.save or `algonets train logic` wrote, got {path}.")
    return logic.Circuit.load(path)
