"""Soft ranks and values by projection against torchsort, and SoftSort in linear memory, in one process, on one thread.

Install the peer first: pip install --no-deps --no-build-isolation -r benchmarks/peers_compiled.txt
(its build takes CUDA for present wherever it finds nvcc on the PATH).
"""

from collections.abc import Callable

import torch
import torchsort
from _timing import machine, milliseconds, save
from torch import Tensor

from algonets.sort import Projection, SoftSort, soft_rank, soft_sort

BATCH = 100
SIZES = [5, 16, 32, 64, 128, 512, 1024, 4096]


def both_ways(operation: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """Forward and backward."""
    weight = torch.randn(x.shape)
    return lambda: torch.autograd.grad(operation(x), x, weight)


def against_torchsort(name: str, ours: Callable, peer: Callable, n: int) -> dict:
    x = torch.randn(BATCH, n, requires_grad=True)
    if name == "soft_rank":  # the peer's values lose digits in float32
        torch.testing.assert_close(ours(x), peer(x), rtol=1e-3, atol=1e-3)
    fast, slow = milliseconds(both_ways(ours, x), most=2000), milliseconds(both_ways(peer, x), most=2000)
    return {
        "operation": f"{name} (l2), forward + backward",
        "n": n,
        "algonets ms": round(fast, 4),
        "torchsort ms": round(slow, 4),
        "ratio": round(slow / fast, 2),
    }


def growth(name: str, operation: Callable, n: int) -> dict:
    x = torch.randn(1, n, requires_grad=True)
    took = milliseconds(both_ways(operation, x), seconds=2.0)
    return {"operation": f"{name} by SoftSort, p = 1, forward + backward", "n": n, "ms": round(took, 3)}


def error_of_values(strength: float) -> dict:
    """Largest error in float32 of the values of 5,000 normal items."""
    x = torch.randn(1, 5000)
    exact = soft_sort(x.double(), Projection(strength=strength))
    ours = soft_sort(x, Projection(strength=strength)).double()
    peer = torchsort.soft_sort(x, regularization_strength=strength).double()
    return {
        "strength": strength,
        "algonets error": float((ours - exact).abs().max()),
        "torchsort error": float((peer - exact).abs().max()),
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    about = machine("torchsort")
    method, linear = Projection(), SoftSort(0.1)
    pairs = [
        ("soft_rank", lambda x: soft_rank(x, method), torchsort.soft_rank),
        ("soft_sort", lambda x: soft_sort(x, method), torchsort.soft_sort),
    ]
    save("sort_projection", about, [against_torchsort(*pair, n) for pair in pairs for n in SIZES])
    save("sort_projection_float32", about, [error_of_values(strength) for strength in (30.0, 1.0, 1e-2, 1e-4, 1e-6)])
    operations = [("values", lambda x: soft_sort(x, linear)), ("ranks", lambda x: soft_rank(x, linear))]
    save("softsort_growth", about, [growth(*job, 10**k) for job in operations for k in (3, 4, 5, 6)])


if __name__ == "__main__":
    main()
