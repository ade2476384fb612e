"""Equations as layers against torchdeq and cvxpylayers, in one process, on one thread.

Install the peers first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
"""

import warnings

import cvxpy
import torch
from _timing import machine, milliseconds, save
from cvxpylayers.torch import CvxpyLayer
from torchdeq import get_deq

from algonets.implicit import Anderson, Implicit, Picard, Unroll, fixed_point, project_simplex, quadratic_program

WIDTH, BATCH = 256, 64


def problem(radius: float = 0.66):
    """A tanh layer at D = 256, batch 64, and the exact gradient in float64."""
    torch.manual_seed(0)
    weight = (radius * torch.randn(WIDTH, WIDTH) / WIDTH**0.5).requires_grad_()
    x = torch.randn(BATCH, WIDTH).requires_grad_()
    cotangent = torch.randn(BATCH, WIDTH)
    wide = [t.detach().double().requires_grad_() for t in (weight, x)]
    z = fixed_point(lambda z: torch.tanh(z @ wide[0].T + wide[1]), torch.zeros(BATCH, WIDTH).double(), tolerance=1e-13)
    exact = torch.autograd.grad((z.value * cotangent).sum(), wide)
    return weight, x, cotangent, z.value.detach(), exact


def error(found, exact) -> float:
    """Largest relative error of a gradient."""
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(found, exact, strict=True))


def equilibrium(tolerance: float) -> dict:
    """Forward and backward of a DEQ to the same relative residual, Anderson both ways."""
    weight, x, cotangent, _, exact = problem()
    start = torch.zeros(BATCH, WIDTH)
    settings = {"f_tol": tolerance, "b_tol": tolerance, "f_stop_mode": "rel", "b_stop_mode": "rel"}
    deq = get_deq(f_solver="anderson", b_solver="anderson", f_max_iter=200, b_max_iter=200, ift=True, **settings)
    backward = Implicit(Anderson(), tolerance=tolerance)

    def step(z):
        return torch.tanh(z @ weight.T + x)

    def solve():
        # rms(z) is 0.6 here: this measure, relative to 1 + rms(z), is as strict as torchdeq's, relative to |z|.
        return fixed_point(step, start, solver=Anderson(), backward=backward, tolerance=0.35 * tolerance).value

    def ours():
        return torch.autograd.grad((solve() * cotangent).sum(), (weight, x))

    def peer():
        return torch.autograd.grad((deq(step, start)[0][-1] * cotangent).sum(), (weight, x))

    with torch.no_grad():
        z = solve()
        reached = ((step(z) - z).norm(dim=1) / z.norm(dim=1)).max().item()
    if reached > tolerance:
        raise RuntimeError(f"the tolerance {tolerance} is not met: {reached}")
    details = f"D=256, batch 64, tolerance {tolerance:g}"
    return row("DEQ, forward + backward", details, "torchdeq", ours, peer, error(ours(), exact), error(peer(), exact))


def saved_mib(job) -> float:
    """Bytes of all different tensors that autograd keeps, without the leaves, in MiB."""
    kept = {}

    def pack(tensor):
        if not tensor.is_leaf or not tensor.requires_grad:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = job()
    total = sum(storage.nbytes() for storage in kept.values()) / 2**20
    del result
    return total


def memory(iterations: int) -> dict:
    """Saved memory after that many iterations of Picard, implicit beside unrolled."""
    weight, x, _, _, _ = problem()

    def run(backward):
        settings = {"solver": Picard(), "tolerance": 1e-30, "max_iterations": iterations, "on_failure": "mask"}
        return fixed_point(
            lambda z: torch.tanh(z @ weight.T + x), torch.zeros(BATCH, WIDTH), backward=backward, **settings
        ).value

    ours, unrolled = (saved_mib(lambda backward=backward: run(backward)) for backward in (Implicit(), Unroll()))
    return {
        "operation": "saved memory, MiB",
        "size": f"{iterations} iterations",
        "algonets": round(ours, 3),
        "peer": "the same, unrolled",
        "theirs": round(unrolled, 3),
        "ratio": round(unrolled / ours, 1),
        "error": "",
        "peer error": "",
    }


def simplex(n: int, batch: int, general: bool) -> dict:
    """Projection onto the simplex with its gradient: in closed form or as a general quadratic programme."""
    torch.manual_seed(0)
    y = torch.randn(batch, n, dtype=torch.float64).requires_grad_()
    cotangent = torch.randn(batch, n, dtype=torch.float64)
    x, point = cvxpy.Variable(n), cvxpy.Parameter(n)
    statement = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.sum_squares(x - point)), [x >= 0, cvxpy.sum(x) == 1])
    layer = CvxpyLayer(statement, parameters=[point], variables=[x])
    eye, ones = torch.eye(n, dtype=torch.float64), torch.ones(1, n, dtype=torch.float64)

    def programme():
        return quadratic_program(eye, -y, A=ones, b=ones[:, 0], G=-eye, h=torch.zeros_like(eye[0])).value

    def gradient(value):
        return torch.autograd.grad((value * cotangent).sum(), y)

    exact = gradient(project_simplex(y))
    ours = (lambda: gradient(programme())) if general else (lambda: gradient(project_simplex(y)))
    peer = lambda: gradient(layer(y)[0])  # noqa: E731
    name = "simplex projection, quadratic_program" if general else "simplex projection, closed form"
    errors = error(ours(), exact), error(peer(), exact)
    return row(name, f"n={n}, batch {batch}", "cvxpylayers", ours, peer, *errors)


def row(operation, size, peer_name, ours, peer, our_error, peer_error) -> dict:
    """Time both, alternating, so that a busy machine slows both."""
    times = [(milliseconds(ours, 0.5), milliseconds(peer, 0.5)) for _ in range(4)]
    fast, slow = (min(column) for column in zip(*times, strict=True))
    return {
        "operation": operation,
        "size": size,
        "algonets": round(fast, 3),
        "peer": peer_name,
        "theirs": round(slow, 3),
        "ratio": round(slow / fast, 1),
        "error": f"{our_error:.1e}",
        "peer error": f"{peer_error:.1e}",
    }


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rows = [equilibrium(tolerance) for tolerance in (1e-4, 1e-5, 1e-6)]
    rows += [memory(iterations) for iterations in (10, 50, 200)]
    rows += [simplex(n, batch, general) for general in (False, True) for n, batch in ((10, 64), (100, 1), (100, 64))]
    save("implicit", machine("torchdeq", "cvxpylayers"), rows)


if __name__ == "__main__":
    main()
