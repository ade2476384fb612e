"""The Triton programs of the sorting networks, against the reference.

Where a GPU is, they run on it. Elsewhere values and gradients are computed by Triton's interpreter in a process of its
own, because it must be chosen before the programs are imported; here they are only compiled, as for a GPU.
"""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

import algonets as an
from algonets import distributions
from algonets.distributions import Cauchy, Distribution
from algonets.sort import OddEven, networks, soft_argsort, soft_rank, soft_sort
from algonets.sort import _network_reference as reference
from algonets.sort import _network_triton as kernels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu"
LAWS = ("Logistic", "Gaussian", "Cauchy", "Reciprocal", "Optimal", "Laplace")
DTYPES = (torch.float32, torch.float64)
SEVERAL = networks.from_pairs(6, [(0, 3), (5, 1), (1, 2), (0, 1), (4, 0)])

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="needs triton: pip install -c constraints.txt 'algonets[gpu]'"
)
runs = pytest.mark.skipif(
    not INTERPRETED and DEVICE == "cpu", reason="runs in the process that test_in_the_interpreter starts, or on a GPU"
)


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return drawn.to(DEVICE).requires_grad_()


def law(name: str, scale: float | torch.Tensor) -> Distribution:
    return getattr(distributions, name)(scale)


def close(found, wanted, exact=None):
    """Equal to 1e-6 (float32) or 1e-10 of the largest entry (at least 1), or to twice the error of ``wanted``."""
    for one, other, truth in zip(found, wanted, exact or wanted, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        if one.numel():
            tolerance = 1e-6 if one.dtype == torch.float32 else 1e-10
            size = max(1.0, float(truth.detach().abs().amax()))
            known = float((other - truth).detach().abs().amax())
            assert float((one - truth).detach().abs().amax()) <= max(tolerance * size, 2 * known)


# ---- here -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(INTERPRETED or DEVICE == "cuda", reason="this is that process, or a GPU runs the programs itself")
@pytest.mark.slow
def test_in_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout


@pytest.mark.skipif(INTERPRETED, reason="compiles the programs, which the interpreter does not have")
@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_compiles_for_a_gpu(dtype, tmp_path, monkeypatch):
    """Every program becomes machine code: one precision, no register spilled, little shared memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton import compile as build
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    programs = kernels._kernels()
    network = networks.bitonic(256)
    _, of_values = kernels._values_shape(100, 128)
    _, of_payloads = kernels._apply_shape(256, 128)
    for name in programs.__all__:
        program = getattr(programs, name)
        options = dict(of_values if "values" in name else of_payloads)
        warps = options.pop("num_warps")
        fixed = options | ({"LAW": 1, "KEEP": True} if "values" in name else {"REVERSED": True})
        kinds = dict.fromkeys(("low", "high", "ends"), "*i32") | dict.fromkeys(fixed, "constexpr")
        kinds |= dict.fromkeys(("batch", "n", "width", "comparators", "layers"), "i32")
        signature = {arg: kinds.get(arg, f"*{dtype}") for arg in program.arg_names}
        built = build(
            ASTSource(program, signature, fixed),
            target=GPUTarget("cuda", 80, 32),
            options=kernels._LAUNCH | {"num_warps": warps},
        )
        code = built.asm["ptx"]
        assert "bar.sync" in code and "ld.local" not in code and "st.local" not in code
        assert "arith.extf" not in built.asm["ttir"] and "arith.truncf" not in built.asm["ttir"]
        assert built.metadata.shared <= 4096
    assert len(network.low) == 256 // 2 * network.depth


def test_not_for_tensors_on_the_cpu():
    assert not kernels.available(torch.zeros(2, 3), Cauchy(0.1))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("operation", [soft_sort, soft_argsort, soft_rank])
def test_for_tensors_on_a_gpu(operation):
    """The public operations take the programs there, and agree with the reference on the CPU in float64."""
    x, method = draw(7, 33), OddEven(Cauchy(0.2))
    assert kernels.available(x, Cauchy(0.1))
    y = operation(x, method)
    (gradient,) = torch.autograd.grad(y.sin().sum(), x)
    with an.backend("torch"):
        wanted = operation(x.cpu(), method)
        (wanted_gradient,) = torch.autograd.grad(wanted.sin().sum(), x)
    close((y.cpu(), gradient), (wanted, wanted_gradient))


# ---- in the interpreter ---------------------------------------------------------------------------------------------


def kinds(n: int) -> list[str]:
    """Up to 9, and at 16 and 17, all networks; beyond, one that is not deep (the interpreter is slow)."""
    if n < 10 or n in (16, 17):
        return ["odd_even", "bitonic", "batcher"]
    return [("bitonic", "batcher")[n // 2 % 2]]


@runs
@pytest.mark.parametrize("n", range(1, 34))
def test_values_of_every_size(n):
    for kind in kinds(n):
        dtype = DTYPES[n % 2]
        network = getattr(networks, kind)(n)
        x, by_alpha = draw(2, n, dtype=dtype, seed=n), draw(2, len(network.low), dtype=dtype, seed=-n)
        found, wanted = [], []
        for module, into in ((kernels, found), (reference, wanted)):
            y, alphas = module.values_and_alphas(x, network, Cauchy(0.3))
            loss = y.sin().sum() + (alphas * by_alpha).sum()
            into += [y, alphas, *torch.autograd.grad(loss, x)]
        close(found, wanted)


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["odd_even", "bitonic", "batcher"])
def test_payloads(kind, dtype):
    for n, width, transposed in ((1, 1, False), (2, 3, True), (5, 5, False), (9, 17, dtype == torch.float32)):
        network = getattr(networks, kind)(n)
        batch = 1 if n == 9 else 2
        alphas = draw(batch, len(network.low), dtype=dtype).detach().sigmoid().requires_grad_()
        payload = draw(batch, n, width, dtype=dtype, seed=1)
        results = []
        for module, given in ((kernels, (alphas, payload)), (reference, (alphas, payload)), (reference, None)):
            a, p = given or (alphas.detach().double().requires_grad_(), payload.detach().double().requires_grad_())
            z = module.apply(a, p, network, transposed)
            results.append([z, *torch.autograd.grad(z.sin().sum(), (a, p), materialize_grads=True)])
        close(*results)
    close([kernels.matrix(alphas, network)], [reference.matrix(alphas, network)])


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAWS)
def test_laws(name, dtype):
    """Values, alphas and all gradients, that of the scale too."""
    x, scale = draw(3, 6, dtype=dtype), torch.tensor(0.4, dtype=dtype, device=DEVICE, requires_grad=True)
    found, wanted = [], []
    for module, into in ((kernels, found), (reference, wanted)):
        y, alphas = module.values_and_alphas(x, SEVERAL, law(name, scale))
        loss = y.sin().sum() + alphas.square().sum()
        only = module.values(x, SEVERAL, law(name, scale))
        into += [y, alphas, *torch.autograd.grad(loss, (x, scale)), *torch.autograd.grad(only.sin().sum(), (x, scale))]
    close(found, wanted)


@runs
@pytest.mark.parametrize("name", LAWS)
def test_law_in_both_tails(name):
    """Relative accuracy of the tail, as it goes to 0."""
    at = torch.tensor([0.0, 1e-9, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 12.0, 30.0, 1e3, 1e9])
    at = at.to(DEVICE, torch.float64)
    network = networks.from_pairs(2, [(0, 1)])
    pairs = torch.stack((torch.cat((at, -at)), torch.zeros_like(at).repeat(2)), 1)
    _, alphas = kernels.values_and_alphas(pairs, network, law(name, 1.0))
    # Below 1e-300 there are denormal numbers, where the exponential loses digits.
    torch.testing.assert_close(alphas[:, 0], law(name, 1.0).cdf(-pairs[:, 0]), rtol=2e-13, atol=1e-300)


@runs
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, which runs the interpreter: inf * 0 is not taken
@pytest.mark.parametrize("name", LAWS)
def test_hard_limit_and_ties(name):
    x = torch.tensor([[3.0, 1.0, 2.0, 1.0, -5.0], [0.0, 0.0, 0.0, 0.0, 0.0]], device=DEVICE)
    x.requires_grad_()
    y, alphas = kernels.values_and_alphas(x, networks.odd_even(5), law(name, 1e-40))
    assert torch.equal(y, x.sort(1).values)
    assert torch.equal(alphas[1], torch.full_like(alphas[1], 0.5))
    (gradient,) = torch.autograd.grad(y[0, 4], x)
    assert gradient[0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    scale = torch.tensor(1e-40, device=DEVICE, requires_grad=True)
    (by_scale,) = torch.autograd.grad(kernels.values(x, networks.odd_even(5), law(name, scale)).sum(), scale)
    assert by_scale.isfinite()


@runs
def test_second_derivatives():
    x, scale = draw(1, 3), torch.tensor(0.5, dtype=torch.float64, device=DEVICE, requires_grad=True)
    network, payload = networks.from_pairs(3, [(2, 0), (1, 2)]), draw(1, 3, 2, seed=1)

    def everything(x, scale, payload):
        y, alphas = kernels.values_and_alphas(x, network, law("Cauchy", scale))
        back = kernels.apply(alphas, payload, network, True)
        return y, alphas, back

    assert torch.autograd.gradcheck(everything, (x, scale, payload), fast_mode=True)
    assert torch.autograd.gradgradcheck(everything, (x, scale, payload), fast_mode=True)


@runs
def test_in_pieces(monkeypatch):
    """Little scratch memory, several samples a program and several blocks of columns: the same."""
    network = networks.batcher(4)
    x, payload = draw(20, 4), draw(2, 4, 40)
    alphas = draw(2, len(network.low)).detach().sigmoid().requires_grad_()
    wanted = torch.autograd.grad(reference.values(x, network, Cauchy(0.2)).sin().sum(), x)
    wanted += torch.autograd.grad(reference.apply(alphas, payload, network, False).sin().sum(), (alphas, payload))
    for scratch in (400, 2000, 2**28):
        monkeypatch.setattr(kernels, "_SCRATCH", scratch)
        found = torch.autograd.grad(kernels.values(x, network, Cauchy(0.2)).sin().sum(), x)
        found += torch.autograd.grad(kernels.apply(alphas, payload, network, False).sin().sum(), (alphas, payload))
        close(found, wanted)


@runs
@pytest.mark.parametrize("batch", [0, 2])
def test_edges(batch):
    """No samples, no comparators, strided input and gradients; inputs stay as they are."""
    for n in (1, 3):
        network = networks.odd_even(n)
        x = draw(n, batch).T
        kept = x.clone()
        y, alphas = kernels.values_and_alphas(x, network, Cauchy(0.2))
        close((y, alphas), reference.values_and_alphas(x, network, Cauchy(0.2)))
        z = kernels.apply(alphas, x[:, :, None].expand(-1, -1, 2), network, False)
        close((z[..., 1],), (y,))
        (gradient,) = torch.autograd.grad(z.sum(), x)
        close((gradient,), (torch.full_like(x, 2.0),))
        assert torch.equal(x, kept)


@runs
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_differences_that_overflow():
    x = torch.tensor([[3e38, -3e38, 0.0]], device=DEVICE)
    y = kernels.values(x, networks.odd_even(3), Cauchy(1.0))
    assert torch.equal(y, x.sort(1).values)


@runs
def test_operations_use_them(monkeypatch):
    """The operations on a GPU, as far as can be seen without one."""
    x, method, calls = draw(2, 5), OddEven(Cauchy(0.2)), []
    with an.backend("torch"):
        wanted = [soft_sort(x, method), soft_argsort(x, method), soft_rank(x, method)]
        monkeypatch.setattr(kernels, "available", lambda *given: not calls.append(given))
        close([soft_sort(x, method), soft_argsort(x, method), soft_rank(x, method)], wanted)
    assert len(calls) == 3


@runs
def test_compile():
    network = networks.bitonic(4)

    def loss(x):
        y, alphas = kernels.values_and_alphas(x, network, Cauchy(0.2))
        return (y.sin() + kernels.apply(alphas, x[:, :, None], network, True)[..., 0]).sum()

    x = draw(2, 4)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    close(torch.autograd.grad(compiled(x), x), torch.autograd.grad(loss(x), x))
