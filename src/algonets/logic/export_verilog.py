"""Circuits as Verilog, with a testbench that checks itself."""

import math

import torch
from torch import Tensor

from algonets._core.errors import require
from algonets.logic.circuit import Circuit
from algonets.logic.export_c import check_name

__all__ = ["to_testbench", "to_verilog"]


def _width(most: int) -> int:
    return max(1, math.ceil(math.log2(most + 1)))


def to_verilog(circuit: Circuit, name: str = "circuit") -> str:
    """Write a circuit as a combinational Verilog-2001 module.

    Ports: ``in``, the input bits (number i at ``in[i]``; the thermometer stays outside); ``out``, the output bits;
    and of a network with classes ``counts``, the count of class k in its k-th field, and ``prediction``, the class
    with the largest count, the first of equal ones. Counts are trees of adders, the prediction a tree of comparisons.

    Args:
        circuit: The circuit; it needs inputs and outputs.
        name: Of the module.

    Returns:
        The text.

    Raises:
        ValueError: if the name is no identifier, or the circuit has no inputs or outputs.

    Differentiability:
        None.

    Cost:
        O(gates).

    Example:
        >>> import algonets as an
        >>> to_verilog(an.logic.compile(an.logic.LogicLayer(2, 1))).splitlines()[1]
        'module circuit ('
    """
    check_name("to_verilog", name)
    good = circuit.inputs > 0 and len(circuit.literals) > 0
    require(good, "to_verilog(circuit)", "must have inputs and outputs", circuit)
    first, outputs = 1 + circuit.inputs, len(circuit.literals)
    ports = [f"  input  wire [{circuit.inputs - 1}:0] in", f"  output wire [{outputs - 1}:0] out"]
    tail: list[str] = []
    if circuit.groups:
        each = outputs // circuit.groups
        width, index = _width(each), _width(circuit.groups - 1)
        ports += [f"  output wire [{circuit.groups * width - 1}:0] counts", f"  output wire [{index - 1}:0] prediction"]
        tail = _counts(circuit.groups, each, width) + _argmax(circuit.groups, width, index)
    lines = [f"// {circuit!r}, by algonets.", f"module {name} (", ",\n".join(ports), ");"]
    for gate, (a, b, kind) in enumerate(
        zip(circuit.a.tolist(), circuit.b.tolist(), circuit.kind.tolist(), strict=True)
    ):
        lines.append(f"  wire g{first + gate} = {_bit(a, first)} {'^' if kind else '&'} {_bit(b, first)};")
    lines += [f"  assign out[{k}] = {_bit(literal, first)};" for k, literal in enumerate(circuit.literals.tolist())]
    return "\n".join([*lines, *tail, "endmodule"]) + "\n"


def _bit(literal: int, first: int) -> str:
    node = literal >> 1
    if node == 0:
        return "1'b1" if literal & 1 else "1'b0"
    text = f"g{node}" if node >= first else f"in[{node - 1}]"
    return f"~{text}" if literal & 1 else text


def _counts(groups: int, each: int, width: int) -> list[str]:
    """A balanced tree of adders a class; every sum has as many bits as it needs."""
    lines = []
    for k in range(groups):
        level, size = [(f"out[{k * each + j}]", 1) for j in range(each)], 0
        while len(level) > 1:
            joined = []
            for a, b in zip(level[0::2], level[1::2], strict=False):
                most = a[1] + b[1]
                wire = f"s{k}_{size}"
                lines.append(f"  wire [{_width(most) - 1}:0] {wire} = {a[0]} + {b[0]};")
                joined.append((wire, most))
                size += 1
            level = joined + level[2 * len(joined) :]
        lines.append(f"  assign counts[{k * width + width - 1}:{k * width}] = {level[0][0]};")
    return lines


def _argmax(groups: int, width: int, index: int) -> list[str]:
    """A balanced tree; the earlier class wins a tie."""
    lines: list[str] = []
    level = [(f"counts[{k * width + width - 1}:{k * width}]", f"{index}'d{k}") for k in range(groups)]
    size = 0
    while len(level) > 1:
        joined = []
        for a, b in zip(level[0::2], level[1::2], strict=False):
            lines += [
                f"  wire w{size} = {b[0]} > {a[0]};",
                f"  wire [{width - 1}:0] m{size} = w{size} ? {b[0]} : {a[0]};",
                f"  wire [{index - 1}:0] p{size} = w{size} ? {b[1]} : {a[1]};",
            ]
            joined.append((f"m{size}", f"p{size}"))
            size += 1
        level = joined + level[2 * len(joined) :]
    return [*lines, f"  assign prediction = {level[0][1]};"]


def to_testbench(circuit: Circuit, rows: Tensor, name: str = "circuit") -> str:
    """Write a testbench that feeds rows of bits to the module of :func:`to_verilog` and compares every output.

    It prints ``PASS <rows>`` at the end, or ``FAIL`` for every row that differs.

    Args:
        circuit: The circuit.
        rows: ``(N, inputs)`` of 0 and 1, the input bits.
        name: Of the module.

    Returns:
        The text, which holds inputs and expected outputs.

    Raises:
        ValueError: if the name is no identifier or the rows have another shape.

    Differentiability:
        None.

    Cost:
        O(N (inputs + outputs)).

    Example:
        >>> import algonets as an
        >>> text = to_testbench(an.logic.compile(an.logic.LogicLayer(2, 1)), torch.eye(2))
        >>> "PASS" in text
        True
    """
    check_name("to_testbench", name)
    good = isinstance(rows, Tensor) and rows.ndim == 2 and rows.shape[1] == circuit.inputs and len(rows) > 0
    require(good, "to_testbench(rows)", f"must have shape (N, {circuit.inputs})", rows)
    bits = (rows != 0).to(torch.uint8).cpu()
    out = _outputs(circuit, bits)
    vectors, outputs = len(bits), len(circuit.literals)
    ports, checks, declared, expected = ".in(in), .out(out)", "out !== wanted", [], []
    if circuit.groups:
        each = outputs // circuit.groups
        width, index = _width(each), _width(circuit.groups - 1)
        counts = out.unflatten(1, (circuit.groups, each)).sum(2)
        ports += ", .counts(counts), .prediction(prediction)"
        checks += " || prediction !== wanted_class || counts !== wanted_counts"
        declared = [
            f"  wire [{circuit.groups * width - 1}:0] counts; reg [{circuit.groups * width - 1}:0] wanted_counts;",
            f"  wire [{index - 1}:0] prediction; reg [{index - 1}:0] wanted_class;",
        ]
        for row in counts.tolist():
            fields = sum(count << (width * k) for k, count in enumerate(row))
            expected.append(
                f" wanted_class = {row.index(max(row))}; wanted_counts = {circuit.groups * width}'h{fields:x};"
            )
    lines = [
        "`timescale 1ns/1ps",
        f"module {name}_test;",
        f"  reg [{circuit.inputs - 1}:0] in; wire [{outputs - 1}:0] out; reg [{outputs - 1}:0] wanted;",
        "  integer failures;",
        *declared,
        f"  {name} unit ({ports});",
        "  task check; begin",
        "    #1;",
        f'    if ({checks}) begin failures = failures + 1; $display("FAIL in=%h out=%h", in, out); end',
        "  end endtask",
        "  initial begin",
        "    failures = 0;",
    ]
    for k in range(vectors):
        given, wanted = _hex(bits[k]), _hex(out[k])
        more = expected[k] if expected else ""
        lines.append(f"    in = {circuit.inputs}'h{given}; wanted = {outputs}'h{wanted};{more} check;")
    lines += [f'    if (failures == 0) $display("PASS {vectors}");', "    $finish;", "  end", "endmodule"]
    return "\n".join(lines) + "\n"


def _outputs(circuit: Circuit, bits: Tensor) -> Tensor:
    """Output bits ``(N, outputs)``, by the definition of the literals."""
    values = [torch.zeros(len(bits), dtype=torch.uint8), *bits.T]
    read = lambda literal: values[literal >> 1] ^ (literal & 1)  # noqa: E731
    for a, b, kind in zip(circuit.a.tolist(), circuit.b.tolist(), circuit.kind.tolist(), strict=True):
        values.append(read(a) ^ read(b) if kind else read(a) & read(b))
    return torch.stack([read(literal) for literal in circuit.literals.tolist()], 1).to(torch.int64)


def _hex(bits: Tensor) -> str:
    return f"{sum(bit << k for k, bit in enumerate(bits.tolist())):x}"
