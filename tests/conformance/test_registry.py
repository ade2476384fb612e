"""The registry covers everything public."""

import fnmatch
import importlib.util
import inspect
import types
from pathlib import Path

import pytest

import algonets as an
from tests.conformance.registry import ROOMS, exemptions, failures, objects, operations


def is_covered(name: str) -> bool:
    entries = [entry.name for entry in (*operations(), *objects())]
    return any(entry == name or entry.startswith(f"{name}.") for entry in entries)


def is_exempt(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in exemptions())


def public_names(room: str) -> list[str]:
    """List what a room exports, and the public methods and properties that its classes define."""
    module, names = getattr(an, room), []
    for name in module.__all__:
        value = getattr(module, name)
        names.append(f"{room}.{name}")
        if inspect.isclass(value):
            ours = [base for base in value.__mro__ if base.__module__.startswith("algonets")]
            members = sorted({member for base in ours for member in vars(base) if not member.startswith("_")})
            members = [
                m for m in members if isinstance(inspect.getattr_static(value, m), types.FunctionType | property)
            ]
            names += [f"{room}.{name}.{member}" for member in members]
    return names


def test_every_room_is_known():
    rooms = {name for name in an.__all__ if isinstance(getattr(an, name), types.ModuleType)}
    rooms |= {"relax"}  # the decorator, with the names of its package as attributes
    assert rooms - {"nets"} == set(ROOMS)  # networks are no operations: tests/nets has them


@pytest.mark.parametrize("room", ROOMS)
def test_room_loads(room):
    if room in failures():
        raise failures()[room]


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_is_covered(room):
    missing = [name for name in public_names(room) if not is_covered(name) and not is_exempt(name)]
    assert not missing, f"register an operation or an exemption for {missing}"


@pytest.mark.parametrize("room", ROOMS)
def test_everything_registered_is_public(room):
    known = public_names(room)
    entries = [entry.name for entry in (*operations(), *objects()) if entry.name.split(".")[0] == room]
    assert entries and not [name for name in entries if name not in known and not name.endswith(".__call__")]


def test_exemptions_are_needed():
    names = [name for room in ROOMS for name in public_names(room) if not is_covered(name)]
    idle = [pattern for pattern in exemptions() if not fnmatch.filter(names, pattern)]
    assert not idle, f"remove the exemptions {idle}"


def test_docs_table_shows_every_operation(tmp_path):
    script = Path(__file__).parents[2] / "docs" / "_generate_operations.py"
    spec = importlib.util.spec_from_file_location("_generate_operations", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_table(tmp_path / "operations.md")
    text = (tmp_path / "operations.md").read_text(encoding="utf-8")
    assert all(f"| `{operation.row or operation.name}` | {operation.summary} |" in text for operation in operations())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
