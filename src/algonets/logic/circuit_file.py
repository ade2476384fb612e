"""The file format of circuits: a magic word, a version, a JSON header, arrays, a checksum over all of it."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from algonets._core.errors import reject
from algonets.logic.circuit import Circuit

__all__ = ["decode", "encode", "read", "write"]

_MAGIC = b"ALGOCIRC"
_VERSION = 1
_ARRAYS = {"thresholds": "<f4", "a": "<u4", "b": "<u4", "kind": "|u1", "literals": "<u4"}
_DIGEST = 32


def encode(circuit: Circuit) -> bytes:
    """Return the file's content."""
    header: dict[str, Any] = {"inputs": circuit.inputs, "event": list(circuit.event), "groups": circuit.groups}
    header |= {"temperature": circuit.temperature, "gates_before": circuit.gates_before}
    header["shapes"] = {name: list(getattr(circuit, name).shape) for name in _ARRAYS}
    text = json.dumps(header).encode()
    content = _MAGIC + struct.pack("<II", _VERSION, len(text)) + text
    for name, dtype in _ARRAYS.items():
        content += getattr(circuit, name).astype(dtype).tobytes()
    return content + hashlib.sha256(content).digest()


def decode(content: bytes, name: str = "the file") -> Circuit:
    """Rebuild a circuit; a cut or altered file is refused."""
    call = f"Circuit.load({name})"
    if content[: len(_MAGIC)] != _MAGIC:
        reject(call, "must be a file that Circuit.save wrote", "something else")
    if len(content) < len(_MAGIC) + 8 + _DIGEST or hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
        reject(call, "must be whole and unaltered", "another checksum", "Save the circuit again.")
    version, size = struct.unpack_from("<II", content, len(_MAGIC))
    if version != _VERSION:
        reject(call, f"must have version {_VERSION}", version, "Use the algonets that wrote it.")
    place = len(_MAGIC) + 8
    try:
        header = json.loads(content[place : place + size])
        place += size
        arrays = {}
        for name, dtype in _ARRAYS.items():
            shape = tuple(int(n) for n in header["shapes"][name])
            count = int(np.prod(shape, dtype=np.int64))
            found = np.frombuffer(content, dtype, count, place).reshape(shape)
            arrays[name] = found.astype(np.dtype(dtype).newbyteorder("="))
            place += found.nbytes
        if place + _DIGEST != len(content):
            raise ValueError("there are bytes left over")
        numbers = {name: int(header[name]) for name in ("inputs", "groups", "gates_before")}
        event, temperature = tuple(int(n) for n in header["event"]), float(header["temperature"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{call} must hold a header and its arrays, got {error}.") from error
    return Circuit(event=event, temperature=temperature, **numbers, **arrays)


def write(circuit: Circuit, path: Any) -> None:
    """Write beside the place, then rename."""
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.write_bytes(encode(circuit))
    part.replace(target)


def read(path: Any) -> Circuit:
    """Read a file of :func:`write`."""
    return decode(Path(path).read_bytes(), str(path))
