"""The operations of ``algonets.logic``: layers of soft gates, what is around them, and circuits."""

import itertools

import torch

from algonets import logic
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

PETERSEN = "Petersen et al. 2022"


def drawn(make, *arguments, **options):
    """Build a module in float64 with seeded wiring and weights."""
    return make(*arguments, generator=torch.Generator().manual_seed(1), **options).double()


def truth_values(*event):
    """Arguments between 0 and 1."""
    return lambda generator, dtype, batch: (0.1 + 0.8 * torch.rand((*batch, *event), generator=generator, dtype=dtype),)


def expectation(table, values):
    """Sum over all bits of the inputs, each with its probability."""
    total = 0.0
    for number, bits in enumerate(itertools.product((0, 1), repeat=len(values))):
        weight = 1.0
        for bit, value in zip(bits, values, strict=True):
            weight = weight * (value if bit else 1 - value)
        total = total + weight * table[number]
    return total


def layer_oracle(layer):
    """Gate by gate, as an expectation over bits."""

    def oracle(x):
        tables = layer.parametrization.tables(layer.weights.detach())
        wires = layer.wiring.T.tolist()
        return torch.stack([expectation(t, [x[i] for i in w]) for t, w in zip(tables, wires, strict=True)])

    return oracle


def conv_oracle(layer):
    """Position by position, tree by tree, by recursion."""

    def oracle(x):
        tables = layer.parametrization.tables(layer.weights.detach())
        p = layer.padding
        padded = torch.nn.functional.pad(x, (p, p, p, p))
        height, width = layer.output_size(*x.shape[1:])

        def tree(k, i, j):
            values = [padded[c, i + r, j + s] for c, r, s in layer.wiring[k].tolist()]
            gate = 0
            while len(values) > 1:
                pairs = [values[2 * u : 2 * u + 2] for u in range(len(values) // 2)]
                values = [expectation(tables[k, gate + u], pair) for u, pair in enumerate(pairs)]
                gate += len(pairs)
            return values[0]

        size = layer.pool
        rows = [
            [
                [
                    max(tree(k, size * i + a, size * j + b) for a in range(size) for b in range(size))
                    for j in range(width // size)
                ]
                for i in range(height // size)
            ]
            for k in range(layer.out_channels)
        ]
        return torch.tensor(rows, dtype=x.dtype)

    return oracle


def operation(name, summary, function, oracle, call, **promises):
    """Register an operation on truth values."""
    register(
        Operation(
            name=f"logic.{name}",
            summary=summary,
            function=function,
            oracle=oracle,
            arguments=(Argument(call, nan="propagates", rejects=promises.pop("rejects", ())),),
            **{"differentiability": "any order", "ways": ("unroll",), "reference": PETERSEN, **promises},
        )
    )


def one_less(x):
    """Take the last feature away."""
    return x[..., :-1]


BOTH = ("native", "torch")
LAYER = drawn(logic.LogicLayer, 6, 5, initialization="normal")
operation(
    "LogicLayer.forward",
    "A layer of soft logic gates",
    LAYER,
    layer_oracle(LAYER),
    "LogicLayer(x)",
    inputs=truth_values(6),
    backends=BOTH,
    cost="O(in + out)",
    rejects=(one_less,),
)
NETWORK = logic.Sequential(
    drawn(logic.LogicLayer, 5, 7, logic.Light4(), "normal"),
    drawn(logic.LogicLayer, 7, 6, logic.Walsh4(), "normal"),
    logic.GroupSum(2, temperature=0.5),
)


def network_oracle(x):
    """One layer after the other."""
    for layer in list(NETWORK)[:2]:
        x = layer_oracle(layer)(x)
    return x.unflatten(-1, (2, 3)).sum(-1) / 0.5


operation(
    "Sequential.forward",
    "Layers of gates as one kernel",
    NETWORK,
    network_oracle,
    "LogicLayer(x)",
    inputs=truth_values(5),
    backends=BOTH,
    cost="O(gates)",
    rejects=(one_less,),
)
LOOKUP = drawn(logic.LookupLayer, 5, 4, inputs=3, initialization="normal")
operation(
    "LookupLayer.forward",
    "A layer of soft lookup tables",
    LOOKUP,
    layer_oracle(LOOKUP),
    "LookupLayer(x)",
    inputs=truth_values(5),
    cost="O(out 2^k)",
    reference="Bacellar et al. 2024",
    rejects=(one_less,),
)
CONV = drawn(logic.LogicConv2d, 2, 3, 3, depth=2, padding=1, pool=2, initialization="normal")
operation(
    "LogicConv2d.forward",
    "Convolution by trees of gates, or-pooling",
    CONV,
    conv_oracle(CONV),
    "LogicConv2d(x)",
    inputs=truth_values(2, 5, 4),
    backends=BOTH,
    cost="O(K 2^d H W)",
    reference="Petersen et al. 2024",
    rejects=(lambda x: x[..., :1, :, :], lambda x: x[..., :0]),
)
operation(
    "GroupSum.forward",
    "Scores of classes by counting",
    logic.GroupSum(2, temperature=4.0),
    lambda x: torch.stack([sum(x[:3]), sum(x[3:])]) / 4,
    "GroupSum(x)",
    inputs=truth_values(6),
    cost="O(n)",
    rejects=(one_less,),
)


def two(generator, dtype, batch):
    """Two truth values."""
    return (*truth_values()(generator, dtype, batch), *truth_values()(generator, dtype, batch))


register(
    Operation(
        name="logic.gate_values",
        summary="All sixteen gates at two truth values",
        function=logic.gate_values,
        arguments=tuple(Argument(f"gate_values({name})", nan="propagates") for name in "ab"),
        inputs=two,
        differentiability="any order",
        oracle=lambda a, b: torch.stack([expectation(table, (a, b)) for table in logic.TABLES]),
        ways=("unroll",),
        cost="O(1)",
        reference=PETERSEN,
    )
)

NUMBERS = "integers and booleans are numbers, too"
for name, module, oracle in (
    ("Thermometer", logic.Thermometer(2), lambda x: torch.cat([(x > t / 3).to(x.dtype) for t in (1, 2)])),
    ("Binarize", logic.Binarize(0.4), lambda x: (x > 0.4).to(x.dtype)),
):
    register(
        Operation(
            name=f"logic.{name}.forward",
            summary="Numbers to bits",
            function=module,
            arguments=(
                Argument(
                    f"{name}(x)",
                    nan="propagates",
                    gaps={"integer": NUMBERS, "nan": "a comparison with NaN is false: the bit is 0"},
                ),
            ),
            inputs=truth_values(3),
            differentiability="piecewise constant",
            oracle=oracle,
            cost="O(bits n)",
        )
    )

BITS = torch.tensor([[0.0, 1.0, 1.0, 0.3]])
for name, make, use in (
    ("LogicLayer", lambda: logic.LogicLayer(4, 5, logic.Light4(), wiring="learnable", candidates=2), lambda m: m(BITS)),
    ("Sequential", lambda: logic.Sequential(logic.LogicLayer(4, 4), logic.GroupSum(2)), lambda m: m(BITS)),
    ("LookupLayer", lambda: logic.LookupLayer(4, 3, 3, logic.Walsh4()), lambda m: m(BITS)),
    ("LogicConv2d", lambda: logic.LogicConv2d(1, 2, 2, depth=1), lambda m: m(BITS.reshape(1, 1, 2, 2))),
    ("GroupSum", lambda: logic.GroupSum(2, 3.0), lambda m: m(BITS)),
    ("Thermometer", lambda: logic.Thermometer(2, spacing="quantile", learnable=True), lambda m: m(BITS)),
    ("Binarize", lambda: logic.Binarize(0.2), lambda m: m(BITS)),
):
    register_object(PublicObject(name=f"logic.{name}", make=make, use=use))
for law in (logic.Softmax16(3.0), logic.Light4(2.0), logic.Walsh4(2.0), logic.Fixed()):
    name = type(law).__name__
    register_object(
        PublicObject(
            name=f"logic.{name}",
            make=lambda law=law: law,
            use=lambda p: p.tables(torch.linspace(-1, 1, p.size(2))),
        )
    )
    exempt(f"logic.{name}.*", "members of a parametrisation: tests/logic/test_parametrizations.py")
exempt("logic.AbstractParametrization*", "abstract: its families are registered")
for name in ("COEFFICIENTS", "GATES", "TABLES"):
    exempt(f"logic.{name}", "constants: tests/logic/test_gates.py")
for name in ("LogicLayer", "LookupLayer", "LogicConv2d", "GroupSum", "Thermometer"):
    exempt(f"logic.{name}.*", "members of a module: tests/logic")
exempt("logic.Binarize.extra_repr", "text: covered by repr")
exempt("logic.draw_wiring", "integers from a generator: tests/logic/test_wirings.py")
for name in ("harden", "discretization_gap"):
    exempt(f"logic.{name}", "takes modules: tests/logic/test_hardening.py")
exempt("logic.Circuit*", "bits in and out, no derivatives: tests/logic/test_circuit.py")
exempt("logic.compile", "takes a module: tests/logic/test_circuit.py")
for name in ("aiger", "blif", "c", "onnx", "testbench", "verilog"):
    exempt(f"logic.to_{name}", "a circuit to text: tests/logic/test_exports.py")
