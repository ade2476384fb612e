"""Circuits are their hardened networks, bit for bit; simplification; what is refused."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import algonets as an
from algonets._core import backend as backend_of
from algonets.logic import GATES, Binarize, GroupSum, LogicConv2d, LogicLayer, Sequential, Thermometer, compile, harden
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


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_empty_batches_of_every_type(backend, kind):
    circuit = compile(Sequential(Binarize(0.5), LogicLayer(4, 6), GroupSum(3)), torch.zeros(1, 4))
    with an.backend(backend):
        x = torch.zeros(0, 4, dtype=kind)
        assert circuit.counts(x).shape == (0, 3) and circuit.pack(x).shape == (4, 0)
        assert circuit.run_packed(circuit.pack(x), 0).shape == (0, 3)
        assert circuit(torch.zeros(2, 0, 4, dtype=kind)).shape == (2, 0, 3)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_circuits_of_constants_or_without_outputs(backend):
    _, circuit = of("dense")
    state = circuit.__getstate__() | {"groups": 0}
    with an.backend(backend):
        for literals in ([], [0, 1, 1]):
            alone = type(circuit)(**(state | {"literals": np.array(literals, np.uint32)}))
            assert torch.equal(alone.counts(rows("dense", 70)), torch.tensor([literals] * 70, dtype=torch.int32))


def random_layer(rng: np.random.Generator, inputs: int, gates: int) -> tuple[LogicLayer, np.ndarray, np.ndarray]:
    """Gates with their truth tables and wires; many read the same signal twice, or few signals."""
    wires = rng.integers(inputs if rng.random() < 0.8 else min(inputs, 2), size=(2, gates))
    wires[1] = np.where(rng.random(gates) < 0.2, wires[0], wires[1])
    tables = rng.choice([range(16), range(16), (0, 6, 9, 15)][rng.integers(3)], gates)
    layer = LogicLayer(inputs, gates, wiring=torch.from_numpy(wires))
    with torch.no_grad():
        layer.weights.zero_()[torch.arange(gates), torch.from_numpy(tables)] = 1.0
    return layer, tables, wires


@needs_native
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_by_their_truth_tables(seed, isa):
    """Thresholds, some equal or beyond all bytes, features and classes that fill no word, dead gates and inputs."""
    native = backend_of.native()
    best = native.isa()
    order = ["baseline", "avx2", "avx512"]
    if order.index(isa) > order.index(best):
        pytest.skip(f"this machine has no {isa}")
    rng = np.random.default_rng(seed)
    features, thresholds, classes = (
        rng.choice([1, 63, 130, 257, 320]),
        rng.choice([1, 2, 3, 5]),
        rng.choice([1, 15, 17]),
    )
    widths = [int(w) for w in rng.choice([1, 64, 193, 1500], rng.integers(3))]
    sizes = [features * thresholds, *widths, int(classes * rng.choice([1, 7, 16, 65]))]
    layers = [random_layer(rng, a, b) for a, b in itertools.pairwise(sizes)]
    levels = np.sort(rng.choice([-1.0, 0.0, 30.5, 127.0, 200.0, 254.5, 255.0], (thresholds, features)), 0)
    encoder = Thermometer(int(thresholds))
    encoder.thresholds = torch.from_numpy(levels).float()
    net = Sequential(encoder, *(layer for layer, _, _ in layers), GroupSum(int(classes)))
    circuits = [compile(net, torch.zeros(1, features), simplify=simplify) for simplify in (True, False)]
    try:
        native.select_isa(isa)
        for rows in (1, 511, 512, 1025, 2100):
            x = rng.integers(256, size=(rows, features)).astype(np.uint8)
            x[rng.random(x.shape) < 0.2] = rng.choice([0, 255])
            signals = (x[:, None] > levels).reshape(rows, -1)
            for _, tables, (first, second) in layers:
                signals = (tables >> (3 - 2 * signals[:, first] - signals[:, second]) & 1).astype(bool)
            wanted = torch.from_numpy(signals.reshape(rows, classes, -1).sum(-1).astype(np.int32))
            for circuit in circuits:
                given_x = torch.from_numpy(x)
                assert torch.equal(circuit.counts(given_x), wanted)
                assert torch.equal(circuit.counts(given_x.float()), wanted)
                assert torch.equal(circuit.run_packed(circuit.pack(given_x), rows), wanted)
    finally:
        native.select_isa(best)


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
def test_a_group_of_many_outputs():
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
        plain = compile(NETWORKS["dense"](), simplify=False).stats()
        one_layer, counts = 1 + 20 + 60, 3 * 7  # results take the places of inputs; bit planes of three classes
        assert stats["runtime_bytes"] <= plain["runtime_bytes"] <= 64 * (one_layer + counts)
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
