"""The switch between the native kernels and plain torch, and the door of the extension."""

import re

import pytest
import torch

import algonets as an
from algonets._core import backend as module
from algonets.dp import LinearChain

needs_native = pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")


@pytest.fixture(autouse=True)
def restored():
    before, threads = module._setting, module._threads
    yield
    module._setting, module._threads = before, threads


def test_default_is_auto():
    assert an.active_backend() == "auto"


def test_setter_takes_effect_at_once():
    an.backend("torch")
    assert an.active_backend() == "torch"
    an.backend("auto")
    assert an.active_backend() == "auto"


@needs_native
def test_context_managers_nest():
    with an.backend("torch") as outer:
        assert repr(outer) == "backend('torch')"
        with an.backend("native"):
            assert an.active_backend() == "native"
            with an.backend("auto"):
                assert an.active_backend() == "auto"
            assert an.active_backend() == "native"
        assert an.active_backend() == "torch"
    assert an.active_backend() == "auto"


def test_restored_after_an_exception():
    with pytest.raises(KeyError), an.backend("torch"):
        raise KeyError
    assert an.active_backend() == "auto"


def test_one_object_can_be_entered_twice():
    plain = an.backend("torch")
    for _ in range(2):
        with plain:
            assert an.active_backend() == "torch"
        assert an.active_backend() == "auto"


@pytest.mark.parametrize("name", ["cuda", "Torch", "", None])
def test_unknown_name(name):
    with pytest.raises(ValueError, match=rf"backend\(name\).*auto, native, torch.*{re.escape(repr(name))}"):
        an.backend(name)
    assert an.active_backend() == "auto"


def test_native_without_the_extension(monkeypatch):
    monkeypatch.setattr(module, "_native", None)
    monkeypatch.setattr(module, "_why_not", "no compiler")
    with pytest.raises(RuntimeError) as caught:
        an.backend("native")
    assert all(word in str(caught.value) for word in ("no compiler", "C++ compiler", "reinstall", "algonets doctor"))
    assert an.active_backend() == "auto" and an.native_status() == (False, "no compiler")
    assert not module.use_native("f", torch.zeros(2))
    with pytest.raises(RuntimeError, match="not available: no compiler"):
        module.native()
    assert LinearChain(torch.zeros(3, 2), torch.zeros(2, 2)).count() == 8
    torch.testing.assert_close(
        LinearChain(torch.zeros(3, 2), torch.zeros(2, 2)).log_partition(), torch.tensor(8.0).log()
    )


@needs_native
def test_use_native_follows_the_setting():
    good = (torch.zeros(2), None, torch.zeros(2, dtype=torch.float64))
    odd = (torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.int64), torch.zeros(2, device="meta"))
    assert module.use_native("f", *good)
    assert not any(module.use_native("f", torch.zeros(2), x) for x in odd)
    with an.backend("torch"):
        assert not module.use_native("f", *good)
    with an.backend("native"):
        assert module.use_native("f", *good)
        for x in odd:
            with pytest.raises(
                ValueError, match=r"^f under backend\('native'\) takes float32 or float64 CPU"
            ) as caught:
                module.use_native("f", None, torch.zeros(2), x)
            assert f"got '{x.dtype} on {x.device}'" in str(caught.value) and "backend('auto')" in str(caught.value)


@needs_native
def test_native_refuses_a_meta_chain():
    factors = torch.zeros(2, 3, 2, device="meta"), torch.zeros(2, 2, device="meta")
    assert LinearChain(*factors).log_partition().shape == (2,)
    with an.backend("native"):
        for call in ("log_partition", "argmax", "marginals"):
            with pytest.raises(ValueError, match=rf"LinearChain\.{call}.*meta"):
                getattr(LinearChain(*factors), call)()


# ---- threads -------------------------------------------------------------------------------------------------


def test_threads():
    assert an.get_num_threads() == torch.get_num_threads()
    an.set_num_threads(3)
    assert an.get_num_threads() == 3
    an.set_num_threads(None)
    assert an.get_num_threads() == torch.get_num_threads()


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_threads_must_be_a_positive_integer(threads):
    an.set_num_threads(2)
    with pytest.raises((ValueError, TypeError), match=rf"set_num_threads\(threads\).*positive integer.*{threads}"):
        an.set_num_threads(threads)
    assert an.get_num_threads() == 2


# ---- the extension -------------------------------------------------------------------------------------------


def kernel_arguments(**changed):
    unary, transition = torch.zeros(2, 3, 4), torch.zeros(1, 1, 4, 4)
    arguments = {"unary": unary, "transition": transition, "start": None, "end": None}
    arguments |= {"lengths": torch.tensor([3, 2]), "out": torch.zeros(2), "threads": 1}
    return arguments | changed


@needs_native
def test_extension_computes():
    arguments = kernel_arguments()
    module.native().chain_log_partition(**arguments)
    torch.testing.assert_close(arguments["out"], torch.tensor([64.0, 16.0]).log())


@needs_native
@pytest.mark.parametrize(
    "changed",
    [
        {"unary": torch.zeros(2, 3, 4, dtype=torch.float64)},
        {"unary": torch.zeros(2, 3, 4, dtype=torch.float16)},
        {"unary": torch.zeros(2, 3, 4, dtype=torch.int32)},
        {"unary": torch.zeros(4, 3, 2).movedim(0, 2).movedim(0, 1)},
        {"transition": torch.zeros(1, 1, 4, 4, dtype=torch.float64)},
        {"transition": torch.zeros(1, 1, 8, 8)[..., ::2, ::2]},
        {"start": torch.zeros(1, 4, dtype=torch.float64)},
        {"end": torch.zeros(1, 4, dtype=torch.bfloat16)},
        {"lengths": torch.tensor([3, 2], dtype=torch.int32)},
        {"lengths": torch.tensor([3.0, 2.0])},
        {"out": torch.zeros(2, dtype=torch.float64)},
        {"unary": torch.zeros(2, 3, 4, device="meta")},
        {"unary": [[[0.0] * 4] * 3] * 2},
    ],
    ids=lambda changed: " ".join(f"{k} {getattr(v, 'dtype', 'list')}" for k, v in changed.items()),
)
def test_extension_refuses_instead_of_converting(changed):
    with pytest.raises((TypeError, RuntimeError, BufferError)):
        module.native().chain_log_partition(**kernel_arguments(**changed))


@needs_native
def test_unknown_instruction_set():
    native = module.native()
    before = native.isa()
    with pytest.raises(ValueError, match="select_isa"):
        native.select_isa("sse9")
    assert native.isa() == before
