"""The Triton programs of layers of gates against the reference: on a GPU where there is one, else interpreted.

The interpreter must be chosen before the programs are imported, so it runs in a process of its own; here they are
compiled, as for a GPU, and run if there is one.
"""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import torch

import algonets as an
from algonets.logic import GroupSum, LogicLayer, Sequential
from algonets.logic import _stack as stack_module
from algonets.logic import _stack_triton as kernels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA and not INTERPRETED else "cpu")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="needs triton: pip install -c constraints.txt 'algonets[gpu]'"
)
runs = pytest.mark.skipif(
    not (INTERPRETED or CUDA), reason="needs a GPU, or runs in the process that test_in_the_interpreter starts"
)


def stack_of(batch: int, widths: list[int], groups: int, dtype: torch.dtype, seed: int = 0):
    """Arguments of a stack with three inputs and random coefficients and wires."""
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(batch, 3, generator=g, dtype=dtype).to(DEVICE).requires_grad_()
    coefficients = torch.randn(sum(widths), 4, generator=g, dtype=dtype).div(2).to(DEVICE).requires_grad_()
    wires, signals = [], 3
    for width in widths:
        wires.append(torch.randint(signals, (2, width), generator=g))
        signals = width
    first, second = torch.cat(wires, 1).to(DEVICE, torch.int32).unbind(0)
    return x, coefficients, first.contiguous(), second.contiguous(), widths, groups


def close(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        if one.numel():
            tolerance = 2e-6 if one.dtype == torch.float32 else 1e-10
            assert float((one - other).abs().max()) <= tolerance * max(1.0, float(other.abs().max()))


def both(arguments):
    found = []
    for module in (kernels, stack_module):
        function = kernels.stack if module is kernels else stack_module.reference
        y = function(*arguments)
        found.append([y.detach(), *torch.autograd.grad(y.sin().sum(), arguments[:2])])
    return found


@pytest.mark.skipif(INTERPRETED, reason="this is that process")
@pytest.mark.slow
def test_in_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout


@pytest.mark.skipif(INTERPRETED, reason="compiles the programs, which the interpreter does not have")
@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_compiles_for_a_gpu(dtype, tmp_path, monkeypatch):
    """Both programs become machine code, without registers spilled."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton import compile as build
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    programs = kernels._kernels()
    for name in programs.__all__:
        program = getattr(programs, name)
        fixed = kernels._shape(100) | ({"NEED_X": True} if "backward" in name else {})
        kinds = dict.fromkeys(("first", "second"), "*i32") | dict.fromkeys(fixed, "constexpr")
        kinds |= dict.fromkeys(("gates", "batch"), "i32")
        signature = {arg: kinds.get(arg, f"*{dtype}") for arg in program.arg_names}
        code = build(ASTSource(program, signature, fixed), target=GPUTarget("cuda", 80, 32)).asm["ptx"]
        assert "ld.global" in code and "ld.local" not in code and "st.local" not in code
        assert bool(re.search(r"\b(red|atom)\.", code)) == ("backward" in name)


def test_not_for_tensors_on_the_cpu():
    assert not kernels.available(torch.zeros(2, 3))


@runs
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("groups", [0, 3])
@pytest.mark.parametrize("batch", [1, 130])
def test_equals_the_reference(batch, groups, dtype):
    close(*both(stack_of(batch, [7, 20, 12], groups, dtype)))


@runs
def test_many_gates_and_one():
    close(*both(stack_of(9, [1100, 1], 0, torch.float64)))


@runs
def test_an_empty_batch_and_strides():
    x, *rest = stack_of(0, [4], 2, torch.float64)
    y = kernels.stack(x, *rest)
    assert y.shape == (0, 2)
    assert all((g == 0).all() for g in torch.autograd.grad(y.sum(), (x, rest[0])))
    x, coefficients, *rest = stack_of(6, [5, 4], 0, torch.float64)
    wide = torch.stack((x, x), -1)[..., 0]
    close([kernels.stack(wide, coefficients, *rest)], [stack_module.reference(x, coefficients, *rest)])


@runs
def test_second_derivatives_and_single_gradients():
    x, coefficients, *rest = stack_of(2, [3, 2], 0, torch.float64)
    function = lambda x, c: kernels.stack(x, c, *rest)  # noqa: E731
    assert torch.autograd.gradcheck(function, (x, coefficients), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, coefficients), fast_mode=True)
    for wanted in (x, coefficients):
        given = [t if t is wanted else t.detach() for t in (x, coefficients)]
        close(
            torch.autograd.grad(function(*given).sum(), wanted),
            torch.autograd.grad(stack_module.reference(*given, *rest).sum(), wanted),
        )


@runs
@pytest.mark.skipif(not CUDA or INTERPRETED, reason="needs a GPU")
def test_a_network_on_the_gpu():
    """The layers choose the programs by themselves, and the torch path gives the same."""
    g = torch.Generator().manual_seed(0)
    net = Sequential(LogicLayer(50, 400, generator=g), LogicLayer(400, 300, generator=g), GroupSum(10)).to(DEVICE)
    x = torch.rand(64, 50, generator=g).to(DEVICE)
    found = []
    for backend in ("auto", "torch"):
        with an.backend(backend):
            y = net(x)
            found.append([y.detach(), *torch.autograd.grad(y.sin().sum(), list(net.parameters()))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
