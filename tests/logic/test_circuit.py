"""Circuits are their hardened networks, bit for bit; simplification; what is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import algonets as an
from algonets._core import backend as backend_of
from algonets.logic import GATES, Binarize, GroupSum, LogicConv2d, LogicLayer, Sequential, compile, harden
from algonets.logic._simplify import reference
from algonets.logic.netlist import lower
from tests.logic.networks import EVENTS, NETWORKS, dense, rows, seeded

needs_native = pytest.mark.skipif(not an.native_status()[0], reason="the native kernels are not built here")


def of(name: str, **options):
    net = NETWORKS[name]()
    return net, compile(net, torch.zeros(1, *EVENTS[name]), **options)


def hard_output(net, x):
    return harden(net)(x if x.dtype.is_floating_point else x.float())


@pytest.mark.parametrize("simplify", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_hardened_network(name, simplify):
    net, circuit = of(name, simplify=simplify)
    for count in (1, 63, 64, 65, 511, 513, 2500):
        x = rows(name, count, count)
        assert torch.equal(circuit(x), hard_output(net, x))
    assert circuit(rows(name, 0)).shape == hard_output(net, rows(name, 1))[:0].shape
    x = rows(name, 6)
    assert torch.equal(circuit(x.reshape(2, 3, *EVENTS[name])), circuit(x).reshape(2, 3, -1))
    assert torch.equal(circuit(x[0]), circuit(x)[0])


@needs_native
def test_millions_of_rows():
    """Two million random rows against the counts of the hardened network."""
    net = dense(10, 40, 3, 2)
    circuit, hard = compile(net), harden(net)
    # All 1,024 inputs by the network; a random row is one of them.
    numbers = torch.arange(1024)
    table = hard((numbers[:, None] >> torch.arange(10) & 1).float())
    drawn = torch.randint(1024, (2_000_000,), generator=seeded(5))
    bits = (drawn[:, None] >> torch.arange(10) & 1).to(torch.uint8)
    assert torch.equal(circuit(bits), table[drawn])


@needs_native
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_instruction_set_and_threads(name, isa):
    _, circuit = of(name)
    x = rows(name, 3000)
    with an.backend("torch"):
        wanted = circuit.counts(x)
    native = backend_of.native()
    best = native.isa()
    if ["baseline", "avx2", "avx512"].index(isa) > ["baseline", "avx2", "avx512"].index(best):
        pytest.skip(f"this machine has no {isa}")
    try:
        native.select_isa(isa)
        for kind in (torch.uint8, torch.float32, torch.float64):
            given_x = x.to(kind) if x.dtype != torch.float32 or kind != torch.uint8 else x
            assert torch.equal(circuit.counts(given_x), wanted)
        assert torch.equal(circuit.run_packed(circuit.pack(x), len(x)), wanted)
    finally:
        native.select_isa(best)


@needs_native
def test_wide_circuits_and_many_threads():
    net = dense(300, 4000, 2, 2)
    circuit = compile(net)
    x = torch.rand(4000, 300, generator=seeded()).round().to(torch.uint8)
    an.set_num_threads(2)
    try:
        found = circuit(x)
    finally:
        an.set_num_threads(None)
    assert torch.equal(found, harden(net)(x.float()))


@needs_native
def test_groups_of_more_than_a_segment():
    wiring = torch.randint(30, (2, 20_000), generator=seeded())
    net = Sequential(LogicLayer(30, 20_000, initialization="normal", wiring=wiring), GroupSum(1, 1.0))
    x = torch.rand(70, 30, generator=seeded(1)).round()
    assert torch.equal(compile(net, simplify=False)(x), harden(net)(x))


@needs_native
@pytest.mark.parametrize("simplify", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_native_simplification_is_the_reference(name, simplify):
    netlist = lower(NETWORKS[name](), EVENTS[name])
    _, circuit = of(name, simplify=simplify)
    wanted = reference(netlist.inputs, *netlist.arrays(), simplify)
    for ours, theirs in zip((circuit.a, circuit.b, circuit.kind, circuit.literals), wanted, strict=True):
        assert np.array_equal(ours, theirs)


def one_gate(table: int, wires=(0, 1), inputs: int = 2) -> LogicLayer:
    layer = LogicLayer(inputs, 1, wiring=torch.tensor([[wires[0]], [wires[1]]]))
    with torch.no_grad():
        layer.weights.zero_()
        layer.weights[0, table] = 1.0
    return layer


@pytest.mark.parametrize("table", range(16), ids=[name.replace(" ", "_") for name in GATES])
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_every_gate(table, backend):
    x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.uint8)
    with an.backend(backend):
        for simplify in (True, False):
            circuit = compile(one_gate(table), simplify=simplify)
            assert circuit(x).flatten().tolist() == [table >> 3 & 1, table >> 2 & 1, table >> 1 & 1, table & 1]
        assert len(compile(one_gate(table)).kind) == (table not in (0, 3, 5, 10, 12, 15))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 25))
def test_simplification_keeps_every_output(seed, inputs, gates):
    """Random circuits by truth tables of all inputs, and never more gates than before."""
    rng = np.random.default_rng(seed)
    first = np.array([rng.integers(inputs + g) for g in range(gates)], np.int32)
    second = np.array([rng.integers(inputs + g) for g in range(gates)], np.int32)
    table = rng.integers(16, size=gates).astype(np.uint8)
    outputs = rng.integers(inputs + gates, size=5).astype(np.int32)
    values = [(np.arange(1 << inputs) >> i) & 1 for i in range(inputs)]
    for p, q, t in zip(first, second, table, strict=True):
        values.append((t >> (3 - 2 * values[p] - values[q])) & 1)
    a, b, kind, literals = reference(inputs, first, second, table, outputs, True)
    assert len(kind) <= gates
    nodes = [np.zeros(1 << inputs, np.int64), *values[:inputs]]
    read = lambda literal: nodes[literal >> 1] ^ (literal & 1)  # noqa: E731
    for x, y, k in zip(a.tolist(), b.tolist(), kind.tolist(), strict=True):
        nodes.append(read(x) ^ read(y) if k else read(x) & read(y))
    for literal, signal in zip(literals.tolist(), outputs.tolist(), strict=True):
        assert np.array_equal(read(literal), values[signal])


def test_equal_and_dead_gates_go():
    wiring = torch.tensor([[0, 1, 0], [1, 0, 1]])
    layer = LogicLayer(2, 3, wiring=wiring)
    with torch.no_grad():
        layer.weights.zero_()
        layer.weights[[0, 1, 2], [1, 1, 14]] = 1.0  # and, the same and, nand
    circuit = compile(Sequential(layer, one_gate(6, (0, 1), 3)))
    assert len(compile(layer).kind) == 1 and len(circuit.kind) == 0  # x xor x = 0
    assert circuit.literals.tolist() == [0]


def test_stats():
    _, circuit = of("dense")
    stats = circuit.stats(seconds=0.01)
    assert stats["gates_before"] == 180 and stats["gates"] == stats["ands"] + stats["xors"] <= 180
    assert 1 <= stats["depth"] <= 3 and stats["examples_per_second"] > 0
    assert stats["file_bytes"] == len(circuit.to_bytes())
    if an.native_status()[0]:
        plain = compile(NETWORKS["dense"](), simplify=False).stats()  # inputs and one layer: results take their places
        assert stats["runtime_bytes"] <= plain["runtime_bytes"] <= 64 * (1 + 20 + 60)
    assert "180" in repr(circuit) and "3 classes" in repr(circuit)


def test_immutable():
    _, circuit = of("dense")
    with pytest.raises(AttributeError, match="immutable"):
        circuit.groups = 7
    with pytest.raises(AttributeError, match="immutable"):
        del circuit.groups
    with pytest.raises(ValueError, match="read-only"):
        circuit.a[0] = 3
    for name in ("a", "b", "kind", "literals", "thresholds"):
        with pytest.raises(ValueError, match="WRITEABLE"):
            getattr(circuit, name).setflags(write=True)
    assert copy.deepcopy(circuit) is circuit
    x = rows("dense", 9)
    assert torch.equal(pickle.loads(pickle.dumps(circuit))(x), circuit(x))


def test_input_stays_as_it_is():
    _, circuit = of("images")
    x = rows("images", 5)
    before = x.clone()
    circuit(x.transpose(2, 3).transpose(2, 3))
    assert torch.equal(circuit(x.flip(0)), circuit(x).flip(0)) and torch.equal(x, before)
    assert torch.equal(circuit.predict(x), circuit(x).argmax(-1))


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_thresholds_at_the_edges_of_bytes(backend):
    """Below 0, at whole numbers, above 255: as floats compare."""
    for threshold in (-3.0, -0.5, 0.0, 0.5, 7.0, 254.0, 254.5, 255.0, 300.0):
        net = Sequential(Binarize(threshold), one_gate(3, (0, 0), 1))
        x = torch.arange(256, dtype=torch.uint8)[:, None]
        with an.backend(backend):
            assert torch.equal(compile(net, x)(x)[:, 0], (x[:, 0].float() > threshold).float())


def test_not_a_number_is_no():
    circuit = compile(Sequential(Binarize(0.0), one_gate(3, (0, 0), 1)), torch.zeros(1, 1))
    assert circuit(torch.tensor([[float("nan")], [float("inf")], [-float("inf")]])).flatten().tolist() == [0, 1, 0]


def test_refused():
    net, circuit = of("dense")
    with pytest.raises(TypeError, match="logic layers"):
        compile(Sequential(LogicLayer(4, 4), nn.Linear(4, 2)))
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        compile("net")
    broken = LogicLayer(3, 3)
    with torch.no_grad():
        broken.weights[1] = float("nan")
    with pytest.raises(ValueError, match="weights that are numbers"):
        compile(broken)
    with pytest.raises(ValueError, match="must be given unless"):
        compile(NETWORKS["images"]())
    with pytest.raises(ValueError, match="at its end only"):
        compile(Sequential(net, LogicLayer(3, 3)))
    with pytest.raises(ValueError, match="end in a vector"):
        compile(LogicConv2d(1, 1, 2), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="20 signals"):
        compile(net, torch.zeros(1, 7))
    with pytest.raises(ValueError, match=r"\(\*batch, 20\)"):
        circuit(torch.zeros(3, 19))
    with pytest.raises(TypeError, match="tensor of real numbers"):
        circuit([1, 0])
    with pytest.raises(TypeError, match="int64"):
        circuit.run_packed(torch.zeros(20, 1), 3)
    with pytest.raises(ValueError, match="from 0 to 64"):
        circuit.run_packed(torch.zeros(20, 1, dtype=torch.int64), 65)
    with pytest.raises(ValueError, match="earlier nodes"):
        type(circuit)(**(circuit.__getstate__() | {"a": circuit.a + np.uint32(10_000)}))
