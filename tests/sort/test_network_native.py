"""The native kernels of the sorting networks against the torch reference: every law, network and instruction set."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import algonets
from algonets import distributions
from algonets._core.backend import native, native_status
from algonets.sort import LogisticART, _network_ops, networks
from algonets.sort._network_native import LAWS

pytestmark = pytest.mark.skipif(not native_status()[0], reason="no compiled kernels")

KINDS = ("odd_even", "bitonic", "batcher", "pairs")
OWN = [(0, 3), (4, 1), (2, 5), (1, 2), (5, 0), (3, 4), (6, 2), (0, 1), (2, 3)]
ITEMS = {"odd_even": 45, "bitonic": 70, "batcher": 41, "pairs": 7}
# The law without a kernel goes by its alphas.
ALL_LAWS = (*LAWS, distributions.GumbelMax)


def wiring(kind: str, n: int) -> networks.Network:
    return networks.from_pairs(n, OWN) if kind == "pairs" else getattr(networks, kind)(n)


def available() -> list[str]:
    if not native_status()[0]:
        return ["none"]
    best = native().isa()
    order = ["baseline", "avx2", "avx512"]
    return order[: order.index(best) + 1]


@pytest.fixture(params=available())
def isa(request):
    before = native().isa()
    native().select_isa(request.param)
    yield request.param
    native().select_isa(before)


def outputs(x, scale, payload, target, law_type, network) -> dict[str, torch.Tensor]:
    """Everything the seam computes."""
    law = LogisticART(scale, 0.3) if law_type is LogisticART else law_type(scale)
    moved = _network_ops.apply(x, payload, network, law)
    return {
        "values": _network_ops.values(x, network, law),
        "matrix": _network_ops.matrix(x, network, law),
        "apply values": moved[0],
        "apply": moved[1],
        "collect": _network_ops.collect(x, payload, network, law),
        "cross-entropy": _network_ops.cross_entropy(x, target, network, law),
    }


def inputs(rows: int, n: int, columns: int, dtype=torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(rows * n + columns)
    x = torch.randn(rows, n, generator=generator, dtype=dtype)
    payload = torch.randn(rows, n, columns, generator=generator, dtype=dtype)
    target = torch.rand(rows, n, generator=generator).argsort(-1)
    scale = torch.tensor(0.8, dtype=dtype)
    return x.requires_grad_(), scale.requires_grad_(), payload.requires_grad_(), target


def agree(arguments, law_type, network, rtol: float, atol: float) -> None:
    """Values and gradients of both backends."""
    x, scale, payload, target = arguments
    with algonets.backend("native"):
        ours = outputs(x, scale, payload, target, law_type, network)
    with algonets.backend("torch"):
        truth = outputs(x, scale, payload, target, law_type, network)
    for name, y in ours.items():
        torch.testing.assert_close(y, truth[name], rtol=rtol, atol=atol, msg=lambda m, name=name: f"{name}: {m}")
        generator = torch.Generator().manual_seed(7)
        by = torch.randn(y.shape, generator=generator, dtype=y.dtype)
        wanted = (x, scale, payload)
        found, expected = (
            torch.autograd.grad(z, wanted, by, allow_unused=True, materialize_grads=True, retain_graph=True)
            if z.requires_grad
            else None
            for z in (y, truth[name])
        )
        if found is None or expected is None:  # without comparators the reference has constants
            assert network.n == 1
            continue
        for g, e in zip(found, expected, strict=True):
            size = max(1.0, float(e.abs().amax())) if e.numel() else 1.0
            if name == "cross-entropy":  # divides by entries of P, down to 1e-12: it magnifies their rounding
                size *= 100
            torch.testing.assert_close(
                g, e, rtol=0, atol=max(rtol, atol) * size, msg=lambda m, name=name: f"gradient of {name}: {m}"
            )


@pytest.mark.parametrize("law_type", ALL_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_every_law_and_network_equals_the_reference(isa, law_type, kind):
    n = ITEMS[kind]
    agree(inputs(19, n, 3), law_type, wiring(kind, n), 1e-10, 1e-11)


def random_pairs(generator: torch.Generator, n: int) -> list[tuple[int, int]]:
    """Comparators of any wires in either order, some repeated or turned, some closed on four wires."""
    pairs: list[tuple[int, int]] = []
    for _ in range(n):
        a, b, x, y = torch.randperm(n, generator=generator)[:4].tolist()
        made = [(a, b), (x, y), (b, x), (a, y), (b, a)]
        keep = torch.rand(5, generator=generator) < torch.rand(1, generator=generator)
        pairs += [pair for pair, kept in zip(made, keep.tolist(), strict=True) if kept]
        if len(pairs) % 3 == 1:
            pairs.append(pairs[-1] if len(pairs) % 2 else pairs[-1][::-1])
    return pairs


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_above_and_below_the_size_for_columns(isa, seed):
    """Only above 40 items, for one row, or for many payloads do comparators run in groups."""
    generator = torch.Generator().manual_seed(seed)
    n, rows = [(5, 1), (17, 33), (40, 2), (41, 2), (50, 1), (65, 17), (100, 9), (131, 3)][seed]
    network = networks.from_pairs(n, random_pairs(generator, n))
    x, scale, payload, _ = inputs(rows, n, [9, 17, 40][seed % 3])
    target = x.detach().argsort(-1).argsort(-1)
    with torch.no_grad():  # wide enough for no entry of P to be near 1: its logarithm magnifies the rounding
        scale.fill_(3.0)
    agree((x, scale, payload, target), distributions.Cauchy, network, 1e-10, 1e-11)


@pytest.mark.parametrize("columns", [1, 2, 9, 40])
@pytest.mark.parametrize("rows", [1, 2, 16, 33])
def test_batches_and_payloads_of_any_size(isa, rows, columns):
    for n in (2, 5, 16, 33):
        agree(inputs(rows, n, columns), distributions.Cauchy, networks.bitonic(n), 1e-10, 1e-11)


@pytest.mark.parametrize("law_type", tuple(LAWS), ids=lambda law: law.__name__)
def test_single_precision(isa, law_type):
    network = networks.bitonic(24)
    x, scale, payload, target = inputs(19, 24, 3)
    with algonets.backend("torch"):
        truth = outputs(x, scale, payload, target, law_type, network)
    x, scale, payload = (t.detach().float() for t in (x, scale, payload))
    with algonets.backend("native"):
        ours = outputs(x, scale, payload, target, law_type, network)
    for name, y in ours.items():
        # The logarithm of an entry near the end of a bounded support magnifies its rounding.
        rtol = 3e-5 if name == "cross-entropy" else 2e-6
        torch.testing.assert_close(
            y.double(), truth[name], rtol=rtol, atol=5e-6, msg=lambda m, name=name: f"{name}: {m}"
        )


def test_one_item_and_empty_batches():
    for rows, n in [(3, 1), (0, 5), (0, 1)]:
        agree(inputs(rows, n, 2), distributions.Cauchy, networks.odd_even(n), 0, 0)
    x, scale, _, target = inputs(3, 4, 0)
    agree((x, scale, torch.zeros(3, 4, 0, dtype=torch.float64, requires_grad=True), target), distributions.Cauchy,
          networks.odd_even(4), 1e-12, 1e-12)  # fmt: skip


def test_hard_limit_is_exact():
    x = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    law, network = distributions.Cauchy(1e-30), networks.bitonic(50)
    with algonets.backend("native"):
        assert torch.equal(_network_ops.values(x, network, law), x.sort(-1).values)
        moved = _network_ops.apply(x, x.unsqueeze(-1).expand(-1, -1, 12).contiguous(), network, law)[1]
        assert torch.equal(moved[..., 3], x.sort(-1).values)
        p = _network_ops.matrix(x, network, law)
        assert torch.equal(p.argmax(-1), x.argsort(-1))
        assert (p - p.round()).abs().max() < 1e-17


@pytest.mark.parametrize("n", [30, 100])
def test_threads_and_repetition_change_nothing(n):
    x, scale, payload, target = inputs(150, n, 5, torch.float32)
    network = networks.odd_even(n)

    def everything() -> list[torch.Tensor]:
        found = outputs(x, scale, payload, target, distributions.Logistic, network)
        grads = [torch.autograd.grad(y.square().sum(), (x, scale), retain_graph=True) for y in found.values()]
        return [*found.values(), *(g for pair in grads for g in pair)]

    try:
        algonets.set_num_threads(1)
        first = everything()
        algonets.set_num_threads(3)
        second, third = everything(), everything()
    finally:
        algonets.set_num_threads(None)
    for a, b, c in zip(first, second, third, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(b, c)


@pytest.mark.parametrize("law_type", [distributions.Cauchy, LogisticART, distributions.WignerSemicircle])
@pytest.mark.parametrize("what", ["values", "matrix", "apply", "collect", "cross-entropy"])
def test_first_and_second_derivatives(what, law_type):
    x, _, payload, target = inputs(2, 5, 2)
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)

    def compute(x, scale, payload):
        return outputs(x, scale, payload, target, law_type, networks.bitonic(5))[what]

    with algonets.backend("native"):
        assert torch.autograd.gradcheck(compute, (x, scale, payload))
        assert torch.autograd.gradgradcheck(compute, (x, scale, payload))


@pytest.mark.parametrize("what", ["values", "matrix", "apply", "collect", "cross-entropy"])
def test_vmap_and_compile(what):
    network = networks.bitonic(6)
    x, scale, payload, target = inputs(6, 6, 2)

    def compute(x, payload, target):
        return outputs(x, scale, payload, target, distributions.Cauchy, network)[what]

    expected = compute(x, payload, target)
    parts = (t.reshape(3, 2, *t.shape[1:]) for t in (x, payload, target))
    torch.testing.assert_close(torch.func.vmap(compute)(*parts).flatten(0, 1), expected)
    compiled = torch.compile(compute, fullgraph=True)(x, payload, target)
    torch.testing.assert_close(compiled, expected)
    grads = [torch.autograd.grad(y.square().sum(), (x, scale)) for y in (compiled, expected)]
    torch.testing.assert_close(*grads)


def test_calls_from_several_threads_make_the_groups_of_a_network_once():
    x, _, payload, _ = inputs(2, 60, 12)
    network = networks.from_pairs(60, random_pairs(torch.Generator().manual_seed(99), 60))
    law = distributions.Cauchy(0.8)
    start = threading.Barrier(6)

    def moved(k: int) -> torch.Tensor:
        start.wait()
        work = _network_ops.collect if k % 2 else lambda *a: _network_ops.apply(*a)[1]
        return work(x.detach(), payload.detach(), network, law)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(moved, range(6)))
    with algonets.backend("torch"):
        wanted = _network_ops.apply(x, payload, network, law)[1], _network_ops.collect(x, payload, network, law)
    for k, y in enumerate(found):
        torch.testing.assert_close(y, wanted[k % 2].detach(), rtol=1e-10, atol=1e-11)


def test_shared_scale_has_one_gradient_and_forward_mode_takes_the_reference():
    x, scale, *_ = inputs(4, 6, 1)
    network = networks.odd_even(6)
    slope = torch.func.jvp(
        lambda s: _network_ops.values(x.detach(), network, distributions.Cauchy(s)).sum(0)[0],
        (scale.detach(),),
        (torch.ones_like(scale),),
    )[1]
    y = _network_ops.values(x, network, distributions.Cauchy(scale)).sum(0)[0]
    torch.testing.assert_close(slope, torch.autograd.grad(y, scale)[0])


def test_bad_wires_and_targets_are_refused():
    x = torch.randn(2, 3)
    low, high, y = torch.tensor([0, 3], dtype=torch.int32), torch.tensor([1, 2], dtype=torch.int32), torch.empty(2, 3)
    with pytest.raises(ValueError, match="different wires"):
        native().network_values(x, low, high, 3, None, 1.0, 2, 0.0, y, 1)
    with pytest.raises(ValueError, match="target ranks"):
        target = torch.tensor([[0, 1, 3], [0, 1, 2]])
        _network_ops.cross_entropy(x, target, networks.odd_even(3), distributions.Cauchy(1.0))


MEMORY = """
import resource, torch
from algonets.distributions import Cauchy
from algonets.sort import _network_ops, networks
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
network = networks.bitonic(65536)
x = torch.randn({rows}, 65536, requires_grad=True)
before = peak()
torch.autograd.grad(_network_ops.values(x, network, Cauchy(0.1)).square().sum(), x)
print(peak() - before)
"""


@pytest.mark.parametrize("rows", [1, 2])
def test_memory_of_many_items_is_no_tape_of_all_comparators(rows):
    """4.5 million comparators: a tape of a whole tile would take 285 MB, the wiring tables take 54."""
    run = subprocess.run([sys.executable, "-c", MEMORY.format(rows=rows)], capture_output=True, text=True, check=True)
    assert float(run.stdout) < (100 if rows == 1 else 200)
