"""Circuits in the formats of logic synthesis: BLIF and AIGER."""

from algonets.logic.circuit import Circuit
from algonets.logic.export_c import check_name

__all__ = ["to_aiger", "to_blif"]


def to_blif(circuit: Circuit, name: str = "circuit") -> str:
    """Write a circuit in the Berkeley logic interchange format: inputs ``i0 ...``, outputs ``o0 ...``, the output bits.

    Args:
        circuit: The circuit.
        name: Of the model.

    Returns:
        The text.

    Raises:
        ValueError: if the name is no identifier.

    Differentiability:
        None.

    Cost:
        O(gates).

    References:
        Berkeley Logic Interchange Format, UC Berkeley (1992).

    Example:
        >>> import algonets as an
        >>> to_blif(an.logic.compile(an.logic.LogicLayer(2, 1))).splitlines()[1]
        '.inputs i0 i1'
    """
    check_name("to_blif", name)
    first = 1 + circuit.inputs
    wire = lambda node: f"g{node}" if node >= first else f"i{node - 1}" if node else "zero"  # noqa: E731
    lines = [f".model {name}", ".inputs" + "".join(f" i{k}" for k in range(circuit.inputs))]
    lines += [".outputs" + "".join(f" o{k}" for k in range(len(circuit.literals))), ".names zero"]
    for gate, (a, b, kind) in enumerate(
        zip(circuit.a.tolist(), circuit.b.tolist(), circuit.kind.tolist(), strict=True)
    ):
        lines.append(f".names {wire(a >> 1)} {wire(b >> 1)} {wire(first + gate)}")
        p, q = 1 - (a & 1), 1 - (b & 1)
        lines += [f"{p}{1 - q} 1", f"{1 - p}{q} 1"] if kind else [f"{p}{q} 1"]
    for k, literal in enumerate(circuit.literals.tolist()):
        lines += [f".names {wire(literal >> 1)} o{k}", f"{1 - (literal & 1)} 1"]
    return "\n".join([*lines, ".end"]) + "\n"


def to_aiger(circuit: Circuit) -> bytes:
    """Write a circuit in the binary AIGER format (version 1.9); every xor becomes three ands.

    Args:
        circuit: The circuit.

    Returns:
        The content of an ``.aig`` file.

    Differentiability:
        None.

    Cost:
        O(gates).

    References:
        A. Biere (2007), The AIGER And-Inverter Graph (AIG) Format.

    Example:
        >>> import algonets as an
        >>> to_aiger(an.logic.compile(an.logic.LogicLayer(2, 1)))[:11]
        b'aig 2 2 0 1'
    """
    ands: list[tuple[int, int]] = []
    literal = [2 * node for node in range(1 + circuit.inputs)]  # of each node of ours, in the file

    def conjoin(a: int, b: int) -> int:
        ands.append((max(a, b), min(a, b)))
        return 2 * (circuit.inputs + len(ands))

    for a, b, kind in zip(circuit.a.tolist(), circuit.b.tolist(), circuit.kind.tolist(), strict=True):
        x, y = literal[a >> 1] ^ (a & 1), literal[b >> 1] ^ (b & 1)
        if kind:
            both, none = conjoin(x, y), conjoin(x ^ 1, y ^ 1)
            literal.append(conjoin(both ^ 1, none ^ 1))
        else:
            literal.append(conjoin(x, y))
    outputs = [literal[o >> 1] ^ (o & 1) for o in circuit.literals.tolist()]
    head = f"aig {circuit.inputs + len(ands)} {circuit.inputs} 0 {len(outputs)} {len(ands)}\n"
    body = b"".join(
        _delta(2 * (circuit.inputs + k) - high) + _delta(high - low) for k, (high, low) in enumerate(ands, 1)
    )
    return head.encode() + "".join(f"{o}\n" for o in outputs).encode() + body


def _delta(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while number >= 128:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
