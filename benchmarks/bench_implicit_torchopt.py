"""Projection onto the simplex with its gradient against torchopt, in one process, on one thread.

torchopt has no projection of its own: it differentiates a root (``custom_root``). The root here is the threshold of
the projection, ``sum(relu(y - tau)) = 1``, one for each example, found by bisection: as one would with torchopt.

Install the peer first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
"""

import warnings

import torch
import torchopt
from _timing import machine, milliseconds, save
from torchopt.diff.implicit import custom_root

from algonets.implicit import project_simplex


def excess(tau: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """By how much the sum is too large."""
    return torch.relu(y - tau.unsqueeze(-1)).sum(-1) - 1


@custom_root(excess, argnums=1, solve=torchopt.linear_solve.solve_normal_cg(rtol=1e-12, atol=1e-12))
def threshold(tau: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Bisection, to the last bits of float64."""
    low, high = y.amax(-1) - 1, y.amax(-1)
    for _ in range(52):
        tau = 0.5 * (low + high)
        above = excess(tau, y) > 0
        low, high = torch.where(above, tau, low), torch.where(above, high, tau)
    return 0.5 * (low + high)


def row(n: int, batch: int) -> dict:
    """Time both, alternating."""
    torch.manual_seed(0)
    y = torch.randn(batch, n, dtype=torch.float64).requires_grad_()
    cotangent = torch.randn(batch, n, dtype=torch.float64)

    def gradient(value):
        return torch.autograd.grad((value * cotangent).sum(), y)[0]

    def ours():
        return gradient(project_simplex(y))

    def theirs():
        tau = threshold(torch.zeros(batch, dtype=torch.float64), y)
        return gradient(torch.relu(y - tau.unsqueeze(-1)))

    torch.testing.assert_close(theirs(), ours(), rtol=1e-6, atol=1e-9)
    times = [(milliseconds(ours, 0.5), milliseconds(theirs, 0.5)) for _ in range(4)]
    fast, slow = (min(column) for column in zip(*times, strict=True))
    return {
        "operation": "simplex projection, closed form",
        "size": f"n={n}, batch {batch}",
        "algonets ms": round(fast, 3),
        "torchopt ms": round(slow, 2),
        "ratio": round(slow / fast, 1),
    }


def main() -> None:
    warnings.filterwarnings("ignore")  # the peer uses names that torch is going to drop
    torch.set_num_threads(1)
    save("implicit_torchopt", machine("torchopt"), [row(10, 64), row(100, 1), row(100, 64)])


if __name__ == "__main__":
    main()
