"""Sorting networks against diffsort, difftopk and torch.sort, in one process, on one thread, float32.

Install the peers first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
Each section is a function that returns rows of one table.
"""

import warnings
from collections.abc import Callable

import diffsort
import difftopk
import torch
from _memory import in_a_fresh_process
from _timing import machine, milliseconds, save
from torch import Tensor

from algonets.distributions import Cauchy
from algonets.losses import PermutationCrossEntropy
from algonets.sort import Bitonic, OddEven, soft_argsort, soft_sort, soft_topk

BATCH = 100
STEEPNESS = 10.0
METHODS = {"odd_even": OddEven(Cauchy(1 / STEEPNESS)), "bitonic": Bitonic(Cauchy(1 / STEEPNESS))}
MATRICES = [
    *(("odd_even", n, BATCH) for n in (5, 16, 64, 128)),
    *(("bitonic", n, BATCH) for n in (16, 64, 128)),
    ("bitonic", 512, 8),
]


def both_ways(operation: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """Forward and backward, for a fixed incoming gradient."""
    weight = torch.randn_like(operation(x))
    return lambda: torch.autograd.grad(operation(x), x, weight)


def row(operation: str, n: int, batch: int, ours: Callable, peer_name: str, peer: Callable) -> dict:
    fast, slow = milliseconds(ours, 2.0, 2000), milliseconds(peer, 2.0, 500)
    return {
        "operation, forward + backward": operation,
        "n": n,
        "batch": batch,
        "algonets ms": round(fast, 4),
        "against": peer_name,
        "its ms": round(slow, 3),
        "ratio": round(slow / fast, 2),
    }


def matrices() -> list[dict]:
    """The permutation matrix."""
    rows = []
    for kind, n, batch in MATRICES:
        x = torch.randn(batch, n, requires_grad=True)
        peer = diffsort.DiffSortNet(kind, n, steepness=STEEPNESS, distribution="cauchy")
        ours = lambda x, kind=kind: soft_argsort(x, METHODS[kind])  # noqa: E731
        theirs = lambda x, peer=peer: peer(x)[1]  # noqa: E731
        torch.testing.assert_close(ours(x), theirs(x).mT, rtol=1e-3, atol=2e-5)
        rows.append(row(f"P, {kind}", n, batch, both_ways(ours, x), "diffsort", both_ways(theirs, x)))
    return rows


def values() -> list[dict]:
    """Sorted values alone, against the hard sort."""
    rows = []
    for n in (128, 256, 512, 1024):
        x = torch.randn(BATCH, n, requires_grad=True)
        ours = both_ways(lambda x: soft_sort(x, METHODS["bitonic"]), x)
        rows.append(row("values, bitonic", n, BATCH, ours, "torch.sort", both_ways(lambda x: x.sort(-1).values, x)))
    return rows


def top_rows() -> list[dict]:
    """The k rows of P for the largest items, by the network in reverse; the peer's sparse mode needs torch-sparse."""
    n, k = 128, 5
    x = torch.randn(BATCH, n, requires_grad=True)
    peer = difftopk.DiffTopkNet("bitonic", n, k, sparse=False, steepness=STEEPNESS, distribution="cauchy")
    ours = lambda x: soft_topk(x, k, METHODS["bitonic"], output="indices")  # noqa: E731
    theirs = lambda x: peer(x)[1]  # noqa: E731
    torch.testing.assert_close(ours(x), theirs(x).mT.flip(-2), rtol=1e-3, atol=2e-5)
    return [row(f"{k} rows of P, bitonic", n, BATCH, both_ways(ours, x), "difftopk, dense", both_ways(theirs, x))]


def cross_entropies() -> list[dict]:
    """The fused loss against our own P and torch's binary cross-entropy."""
    method, loss = METHODS["bitonic"], PermutationCrossEntropy(METHODS["bitonic"])
    rows = []
    for n in (128, 1024):
        x = torch.randn(BATCH, n, requires_grad=True)
        truth = torch.randn(BATCH, n)
        ranks = truth.argsort(-1).argsort(-1)
        target = torch.nn.functional.one_hot(ranks, n).mT.float()

        def by_matrix(x: Tensor, target: Tensor = target) -> Tensor:
            p = soft_argsort(x, method).clamp(0, 1)
            return torch.nn.functional.binary_cross_entropy(p, target)

        fused = lambda x, truth=truth: loss(x, truth)  # noqa: E731
        torch.testing.assert_close(fused(x), by_matrix(x), rtol=1e-3, atol=1e-5)
        ours, theirs = (lambda x=x, f=f: torch.autograd.grad(f(x), x) for f in (fused, by_matrix))
        rows.append(row("cross-entropy of P, bitonic", n, BATCH, ours, "P and torch's BCE", theirs))
    return rows


MEMORY = """
import torch
from _memory import growth
from algonets.distributions import Cauchy
from algonets.sort import Bitonic, OddEven, soft_argsort, soft_sort
torch.set_num_threads(1)
def job(operation, x, method):
    return lambda: torch.autograd.grad(operation(x, method).square().sum(), x)
small = torch.randn(2, 8, requires_grad=True)
job(soft_argsort, small, OddEven())(), job(soft_sort, small, OddEven())()
x = torch.randn({batch}, {n}, requires_grad=True)
method = {method}(Cauchy(0.1))
method.network({n})
for _ in range({before}):
    job({operation}, x, method)()
print(growth(job({operation}, x, method)))
"""


def memory() -> list[dict]:
    """Growth of a process by one forward and backward pass at its peak, gradients and results included.

    The first call of a network makes its list of comparators, O(n log^2 n), which later ones share.
    """
    jobs = [
        ("soft_argsort", "OddEven", 128, BATCH),
        ("soft_argsort", "Bitonic", 128, BATCH),
        ("soft_sort", "Bitonic", 16384, 1),
        ("soft_sort", "Bitonic", 65536, 1),
    ]
    rows = []
    for operation, method, n, batch in jobs:
        given = {"operation": operation, "method": method, "n": n, "batch": batch}
        first, later = (in_a_fresh_process(MEMORY.format(**given, before=before)) for before in (0, 1))
        rows.append({**given, "MB of the first call": first, "MB of later ones": later})
    return rows


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    about = machine("diffsort", "difftopk")
    save("sort_memory", about, memory())
    save("sort", about, [*matrices(), *values(), *top_rows(), *cross_entropies()])


if __name__ == "__main__":
    main()
