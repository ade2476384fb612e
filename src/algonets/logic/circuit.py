"""An immutable logic circuit: what a trained network becomes."""

import math
import time
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from algonets._core.errors import reject, reject_type, require
from algonets.logic._runtime import Runtime, as_bits, as_rows, pack_bits, simplify
from algonets.logic.layer import LogicLayer
from algonets.logic.lookup import LookupLayer
from algonets.logic.netlist import Netlist, lower

__all__ = ["Circuit", "compile"]

_VERIFIED = 4096
_STATE = ("inputs", "event", "thresholds", "a", "b", "kind", "literals", "groups", "temperature", "gates_before")


@final
class Circuit:
    """Gates and, xor with free inverters; callable on examples, bit-packed inside, equal to the hardened network.

    Made by :func:`compile` or :meth:`load`. Nothing in it can be changed.

    Attributes:
        inputs: Number of input bits.
        event: Shape of an example, before the thermometer.
        thresholds: float32 ``(bits, features)``: input bit ``t features + f`` is ``x[f] > thresholds[t, f]``. Without
            an encoder one row of 1/2.
        a: uint32 ``(gates,)``, literal of the first input: ``2 node + 1`` if negated, else ``2 node``. Node 0 is the
            constant 0, then come the inputs, then the gates.
        b: Likewise of the second input.
        kind: uint8 ``(gates,)``: 0 is "and", 1 "xor".
        literals: uint32, of the outputs.
        groups: Number of classes: equal parts of the outputs that are counted; 0 if the outputs are bits.
        temperature: Divides the counts.
        gates_before: Gates of the network.

    Example:
        >>> import algonets as an
        >>> circuit = compile(an.logic.LogicLayer(2, 1, wiring=torch.tensor([[1], [0]])))
        >>> circuit(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))  # a residual gate passes input 1 on
        tensor([[1.],
                [0.]])
        >>> circuit.stats()["gates"]
        0
    """

    inputs: int
    event: tuple[int, ...]
    thresholds: np.ndarray
    a: np.ndarray
    b: np.ndarray
    kind: np.ndarray
    literals: np.ndarray
    groups: int
    temperature: float
    gates_before: int
    _runtime: Runtime

    def __init__(self, **state: Any):
        """Take over checked state; see the attributes."""
        for name in _STATE:
            value = state[name]
            if isinstance(value, np.ndarray) and value.size:  # over bytes, which nobody can make writable again
                value = np.frombuffer(value.tobytes(), value.dtype).reshape(value.shape)
            object.__setattr__(self, name, value)
        _check(self)
        graph = (self.a, self.b, self.kind, self.literals)
        object.__setattr__(self, "_runtime", Runtime(self.inputs, graph, self._ends(), self.thresholds))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Circuit.{name} must stay as it is: circuits are immutable. Compile another one.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Circuit.{name} must stay: circuits are immutable.")

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STATE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def __copy__(self) -> "Circuit":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Circuit":
        return self

    def _ends(self) -> np.ndarray:
        parts = self.groups or len(self.literals)
        return np.arange(1, parts + 1, dtype=np.int64) * (len(self.literals) // parts if parts else 0)

    @property
    def features(self) -> int:
        """Numbers of an example."""
        return self.thresholds.shape[1]

    def counts(self, x: Tensor) -> Tensor:
        """Count the outputs of each class that are 1.

        Args:
            x: ``(*batch, *event)``, booleans, bytes, or floating point; compared with the thresholds.

        Returns:
            int32 ``(*batch, classes)``, or the output bits if the network had no group sum.

        Raises:
            TypeError: for anything but a real tensor.
            ValueError: for another shape.
        """
        if not isinstance(x, Tensor) or x.dtype.is_complex:
            reject_type("Circuit(x)", "must be a tensor of real numbers", x)
        batch = x.ndim - len(self.event)
        fits = batch >= 0 and tuple(x.shape[batch:]) == self.event
        require(fits, "Circuit(x)", f"must have shape (*batch, {', '.join(map(str, self.event))})", x)
        if x.dtype in (torch.bool, torch.uint8):
            found = self._runtime.bytes_rows(as_rows(x.to(torch.uint8), self.features))
        elif x.dtype == torch.float32:
            found = self._runtime.float_rows(as_rows(x, self.features))
        else:  # compared in its own precision, as the network does
            wide = x if x.dtype.is_floating_point else x.to(torch.float32)
            found = self._runtime._rows(self._compare(wide.reshape(-1, self.features)).numpy())
        return torch.from_numpy(found).reshape(*x.shape[:batch], found.shape[1]).to(x.device)

    def _compare(self, rows: Tensor) -> Tensor:
        thresholds = torch.from_numpy(self.thresholds.copy()).to(rows.dtype)
        return rows.detach().cpu() > thresholds.unsqueeze(1)

    def __call__(self, x: Tensor) -> Tensor:
        """Scores of the classes, float32 ``(*batch, classes)``: those of the hardened network."""
        counts = self.counts(x).to(torch.float32)
        return counts / self.temperature if self.groups else counts

    def predict(self, x: Tensor) -> Tensor:
        """Class with the largest count, the first of equal ones; int64 ``(*batch)``."""
        return self.counts(x).argmax(-1)

    def pack(self, x: Tensor) -> Tensor:
        """Pack examples for :meth:`run_packed`: int64 ``(inputs, ceil(N / 64))``, a bit an example."""
        rows = x.detach().cpu().reshape(-1, self.features)
        wide = rows if rows.dtype.is_floating_point else rows.to(torch.float32)
        return torch.from_numpy(pack_bits(as_bits(self._compare(wide).numpy())))

    def run_packed(self, words: Tensor, samples: int) -> Tensor:
        """Count the outputs for packed input bits.

        Args:
            words: int64 ``(inputs, W)``: example s is bit ``s % 64`` of word ``s // 64``.
            samples: Number of examples, at most ``64 W``.

        Returns:
            int32 ``(samples, classes)``.

        Raises:
            TypeError: if the words are no int64 tensor on the CPU.
            ValueError: if the shapes do not fit.
        """
        if not isinstance(words, Tensor) or words.dtype != torch.int64 or words.device.type != "cpu":
            reject_type("Circuit.run_packed(words)", "must be an int64 tensor on the CPU", words)
        good = words.ndim == 2 and len(words) == self.inputs
        require(good, "Circuit.run_packed(words)", f"must have shape ({self.inputs}, W)", words)
        good = isinstance(samples, int) and 0 <= samples <= 64 * words.shape[1]
        require(good, "Circuit.run_packed(samples)", f"must be from 0 to {64 * words.shape[1]}", samples)
        return torch.from_numpy(self._runtime.words(words.contiguous().numpy(), samples))

    def levels(self) -> np.ndarray:
        """Level of every node: 0 for constant and inputs, else one more than the higher of its inputs."""
        level = np.zeros(1 + self.inputs + len(self.a), np.int64)
        for gate, (x, y) in enumerate(zip((self.a >> 1).tolist(), (self.b >> 1).tolist(), strict=True)):
            level[1 + self.inputs + gate] = 1 + max(level[x], level[y])
        return level

    def stats(self, seconds: float = 0.0) -> dict[str, Any]:
        """Sizes and, if asked, speed.

        Args:
            seconds: How long to measure the speed on random bits; 0 does not.

        Returns:
            ``gates_before`` and ``gates``; ``ands``, ``xors``, ``depth``, ``inputs``, ``outputs``; ``file_bytes``, of
            :meth:`save`; ``runtime_bytes``, of the slots that 512 examples need; with ``seconds``
            ``examples_per_second`` from packed bits.
        """
        xors = int(self.kind.sum())
        program = self._runtime.program
        found: dict[str, Any] = {
            "gates_before": self.gates_before,
            "gates": len(self.kind),
            "ands": len(self.kind) - xors,
            "xors": xors,
            "depth": int(self.levels().max()),
            "inputs": self.inputs,
            "outputs": len(self.literals),
            "file_bytes": len(self.to_bytes()),
            "runtime_bytes": 64 * (program.slots if program is not None else 1 + self.inputs + len(self.a)),
        }
        if seconds > 0:
            generator = np.random.default_rng(0)
            words = generator.integers(-(2**63), 2**63, (self.inputs, 64), dtype=np.int64)
            self._runtime.words(words, 4096)
            runs, start = 0, time.perf_counter()
            while runs == 0 or time.perf_counter() - start < seconds:
                self._runtime.words(words, 4096)
                runs += 1
            found["examples_per_second"] = runs * 4096 / (time.perf_counter() - start)
        return found

    def to_bytes(self) -> bytes:
        """The content of the file that :meth:`save` writes."""
        from algonets.logic.circuit_file import encode

        return encode(self)

    def save(self, path: Any) -> None:
        """Write a versioned file with a checksum; it appears only when it is complete."""
        from algonets.logic.circuit_file import write

        write(self, path)

    @staticmethod
    def load(path: Any) -> "Circuit":
        """Read a file of :meth:`save`.

        Raises:
            ValueError: if it is no such file, of an unknown version, cut off, or altered.
        """
        from algonets.logic.circuit_file import read

        return read(path)

    def __repr__(self) -> str:
        kind = f"{self.groups} classes" if self.groups else f"{len(self.literals)} bits"
        return f"Circuit({self.inputs} inputs, {len(self.kind)} gates (of {self.gates_before}), {kind})"


def _check(circuit: Circuit) -> None:
    """Refuse state that is no circuit: it may come from a file."""
    gates, nodes = len(circuit.kind), 1 + circuit.inputs + np.arange(len(circuit.kind))
    good = (
        circuit.thresholds.ndim == 2
        and circuit.thresholds.size == circuit.inputs
        and circuit.thresholds.shape[1] == math.prod(circuit.event)
        and circuit.a.shape == circuit.b.shape == (gates,)
        and bool((circuit.a >> 1 < nodes).all() and (circuit.b >> 1 < nodes).all() and (circuit.kind < 2).all())
        and bool((circuit.literals >> 1 < 1 + circuit.inputs + gates).all())
        and circuit.groups >= 0
        and (not circuit.groups or len(circuit.literals) % circuit.groups == 0)
        and 0 < circuit.temperature < math.inf
    )
    require(good, "Circuit", "must have gates of earlier nodes and shapes that fit", "something else")


def compile(
    network: nn.Module, example: Tensor | None = None, *, simplify: bool = True, verify: bool = True
) -> Circuit:
    """Make the circuit of a network.

    Constants, wires, inverters, equal gates and gates that nothing reads go; the outputs stay the same for every input.

    Args:
        network: Hard or soft (then its most likely gates are taken): a sequence of :class:`LogicLayer`,
            :class:`LookupLayer`, :class:`LogicConv2d`, with ``nn.Flatten`` between, a :class:`Thermometer` or
            :class:`Binarize` in front, a :class:`GroupSum` behind, all optional.
        example: A batch ``(N, *event)`` of which only the shape matters; may be left out if the first module is a
            :class:`LogicLayer` or :class:`LookupLayer`.
        simplify: Whether to simplify. If not, every gate of the network, constants and wires too, is one operation.
        verify: Whether to compare with the unsimplified circuit on 4,096 random rows of bits.

    Returns:
        The circuit: ``circuit(x)`` equals ``harden(network)(x)`` for inputs of 0 and 1, or for any numbers if an
        encoder is in front.

    Raises:
        TypeError: for a module that is no part of a circuit.
        ValueError: if shapes do not fit, weights are NaN, or an example is needed.
        RuntimeError: if the verification fails, which would be an error of the library.

    Differentiability:
        None.

    Cost:
        O(gates); about 20 ms for 48,000 gates.

    References:
        A. Kuehlmann, F. Krohm (1997), Equivalence Checking Using Cuts and Heaps (structural hashing with inverters on
        edges). F. Petersen et al. (2022), Deep Differentiable Logic Gate Networks.

    Example:
        >>> import algonets as an
        >>> net = an.logic.Sequential(an.logic.LogicLayer(8, 20), an.logic.GroupSum(2))
        >>> x = torch.rand(5, 8).round()
        >>> torch.equal(compile(net)(x), an.logic.harden(net)(x))
        True
    """
    if not isinstance(network, nn.Module):
        reject_type("compile(network)", "must be a torch.nn.Module", network)
    netlist = lower(network, _event(network, example))
    circuit = _build(netlist, simplify)
    if simplify and verify:
        plain = _build(netlist, False)
        words = np.random.default_rng(0).integers(-(2**63), 2**63, (netlist.inputs, _VERIFIED // 64), dtype=np.int64)
        if not np.array_equal(circuit._runtime.words(words, _VERIFIED), plain._runtime.words(words, _VERIFIED)):
            raise RuntimeError("compile(network) made a circuit that is not the network's. Please report this.")
    return circuit


def _build(netlist: Netlist, shorten: bool) -> Circuit:
    a, b, kind, literals = simplify(netlist.inputs, netlist.arrays(), shorten)
    thresholds = netlist.thresholds
    if thresholds is None:
        thresholds = np.full((1, netlist.inputs), 0.5, np.float32)
    return Circuit(
        inputs=netlist.inputs,
        event=tuple(netlist.event),
        thresholds=thresholds,
        a=a,
        b=b,
        kind=kind,
        literals=literals,
        groups=netlist.groups,
        temperature=float(netlist.temperature),
        gates_before=netlist.gates,
    )


def _event(network: nn.Module, example: Tensor | None) -> tuple[int, ...]:
    if example is not None:
        if not isinstance(example, Tensor):
            reject_type("compile(example)", "must be a tensor", example)
        require(example.ndim >= 2, "compile(example)", "must have a batch dimension and one of features", example)
        return tuple(example.shape[1:])
    first = network
    while isinstance(first, nn.Sequential) and len(first):
        first = first[0]
    if isinstance(first, LogicLayer | LookupLayer):
        return (first.in_features,)
    return reject("compile(example)", "must be given unless the first module is a LogicLayer", None)
