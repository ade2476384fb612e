"""``algonets bench``: the native kernels against the plain-torch reference, on this machine."""

import time
from collections.abc import Callable

import torch

import algonets
from algonets._core.errors import require
from algonets.dp import LinearChain

__all__ = ["bench"]


def bench(threads: int = 1) -> int:
    """Time the chain on both backends and print a table; peers are measured by the scripts in ``benchmarks/``."""
    if not algonets.native_status()[0]:
        print("Only the plain-torch backend is installed: nothing to compare. See `algonets doctor`.")
        return 1
    require(threads >= 1, "bench --threads", "must be at least 1", threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    print(f"native: {algonets.native_status()[1]}, {threads} thread(s), float32, batch 32, best of some runs, ms")
    print(f"{'operation':34}{'S':>5}{'T':>6}{'torch':>10}{'native':>10}{'ratio':>8}")
    try:
        for states, steps in ((26, 10), (26, 100), (128, 100)):
            generator = torch.Generator().manual_seed(0)
            unary = torch.randn(32, steps, states, generator=generator).requires_grad_()
            transition = torch.randn(states, states, generator=generator).requires_grad_()
            for name, job in _jobs(unary, transition).items():
                with algonets.backend("torch"):
                    slow = _milliseconds(job)
                with algonets.backend("native"):
                    fast = _milliseconds(job)
                print(f"{name:34}{states:>5}{steps:>6}{slow:>10.2f}{fast:>10.2f}{slow / fast:>8.1f}")
    finally:
        torch.set_num_threads(before)
    return 0


def _jobs(unary: torch.Tensor, transition: torch.Tensor) -> dict[str, Callable[[], object]]:
    def gradient() -> None:
        torch.autograd.grad(LinearChain(unary, transition).log_partition().sum(), (unary, transition))

    return {
        "log_partition, forward + backward": gradient,
        "argmax (Viterbi)": lambda: LinearChain(unary, transition).argmax(),
        "sample(1)": lambda: LinearChain(unary, transition).sample(),
    }


def _milliseconds(job: Callable[[], object], seconds: float = 0.7) -> float:
    job()
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        job()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return 1000 * best
