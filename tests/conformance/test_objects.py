"""Public objects: pickle, copies, ``state_dict``, ``repr``."""

import copy
import pickle

import pytest
import torch

from tests.conformance.cases import close
from tests.conformance.registry import objects

every_object = pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in objects()])


def used(entry, value) -> tuple[torch.Tensor, ...]:
    result = entry.use(value)
    return tuple(t.detach() for t in (result if isinstance(result, tuple) else (result,)))


@every_object
@pytest.mark.parametrize("clone", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_copies_are_equal(entry, clone):
    original = entry.make()
    twin = clone(original)
    assert type(twin) is type(original) and repr(twin) == repr(original)
    close(used(entry, twin), used(entry, original), 0)


@every_object
def test_repr_shows_the_arguments(entry):
    value = entry.make()
    assert repr(value).startswith(type(value).__name__ + "(") and " at 0x" not in repr(value)
    assert all(text in repr(value) for text in entry.shows)


modules = [entry for entry in objects() if isinstance(entry.make(), torch.nn.Module)]


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in modules])
def test_state_dict_holds_everything(entry):
    original, other = entry.make(), entry.make()
    with torch.no_grad():
        for value in other.state_dict().values():
            value.zero_()
    other.load_state_dict(original.state_dict())
    close(used(entry, other), used(entry, original), 0)
    state = copy.deepcopy(original).double().state_dict().values()
    assert {value.dtype for value in state if value.is_floating_point()} <= {torch.float64}
