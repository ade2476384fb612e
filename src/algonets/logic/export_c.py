"""Circuits as a C header without dependencies."""

import re

import numpy as np

from algonets._core.errors import require
from algonets.logic.circuit import Circuit

__all__ = ["check_name", "to_c"]


def check_name(call: str, name: str) -> str:
    """Require an identifier."""
    good = isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
    require(good, f"{call}(name)", "must be an identifier", name)
    return name


def to_c(circuit: Circuit, name: str = "circuit") -> str:
    """Write a circuit as a C99 header.

    It has ``<name>_words``, which takes 64 examples at a time, a bit each, in a word for each input, and gives a word
    for each output; ``<name>_counts`` for one example of doubles (the thermometer inside), with the count of each
    class; and ``<name>_predict``, the class.

    Args:
        circuit: The circuit.
        name: Prefix of the functions.

    Returns:
        The text.

    Raises:
        ValueError: if the name is no identifier.

    Differentiability:
        None.

    Cost:
        O(gates). Beyond some 100,000 gates compilers take minutes.

    Example:
        >>> import algonets as an
        >>> text = to_c(an.logic.compile(an.logic.LogicLayer(2, 1)))
        >>> "static inline int circuit_predict(const double *x)" in text
        True
    """
    check_name("to_c", name)
    classes = circuit.groups or len(circuit.literals)
    each = len(circuit.literals) // classes if classes else 0
    bits, features = circuit.thresholds.shape
    lines = [
        f"/* {circuit!r}, by algonets. C99, no dependencies. */",
        f"#ifndef {name.upper()}_H",
        f"#define {name.upper()}_H",
        "#include <stdint.h>",
        "",
        f"enum {{ {name}_inputs = {circuit.inputs}, {name}_outputs = {len(circuit.literals)},",
        f"       {name}_features = {features}, {name}_classes = {classes} }};",
        "",
        "/* 64 examples: bit s of in[i] is input i of example s. */",
        f"static inline void {name}_words(const uint64_t *in, uint64_t *out) {{",
        "  (void)in;",
    ]
    first = 1 + circuit.inputs
    for gate, (a, b, kind) in enumerate(
        zip(circuit.a.tolist(), circuit.b.tolist(), circuit.kind.tolist(), strict=True)
    ):
        sign = "^" if kind else "&"
        lines.append(f"  const uint64_t g{first + gate} = {_word(a, first)} {sign} {_word(b, first)};")
    for k, literal in enumerate(circuit.literals.tolist()):
        lines.append(f"  out[{k}] = {_word(literal, first)};")
    lines += ["}", "", "/* Input t * features + f is x[f] > threshold[t][f]. */"]
    lines.append(f"static const float {name}_thresholds[{max(circuit.inputs, 1)}] = {{")
    numbers = [_number(value) for value in circuit.thresholds.reshape(-1)]
    lines += ["  " + ", ".join(numbers[k : k + 12]) + "," for k in range(0, len(numbers), 12)] or ["  0"]
    lines += [
        "};",
        f"static inline void {name}_counts(const double *x, int *counts) {{",
        f"  uint64_t in[{max(circuit.inputs, 1)}], out[{max(len(circuit.literals), 1)}];",
        f"  for (int t = 0; t < {bits}; ++t)",
        f"    for (int f = 0; f < {features}; ++f)",
        f"      in[t * {features} + f] = x[f] > (double){name}_thresholds[t * {features} + f];",
        f"  {name}_words(in, out);",
        f"  for (int k = 0; k < {classes}; ++k) {{",
        "    counts[k] = 0;",
        f"    for (int j = 0; j < {each}; ++j) counts[k] += (int)(out[k * {each} + j] & 1);",
        "  }",
        "}",
        f"static inline int {name}_predict(const double *x) {{",
        f"  int counts[{max(classes, 1)}], best = 0;",
        f"  {name}_counts(x, counts);",
        f"  for (int k = 1; k < {classes}; ++k)",
        "    if (counts[k] > counts[best]) best = k;",
        "  return best;",
        "}",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _word(literal: int, first: int) -> str:
    node = literal >> 1
    if node == 0:
        return "~UINT64_C(0)" if literal & 1 else "UINT64_C(0)"
    text = f"g{node}" if node >= first else f"in[{node - 1}]"
    return f"~{text}" if literal & 1 else text


def _number(value: np.float32) -> str:
    if np.isinf(value):
        return "(float)1e999" if value > 0 else "(float)-1e999"
    text = f"{float(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
