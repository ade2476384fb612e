"""Networks of logic gates: training steps, convolution, circuits; beside other implementations, one thread.

difflogic needs CUDA to install, so its Python formulation was written anew from the paper: the sixteen operations one
after the other, weighted and summed. torchlogix is timed where it is installed (it needs Python 3.12; on 3.11 one of
its files, not used here, has a syntax error and is left out). With ``--device cuda`` only training steps are timed.

Times are of this process' processor (``time.process_time``) where the device is the CPU: one thread, so on a quiet
machine they are wall times, and on a busy one they still compare.
"""

import argparse
import importlib
import importlib.metadata
import itertools
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import torch
from _timing import machine, save
from torch import nn
from torch.nn import functional

import algonets as an
from algonets import logic

GATES, LAYERS, INPUTS, BATCH, CLASSES = 8000, 6, 400, 100, 10
SECONDS = 2.0
ROWS = 50_000


def torchlogix() -> Any:
    """The peer's layers, or None."""
    try:
        sys.modules.setdefault("torchlogix.circuit", types.SimpleNamespace(Circuit=None))  # type: ignore[arg-type]
        return importlib.import_module("torchlogix.layers")
    except (ImportError, SyntaxError):
        return None


def milliseconds(job: Callable[[], Any], device: str = "cpu", seconds: float = SECONDS) -> float:
    """Best time of a job, processor time on the CPU, wall time with synchronisation on a GPU."""
    job()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 3 or (time.perf_counter() < end and runs < 100):
        if device == "cuda":
            torch.cuda.synchronize()
            start = time.perf_counter()
            job()
            torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
        else:
            start = time.process_time()
            job()
            best = min(best, time.process_time() - start)
        runs += 1
    return 1000 * best


OPERATIONS: tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], ...] = (
    lambda a, b: torch.zeros_like(a),
    lambda a, b: a * b,
    lambda a, b: a - a * b,
    lambda a, b: a,
    lambda a, b: b - a * b,
    lambda a, b: b,
    lambda a, b: a + b - 2 * a * b,
    lambda a, b: a + b - a * b,
    lambda a, b: 1 - (a + b - a * b),
    lambda a, b: 1 - (a + b - 2 * a * b),
    lambda a, b: 1 - b,
    lambda a, b: 1 - b + a * b,
    lambda a, b: 1 - a,
    lambda a, b: 1 - a + a * b,
    lambda a, b: 1 - a * b,
    lambda a, b: torch.ones_like(a),
)


class SixteenOperations(nn.Module):
    """A layer as the paper writes it, and as difflogic's Python implementation computes it."""

    def __init__(self, layer: logic.LogicLayer):
        super().__init__()
        self.weights = nn.Parameter(layer.weights.detach().clone())
        self.register_buffer("first", layer.wiring[0].long())
        self.register_buffer("second", layer.wiring[1].long())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x[..., self.first], x[..., self.second]
        p = functional.softmax(self.weights, -1)
        total = torch.zeros_like(a)
        for k, operation in enumerate(OPERATIONS):
            total = total + p[..., k] * operation(a, b)
        return total


def layers_of(width: int) -> list[logic.LogicLayer]:
    g = torch.Generator().manual_seed(0)
    sizes = [INPUTS] + [width] * LAYERS
    return [logic.LogicLayer(a, b, initialization="normal", generator=g) for a, b in itertools.pairwise(sizes)]


def step_of(network: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        network.zero_grad()
        functional.cross_entropy(network(x), labels).backward()

    return step


def rows_of_steps(device: str, width: int = GATES) -> list[dict]:
    """Forward and backward of one batch."""
    layers = layers_of(width)
    ours = logic.Sequential(*layers, logic.GroupSum(CLASSES, 10.0)).to(device)
    peers: dict[str, nn.Module] = {
        "16 operations (difflogic)": nn.Sequential(*map(SixteenOperations, layers), logic.GroupSum(CLASSES, 10.0))
    }
    if (peer := torchlogix()) is not None:
        sizes = [INPUTS] + [width] * LAYERS
        made = [peer.LogicDense(a, b, device=device) for a, b in itertools.pairwise(sizes)]
        peers["torchlogix"] = nn.Sequential(*made, logic.GroupSum(CLASSES, 10.0))
    x = torch.rand(BATCH, INPUTS, generator=torch.Generator().manual_seed(1)).round().to(device)
    labels = torch.randint(CLASSES, (BATCH,), generator=torch.Generator().manual_seed(2)).to(device)
    what = f"training step {LAYERS} x {width}, {INPUTS} inputs, batch {BATCH}"
    kernel = milliseconds(step_of(ours, x, labels), device)
    with an.backend("torch"):
        plain = milliseconds(step_of(ours, x, labels), device)
    found = []
    for name, network in peers.items():
        slow = milliseconds(step_of(network.to(device), x, labels), device)
        for backend, fast in (("kernels", kernel), ("plain torch", plain)):
            found.append(entry(what, backend, fast, name, slow))
    return found


def entry(what: str, backend: str, fast: float, peer: str, slow: float) -> dict:
    return {
        "operation": what,
        "backend": backend,
        "algonets ms": round(fast, 2),
        "peer": peer,
        "peer ms": round(slow, 1),
        "ratio": round(slow / fast, 1),
    }


def rows_of_convolution() -> list[dict]:
    """A layer of trees of depth 3 with or-pooling, forward and backward, on images of 32 x 32."""
    channels, kernels, batch, side = 9, 32, 32, 32
    x = torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(0))
    layer = logic.LogicConv2d(channels, kernels, 3, depth=3, padding=1, pool=2, initialization="normal")
    what = f"conv tree depth 3, {channels} to {kernels} channels, {side} x {side}, or-pool, batch {batch}"

    def step_of_image(network: nn.Module) -> Callable[[], None]:
        def step() -> None:
            network.zero_grad()
            network(x).sum().backward()

        return step

    fast = milliseconds(step_of_image(layer))
    with an.backend("torch"):
        plain = milliseconds(step_of_image(layer), seconds=1)
    peer = torchlogix()
    if peer is None:
        return [entry(what, "kernels", fast, "our plain torch", plain)]
    theirs = nn.Sequential(
        peer.LogicConv2d(
            in_dim=side, channels=channels, num_kernels=kernels, tree_depth=3, receptive_field_size=3, padding=1
        ),
        peer.OrPooling2d(2, 2),
    )
    slow = milliseconds(step_of_image(theirs), seconds=1)
    return [entry(what, "kernels", fast, "torchlogix", slow), entry(what, "plain torch", plain, "torchlogix", slow)]


def rate(job: Callable[[], Any], rows: int) -> float:
    """Millions of rows a second."""
    return rows / milliseconds(job) / 1000


def random_network() -> logic.Sequential:
    """Of the size of MNIST's, with 784 inputs."""
    g = torch.Generator().manual_seed(0)
    sizes = [784] + [GATES] * LAYERS
    layers = [logic.LogicLayer(a, b, initialization="normal", generator=g) for a, b in itertools.pairwise(sizes)]
    return logic.Sequential(*layers, logic.GroupSum(CLASSES))


def rows_of_circuits(trained: str | None) -> list[dict]:
    """Images a second of MNIST-sized networks, from packed bits and from bytes, and how long compiling takes."""
    g = torch.Generator().manual_seed(1)
    network = random_network()
    found = []
    circuits = {
        f"random {LAYERS} x {GATES}, {kind}": (lambda s=s: logic.compile(network, simplify=s))
        for kind, s in (("as it is", False), ("simplified", True))
    }
    if trained is not None:
        circuits["trained on MNIST, simplified"] = lambda: logic.Circuit.load(trained)
    for name, make in circuits.items():
        circuit = make()
        highest = 256 if "trained" in name else 2
        x = torch.randint(highest, (ROWS, circuit.features), generator=g, dtype=torch.uint8)
        words = circuit.pack(x)
        stats = circuit.stats()
        found.append(
            {
                "circuit": name,
                "gates": stats["gates"],
                "depth": stats["depth"],
                "M/s from bits": round(rate(lambda c=circuit, w=words: c.run_packed(w, ROWS), ROWS), 2),
                "M/s from bytes": round(rate(lambda c=circuit, x=x: c.counts(x), ROWS), 2),
                "compile or load ms": round(milliseconds(make), 1),
                "slots kB": stats["runtime_bytes"] // 1024,
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--circuit", default=None, help="a trained circuit.bin to time as well")
    given = parser.parse_args()
    peers = ("torchlogix",) if torchlogix() is not None else ()
    if given.device == "cuda":
        about = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
        found = [row for width in (GATES, 64_000) for row in rows_of_steps("cuda", width)]
        save("logic_gpu", about, found)
        return
    torch.set_num_threads(1)
    try:
        about = machine(*peers)
    except importlib.metadata.PackageNotFoundError:
        about = machine()
    save("logic", about, rows_of_steps("cpu") + rows_of_convolution())
    save("logic_circuits", about, rows_of_circuits(given.circuit))


if __name__ == "__main__":
    main()
