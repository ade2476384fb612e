"""The native kernels: settling equal to the torch reference, distances of packed patterns equal to counting."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import algonets as an
from algonets.memory import Hopfield, as_signs, flip, pack, packed_hamming_distance, unpack

needs_kernels = pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")


def signs(*shape: int, seed: int = 0) -> torch.Tensor:
    return as_signs(torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5)


def on(backend: str, memory: Hopfield, queries: torch.Tensor, **options) -> torch.Tensor:
    with an.backend(backend):
        return memory(queries, **options)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo_inverse", "perceptron"])
def test_settling_equals_the_reference(rule, dtype):
    """Seven states: the kernel makes the fields of four together, and of the rest by themselves."""
    for n in (1, 5, 33, 130):
        memory = Hopfield(n, rule).to(dtype).store(signs(max(n // 4, 1), n, seed=n).to(dtype))
        memory.threshold = torch.linspace(-0.1, 0.1, n, dtype=dtype)
        queries = signs(7, n, seed=n + 1).to(dtype)
        for sweeps in (1, 2, 100):
            expected = on("torch", memory, queries, max_sweeps=sweeps)
            assert torch.equal(on("native", memory, queries, max_sweeps=sweeps), expected)
            ours, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
            expected = on("torch", memory, queries, max_sweeps=sweeps, generator=theirs)
            assert torch.equal(on("native", memory, queries, max_sweeps=sweeps, generator=ours), expected)


@needs_kernels
@given(st.integers(1, 20), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_kernel_never_raises_the_energy_and_ends_in_a_minimum(n, seed):
    generator = torch.Generator().manual_seed(seed)
    memory = Hopfield(n).double()
    weights = torch.randn(n, n, generator=generator, dtype=torch.float64).round(decimals=1)  # ties happen
    memory.weights = torch.triu(weights, 1) + torch.triu(weights, 1).mT
    memory.threshold = torch.randn(n, generator=generator, dtype=torch.float64).round(decimals=1)
    states = signs(6, n, seed=seed).double()
    energy = memory.energy(states)
    for sweeps in range(1, 5):
        lower = memory.energy(on("native", memory, states, max_sweeps=sweeps))
        assert bool((lower <= energy + 1e-9).all())
        energy = lower
    final = on("native", memory, states)
    assert bool((memory.stability(final) >= -1e-8).all())


@needs_kernels
def test_every_instruction_set_and_thread_count():
    memory = Hopfield(300).store(signs(60, 300))
    queries = flip(memory.patterns, 0.2, torch.Generator().manual_seed(1))
    expected = on("torch", memory, queries)
    packed = pack(queries)
    distances = packed_hamming_distance(packed, packed)
    before = an.native_status()[1]
    try:
        for isa in ("baseline", "avx2", "avx512")[: 1 + ["baseline", "avx2", "avx512"].index(before)]:
            an._core.backend.native().select_isa(isa)
            for threads in (1, 3):
                an.set_num_threads(threads)
                assert torch.equal(on("native", memory, queries), expected)
                assert torch.equal(packed_hamming_distance(packed, packed), distances)
    finally:
        an._core.backend.native().select_isa(before)
        an.set_num_threads(None)


@given(st.integers(1, 200), st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_packed_distances_count_differing_units(n, rows, columns, seed):
    a, b = signs(rows, n, seed=seed), signs(columns, n, seed=seed + 1)
    expected = (a[:, None] != b).sum(-1).to(torch.int32)
    for backend in ("torch", "auto"):
        with an.backend(backend):
            assert torch.equal(packed_hamming_distance(pack(a), pack(b)), expected)
    assert torch.equal(unpack(pack(a), n), a)


def test_the_reference_unpacks_by_parts(monkeypatch):
    a, b = signs(5, 100), signs(9, 100, seed=1)
    monkeypatch.setattr(an.memory._kernels, "_BLOCK", 128)
    with an.backend("torch"):
        assert torch.equal(packed_hamming_distance(pack(a), pack(b)), (a[:, None] != b).sum(-1).to(torch.int32))


@needs_kernels
def test_the_binding_refuses_what_does_not_fit():
    kernel = an._core.backend.native()
    states, weights, zero = torch.ones(2, 3), torch.zeros(3, 3), torch.zeros(3, dtype=torch.float64)
    for wrong in (torch.tensor([0, 1, 3]), torch.tensor([0, 1])):
        with pytest.raises(ValueError, match="fit together"):
            kernel.hopfield_settle(states, weights, zero, zero, wrong, 1, 1)
    with pytest.raises(TypeError):
        kernel.hopfield_settle(states.half(), weights, zero, zero, None, 1, 1)
    with pytest.raises(ValueError, match="fit together"):
        kernel.hopfield_settle(states, torch.zeros(2, 3), zero, zero, None, 1, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pack(torch.zeros(3)), ValueError, "only"),
        (lambda: unpack(torch.zeros(3), 3), TypeError, "int64"),
        (lambda: unpack(torch.zeros(2, dtype=torch.int64), 3), ValueError, r"\(\*batch, 1\)"),
        (
            lambda: packed_hamming_distance(torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 2, dtype=torch.int64)),
            ValueError,
            "words",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
