"""From modules to a flat list of gates."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from algonets._core.errors import reject_type, require
from algonets.logic.conv import LogicConv2d
from algonets.logic.group_sum import GroupSum
from algonets.logic.layer import LogicLayer
from algonets.logic.lookup import LookupLayer
from algonets.logic.thermometer import Binarize, Thermometer

__all__ = ["Netlist", "lower"]

Signals = np.ndarray[Any, np.dtype[np.int64]]

_AND, _XOR, _OR = 1, 6, 7


@dataclass
class Netlist:
    """Gates of two signals. Signals are numbered: the input bits, then the gates.

    Attributes:
        inputs: Number of input bits.
        event: Shape of an example as the network takes it, before the thermometer.
        thresholds: ``(bits, *event)``, input bit ``t n + f`` is feature f above threshold t; ``None``: bits come in.
        outputs: Signals, in the order of the network's last layer.
        groups: Number of equal parts that are counted, 0 if the outputs are bits.
        temperature: That divides the counts.
    """

    inputs: int = 0
    event: tuple[int, ...] = ()
    thresholds: np.ndarray | None = None
    first: list[Signals] = field(default_factory=list)
    second: list[Signals] = field(default_factory=list)
    table: list[np.ndarray] = field(default_factory=list)
    gates: int = 0
    outputs: Signals = field(default_factory=lambda: np.zeros(0, np.int64))
    groups: int = 0
    temperature: float = 1.0

    def add(self, table: Any, first: Signals, second: Signals) -> Signals:
        """Append gates; returns their signals, in the shape of ``first``."""
        start = self.inputs + self.gates
        self.first.append(first.reshape(-1))
        self.second.append(np.broadcast_to(second, first.shape).reshape(-1))
        self.table.append(np.broadcast_to(np.asarray(table, np.uint8), first.shape).reshape(-1))
        self.gates += first.size
        return np.arange(start, start + first.size, dtype=np.int64).reshape(first.shape)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """First and second inputs (int32), tables (uint8) of all gates, and the outputs (int32)."""
        join = lambda parts, dtype: np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)  # noqa: E731
        return (
            join(self.first, np.int32),
            join(self.second, np.int32),
            join(self.table, np.uint8),
            join([self.outputs.reshape(-1)], np.int32),
        )


def lower(network: nn.Module, event: tuple[int, ...]) -> Netlist:
    """Turn a network into a netlist.

    Args:
        network: Sequences of logic layers, with a thermometer or binarisation first and a group sum last.
        event: Shape of an example.

    Raises:
        TypeError: for a module that is not understood.
        ValueError: where modules are in an order that no circuit has.
    """
    modules = _flat(network)
    netlist = Netlist(event=event)
    signals, modules = _start(netlist, modules)
    for place, module in enumerate(modules):
        if isinstance(module, GroupSum):
            last = place == len(modules) - 1
            require(last, "compile(network)", "must have GroupSum at its end only", type(modules[-1]).__name__)
            netlist.groups, netlist.temperature = module.classes, module.scale(signals.shape[-1])
        else:
            signals = _lower(netlist, module, signals)
    require(signals.ndim == 1, "compile(network)", "must end in a vector (add nn.Flatten())", tuple(signals.shape))
    netlist.outputs = signals
    return netlist


def _flat(network: nn.Module) -> list[nn.Module]:
    if isinstance(network, nn.Sequential):
        return [part for module in network for part in _flat(module)]
    if isinstance(network, nn.Identity | nn.Dropout):
        return []
    return [network]


def _start(netlist: Netlist, modules: list[nn.Module]) -> tuple[Signals, list[nn.Module]]:
    """Number the input bits; an encoder in front becomes thresholds."""
    shape, flatten = netlist.event, 0
    while flatten < len(modules) and isinstance(modules[flatten], nn.Flatten):
        shape, flatten = (int(np.prod(shape)),), flatten + 1
    size = int(np.prod(shape))
    encoder = modules[flatten] if flatten < len(modules) else None
    if isinstance(encoder, Thermometer):
        require(
            len(shape) == encoder.event_dims, "compile(example)", f"must have {encoder.event_dims} dimensions", shape
        )
        thresholds = encoder.thresholds.detach().to(torch.float32).cpu().numpy()
        thresholds = np.broadcast_to(thresholds, (encoder.bits, *shape))
    elif isinstance(encoder, Binarize):
        thresholds = np.full((1, *shape), float(encoder.threshold), np.float32)
    else:
        netlist.inputs = size
        return np.arange(size, dtype=np.int64).reshape(shape), modules[flatten:]
    bits = len(thresholds)
    netlist.thresholds = np.ascontiguousarray(thresholds.reshape(bits, size))
    netlist.inputs = bits * size
    signals = np.arange(bits * size, dtype=np.int64).reshape(bits * shape[0], *shape[1:])
    return signals, modules[flatten + 1 :]


def _lower(netlist: Netlist, module: nn.Module, signals: Signals) -> Signals:
    if isinstance(module, LogicLayer | LookupLayer | LogicConv2d):
        numbers = not bool(module.weights.isnan().any())
        require(numbers, "compile(network)", "must have weights that are numbers", f"NaN in {type(module).__name__}")
    if isinstance(module, nn.Flatten):
        return signals.reshape(-1)
    if isinstance(module, LogicLayer):
        _check_width("LogicLayer", signals, module.in_features)
        wires = module.hard_wiring().cpu().numpy()
        return netlist.add(module.gates().cpu().numpy(), signals[wires[0]], signals[wires[1]])
    if isinstance(module, LookupLayer):
        _check_width("LookupLayer", signals, module.in_features)
        return _lookup(netlist, module, signals[module.wiring.cpu().numpy()])
    if isinstance(module, LogicConv2d):
        return _convolve(netlist, module, signals)
    return reject_type(
        "compile(network)", "must be made of logic layers, nn.Sequential and nn.Flatten, with an encoder first", module
    )


def _check_width(name: str, signals: Signals, width: int) -> None:
    good = signals.ndim == 1 and len(signals) == width
    require(good, f"compile: {name}", f"must get {width} signals", tuple(signals.shape), "Check example.")


def _lookup(netlist: Netlist, module: LookupLayer, wires: Signals) -> Signals:
    """Choose entry by entry: two inputs at a time make gates, each further one chooses between two halves."""
    tables = module.hard_tables().cpu().numpy().astype(np.int64)
    if module.inputs == 1:
        return netlist.add(12 * tables[:, 0] + 3 * tables[:, 1], wires[0], wires[0])
    quads = tables.reshape(len(tables), -1, 4) @ np.array([8, 4, 2, 1])
    shape = quads.shape
    a, b = (np.broadcast_to(wire[:, None], shape) for wire in wires[-2:])
    values = netlist.add(quads, np.ascontiguousarray(a), np.ascontiguousarray(b))
    for wire in wires[-3::-1]:
        low, high = values[:, 0::2], values[:, 1::2]
        chosen = np.ascontiguousarray(np.broadcast_to(wire[:, None], low.shape))
        differ = netlist.add(_XOR, low, high)
        values = netlist.add(_XOR, low, netlist.add(_AND, chosen, differ))
    return values[:, 0]


def _convolve(netlist: Netlist, module: LogicConv2d, signals: Signals) -> Signals:
    good = signals.ndim == 3 and signals.shape[0] == module.in_channels
    require(good, "compile: LogicConv2d", f"must get an image of {module.in_channels} channels", tuple(signals.shape))
    height, width = module.output_size(*signals.shape[1:])
    if module.padding:
        zero = netlist.add(0, signals.reshape(-1)[:1], signals.reshape(-1)[:1])[0]
        edge = (module.padding, module.padding)
        signals = np.pad(signals, ((0, 0), edge, edge), constant_values=zero)
    leaves = module.leaves(*signals.shape[1:]).cpu().numpy().astype(np.int64)
    position = (np.arange(height)[:, None] * signals.shape[2] + np.arange(width)).reshape(-1)
    values = signals.reshape(-1)[leaves[:, :, None] + position]  # (K, leaves, positions)
    gates, start = module.gates().cpu().numpy(), 0
    while values.shape[1] > 1:
        pairs = values.shape[1] // 2
        table = np.broadcast_to(gates[:, start : start + pairs, None], (len(gates), pairs, values.shape[2]))
        values = netlist.add(table, values[:, 0::2], values[:, 1::2])
        start += pairs
    image = values.reshape(len(gates), height, width)
    if module.pool > 1:
        image = _pool(netlist, image, module.pool)
    return image


def _pool(netlist: Netlist, image: Signals, size: int) -> Signals:
    rows, columns = image.shape[1] // size, image.shape[2] // size
    image = image[:, : rows * size, : columns * size].reshape(len(image), rows, size, columns, size)
    parts = [image[:, :, i, :, j] for i in range(size) for j in range(size)]
    while len(parts) > 1:  # a balanced tree
        joined = [netlist.add(_OR, a, b) for a, b in zip(parts[0::2], parts[1::2], strict=False)]
        parts = joined + parts[2 * len(joined) :]
    return parts[0]
