"""The operations of ``algonets.memory``: one step of the real-valued memories, reads, and measures of patterns."""

import math

import torch

from algonets import memory
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

STORED = torch.tensor([[0.5, -1.0, 0.3, 0.8], [-0.7, 0.2, 1.1, -0.4], [0.9, 0.6, -0.2, -1.2]], dtype=torch.float64)


def queries(generator, dtype, batch):
    """Random states."""
    return (torch.randn(*batch, 4, generator=generator, dtype=dtype),)


def operation(name, summary, function, oracle, **promises):
    """Register an operation on states, any order by default."""
    register(
        Operation(
            name=f"memory.{name}",
            summary=summary,
            function=function,
            oracle=oracle,
            **{"differentiability": "any order", "inputs": queries, "cost": "O(P n)", **promises},
        )
    )


MODERN = memory.ModernHopfield(4, 0.7).store(STORED)
DENSE = memory.DenseMemory(4, 4.0).store(STORED)
LOOKUP = memory.KeyValueMemory(0.5)


def look_up(q):
    """Read two numbers by the stored patterns as keys."""
    stored = STORED.to(q.dtype) if isinstance(q, torch.Tensor) and q.dtype.is_floating_point else STORED
    return LOOKUP(q, stored, stored[:, :2])


def modern_step(q):
    """One update by scalar loops."""
    weights = [math.exp(0.7 * float(x @ q)) for x in STORED]
    return sum(w * x for w, x in zip(weights, STORED, strict=True)) / sum(weights)


def dense_step(q):
    """One update with the derivative of the fourth power."""
    weights = [max(float(x @ q), 0.0) ** 3 for x in STORED]
    return sum(w * x for w, x in zip(weights, STORED, strict=True)) / sum(weights)


RAMSAUER = "Ramsauer et al. 2021"
operation(
    "ModernHopfield.forward",
    "Modern Hopfield retrieval, one update",
    MODERN,
    modern_step,
    arguments=(Argument("ModernHopfield(queries)"),),
    ways=("pool", "unroll", "analytic"),
    reference=RAMSAUER,
)
operation(
    "ModernHopfield.energy",
    "Its energy",
    MODERN.energy,
    lambda q: (
        -math.log(sum(math.exp(0.7 * float(x @ q)) for x in STORED)) / 0.7
        + 0.5 * q @ q
        + math.log(3) / 0.7
        + 0.5 * max(float(x @ x) for x in STORED)
    ),
    arguments=(Argument("ModernHopfield.energy(states)"),),
    reference=RAMSAUER,
)
operation(
    "DenseMemory.forward",
    "Polynomial dense memory, one update",
    DENSE,
    dense_step,
    differentiability="twice",
    inputs=lambda generator, dtype, batch: (STORED[0].to(dtype) + 0.1 * queries(generator, dtype, batch)[0],),
    arguments=(Argument("DenseMemory(queries)"),),
    ways=("pool", "unroll", "analytic"),
    reference="Krotov, Hopfield 2016",
)
operation(
    "KeyValueMemory.forward",
    "Soft lookup of values by keys",
    look_up,
    lambda q: torch.softmax(STORED @ q / 0.5, 0) @ STORED[:, :2],
    arguments=(Argument("KeyValueMemory(queries)", nan="propagates"),),
    ways=("pool", "unroll"),
    cost="O(S d)",
    reference="Miller et al. 2016",
)


POOLING = memory.HopfieldPooling(4, 2, memory.ModernHopfield(4, 0.7)).double()
TABLE = memory.HopfieldLookup(4, 3, 2, memory.ModernHopfield(4, 0.7)).double()
for parameter in (*POOLING.parameters(), *TABLE.parameters()):
    parameter.requires_grad_(False)
    parameter.copy_(torch.linspace(-1, 1, parameter.numel(), dtype=torch.float64).reshape(parameter.shape))


def elements(generator, dtype, batch):
    """Random sets of three."""
    return (torch.randn(*batch, 3, 4, generator=generator, dtype=dtype),)


operation(
    "HopfieldPooling.forward",
    "Learned queries read a set",
    POOLING,
    lambda x: torch.stack([torch.softmax(0.7 * x @ q, 0) @ x for q in POOLING.queries]),
    inputs=elements,
    arguments=(Argument("HopfieldPooling(elements)", nan="propagates"),),
    ways=("pool", "unroll", "analytic"),
    cost="O(queries S n)",
    reference=RAMSAUER,
)
operation(
    "HopfieldLookup.forward",
    "Lookup of learned patterns",
    TABLE,
    lambda q: torch.softmax(0.7 * TABLE.keys @ q, 0) @ TABLE.values,
    arguments=(Argument("HopfieldLookup(queries)", nan="propagates"),),
    ways=("pool", "unroll", "analytic"),
    reference=RAMSAUER,
)


def two(generator, dtype, batch):
    """Two states."""
    return (*queries(generator, dtype, batch), *queries(generator, dtype, batch))


def two_sets(generator, dtype, batch):
    """Two sets of states."""
    make = lambda count: torch.randn(*batch, count, 4, generator=generator, dtype=dtype)  # noqa: E731
    return make(3), make(2)


operation(
    "overlap",
    "Overlap of patterns",
    memory.overlap,
    lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)) / 4,
    inputs=two,
    arguments=tuple(Argument(f"overlap({name})", nan="propagates") for name in "ab"),
    cost="O(n)",
)
operation(
    "hamming_distance",
    "Places in which patterns of signs differ",
    memory.hamming_distance,
    lambda a, b: torch.stack([torch.stack([(4 - x @ y) / 2 for y in b]) for x in a]),
    inputs=two_sets,
    arguments=tuple(Argument(f"hamming_distance({name})", nan="propagates") for name in "ab"),
    cost="O(A B n)",
)
operation(
    "occlude",
    "Cover part of a pattern",
    lambda x: memory.occlude(x, 0.5),
    lambda x: torch.cat([x[:2], -torch.ones(2, dtype=x.dtype)]),
    arguments=(Argument("occlude(patterns)", nan="propagates"),),
    cost="O(n)",
)
operation(
    "flip",
    "Flip part of a pattern at random",
    lambda x, generator: memory.flip(x, 0.5, generator),
    "random: tests/memory/test_hopfield.py counts the flips",
    random=True,
    arguments=(Argument("flip(patterns)", nan="propagates"),),
    cost="O(n log n)",
)

SIGNS = torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, -1.0]])
for name, make, use in (
    ("Hopfield", lambda: memory.Hopfield(4, "storkey").store(SIGNS), lambda m: m(-SIGNS)),
    ("Hamming", lambda: memory.Hamming(4, inhibition=0.5).store(SIGNS), lambda m: m(-SIGNS)),
    ("ModernHopfield", lambda: memory.ModernHopfield(4, 0.3).store(SIGNS), lambda m: m(SIGNS / 2)),
    ("DenseMemory", lambda: memory.DenseMemory(4, 5.0).store(SIGNS), lambda m: m(SIGNS / 2)),
    (
        "KeyValueMemory",
        lambda: memory.KeyValueMemory(torch.nn.Parameter(torch.tensor(0.2))),
        lambda m: m(SIGNS, SIGNS, SIGNS),
    ),
    ("HopfieldPooling", lambda: memory.HopfieldPooling(4, 3), lambda m: m(SIGNS)),
    ("HopfieldLookup", lambda: memory.HopfieldLookup(4, 3, 2), lambda m: m(SIGNS)),
    (
        "MemoryNetwork",
        lambda: memory.MemoryNetwork(5, 3, 2, 4, 2, tying="layer"),
        lambda m: m(torch.ones(1, 2, 2, dtype=torch.int64), torch.ones(1, 2, dtype=torch.int64)),
    ),
):
    register_object(PublicObject(name=f"memory.{name}", make=make, use=use))

exempt("memory.AssociativeMemory*", "abstract: its families are registered")
exempt("memory.as_signs", "booleans in: tests/memory")
for name in ("pack", "unpack", "packed_hamming_distance"):
    exempt(f"memory.{name}", "integers of packed bits: tests/memory/test_kernels.py")
exempt("memory.position_encoding", "a constant of two integers: tests/memory/test_memory_network.py")
for name in ("pack", "unpack", "packed_hamming_distance"):
    exempt(f"memory.{name}", "integers: tests/memory/test_kernels.py")
for name in ("hebb", "storkey", "pseudo_inverse", "perceptron_rule"):
    exempt(f"memory.{name}", "one set of patterns to one matrix, no batch: tests/memory/test_hopfield.py")
for name in (
    "Hopfield",
    "HopfieldPooling",
    "HopfieldLookup",
    "Hamming",
    "ModernHopfield",
    "DenseMemory",
    "KeyValueMemory",
    "MemoryNetwork",
):
    exempt(f"memory.{name}.*", "members of a module with state: tests/memory")
