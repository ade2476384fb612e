"""Sorting networks on a GPU: the Triton kernels against the torch reference and diffsort there, float32.

Needs a CUDA device; diffsort is timed where it is installed. Writes ``docs/results/sort_gpu.json`` and its table.
"""

import importlib.util
import sys
from collections.abc import Callable

import torch
from _timing import machine, save
from torch import Tensor

import algonets as an
from algonets.distributions import Cauchy
from algonets.sort import Bitonic, OddEven, soft_argsort, soft_sort

BATCH = 100
STEEPNESS = 10.0
METHODS = {"odd_even": OddEven(Cauchy(1 / STEEPNESS)), "bitonic": Bitonic(Cauchy(1 / STEEPNESS))}
JOBS = [
    *(("P", "odd_even", n, BATCH) for n in (5, 16, 64, 128)),
    *(("P", "bitonic", n, BATCH) for n in (16, 128, 512)),
    *(("values", "bitonic", n, BATCH) for n in (128, 1024, 4096)),
    ("values", "bitonic", 1024, 10_000),
]


def milliseconds(job: Callable[[], object], runs: int = 30) -> float:
    """Median by device events, after warm-up."""
    for _ in range(5):
        job()
    times = []
    for _ in range(runs):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        job()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[runs // 2]


def both_ways(operation: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """Forward and backward, for a fixed incoming gradient."""
    weight = torch.randn_like(operation(x))
    return lambda: torch.autograd.grad(operation(x), x, weight)


def in_torch(operation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same by the plain torch reference."""

    def run(x: Tensor) -> Tensor:
        with an.backend("torch"):
            return operation(x)

    return run


def peer(result: str, kind: str, n: int) -> Callable[[Tensor], Tensor] | None:
    """Diffsort's network on the GPU, where it is installed and can be built in a reasonable time and memory."""
    if importlib.util.find_spec("diffsort") is None or n > 512:
        return None
    import diffsort

    network = diffsort.DiffSortNet(kind, n, steepness=STEEPNESS, distribution="cauchy", device="cuda")
    return lambda x: network(x)[1 if result == "P" else 0]


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("bench_sort_gpu needs a CUDA device.")
    torch.manual_seed(0)
    rows = []
    for result, kind, n, batch in JOBS:
        x = torch.randn(batch, n, device="cuda", requires_grad=True)
        whole = soft_argsort if result == "P" else soft_sort
        ours = lambda x, whole=whole, kind=kind: whole(x, METHODS[kind])  # noqa: E731
        torch.testing.assert_close(ours(x), in_torch(ours)(x), rtol=1e-3, atol=2e-5)
        kernel, plain = milliseconds(both_ways(ours, x)), milliseconds(both_ways(in_torch(ours), x), 10)
        theirs = peer(result, kind, n)
        their = milliseconds(both_ways(theirs, x), 10) if theirs else None
        rows.append(
            {
                "forward + backward": f"{result}, {kind}",
                "n": n,
                "batch": batch,
                "triton ms": round(kernel, 3),
                "torch ms": round(plain, 3),
                "torch / triton": round(plain / kernel, 1),
                "diffsort ms": round(their, 3) if their else "not run",
                "diffsort / triton": round(their / kernel, 1) if their else "",
            }
        )
        print(rows[-1], flush=True)
    about = machine("triton") | {"gpu": torch.cuda.get_device_name()}
    save("sort_gpu", {key: about[key] for key in ("gpu", "torch", "triton")}, rows)


if __name__ == "__main__":
    main()
