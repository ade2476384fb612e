"""The file of a circuit: read back equal, refused when cut, altered, of another version, or no circuit."""

import hashlib
import struct

import pytest
import torch

from algonets.logic import Circuit, compile
from tests.logic.networks import EVENTS, NETWORKS, rows


@pytest.mark.parametrize("name", NETWORKS)
def test_read_back(name, tmp_path):
    circuit = compile(NETWORKS[name](), torch.zeros(1, *EVENTS[name]))
    circuit.save(tmp_path / "net.circuit")
    assert [path.name for path in tmp_path.iterdir()] == ["net.circuit"]
    again = Circuit.load(tmp_path / "net.circuit")
    x = rows(name, 100)
    assert torch.equal(again(x), circuit(x)) and repr(again) == repr(circuit)
    assert again.to_bytes() == circuit.to_bytes()
    assert again.stats() == circuit.stats()


def sealed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def test_damage_is_refused(tmp_path):
    content = compile(NETWORKS["dense"]()).to_bytes()
    path = tmp_path / "net.circuit"

    def load(data: bytes) -> None:
        path.write_bytes(data)
        Circuit.load(path)

    load(content)
    for size in range(0, len(content), 97):
        with pytest.raises(ValueError, match=r"Circuit\.load"):
            load(content[:size])
    for place in range(0, len(content), 101):
        spoiled = bytearray(content)
        spoiled[place] ^= 4
        with pytest.raises(ValueError, match=r"Circuit\.load"):
            load(bytes(spoiled))
    with pytest.raises(ValueError, match="version 1"):
        load(sealed(content[:8] + struct.pack("<I", 9) + content[12:-32]))
    with pytest.raises(ValueError, match="bytes left over"):
        load(sealed(content[:-32] + b"more"))
    with pytest.raises(ValueError, match=r"Circuit\.save wrote"):
        load(b"PK\3\4 something else")
    # A right checksum over a wrong content: gates of later nodes.
    place = len(content) - 32 - 4
    with pytest.raises(ValueError, match="earlier nodes"):
        load(sealed(content[:place] + b"\xff\xff\xff\x7f"))
    with pytest.raises(FileNotFoundError):
        Circuit.load(tmp_path / "missing")
