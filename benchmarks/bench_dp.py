"""Dynamic programs beside their peers: forward and backward, batch 32, float32, one thread, one process.

Times are processor times of the process, so that what else the machine does matters less.

pysdtw, torch-struct, rapidfuzz and torch's own CTC loss get the same numbers as we do. A circuit is traced at the first
call of a shape; that time is shown apart, as a network calls the same shape again and again.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from _memory import in_a_fresh_process
from _timing import machine, save

from algonets.dp import CKY, CTC, PCFG, ProjectiveDependency, SemiMarkov, SoftDTW, edit_distance

BATCH = 32

try:
    import pysdtw  # pyright: ignore[reportMissingImports]
except ImportError:
    pysdtw = None
try:
    import torch_struct  # pyright: ignore[reportMissingImports]
except ImportError:
    torch_struct = None
try:
    from rapidfuzz.distance import Levenshtein
except ImportError:
    Levenshtein = None


def milliseconds(job: Callable[[], Any], seconds: float = 0.7, most: int = 50) -> float:
    """Best processor time of a job in ms: at least two runs after a warm-up, then as many as fit."""
    torch.set_num_threads(1)  # a peer may have changed it
    job()
    best, total, runs = float("inf"), 0.0, 0
    while runs < 2 or (total < seconds and runs < most):
        start = time.process_time()
        job()
        spent = time.process_time() - start
        best, total, runs = min(best, spent), total + spent, runs + 1
    return 1000 * best


def row(operation: str, ours: Callable[[], Any], theirs: Callable[[], Any] | None, peer: str, target: str) -> dict:
    torch.set_num_threads(1)
    begin = time.process_time()
    ours()
    first = 1000 * (time.process_time() - begin)
    fast = milliseconds(ours)
    try:
        slow = None if theirs is None else milliseconds(theirs)
    except Exception as error:  # a peer that fails is shown as such
        print(f"{operation}: {peer} fails: {type(error).__name__}: {error}")
        slow = None
    return {
        "operation": operation,
        "algonets ms": round(fast, 3),
        "first call ms": round(first, 1),
        "peer": peer,
        "peer ms": "-" if slow is None else round(slow, 3),
        "ratio": "-" if slow is None else round(slow / fast, 2),
        "target": target,
    }


def gradient(value: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> Callable[[], Any]:
    """Return a job: value and gradient of all inputs."""
    tracked = [x.clone().requires_grad_() for x in inputs]
    return lambda: torch.autograd.grad(value(*tracked).sum(), tracked)


def soft_dtw_rows() -> list[dict]:
    found = []
    for n, target in ((128, ">= 2.2"), (512, ">= 3.2")):
        x, y = (torch.randn(BATCH, n, 8) for _ in range(2))
        distances = torch.cdist(x, y) ** 2 / 16
        peer = None
        if pysdtw is not None:  # it makes its distances itself: ours are handed through
            layer = pysdtw.SoftDTW(gamma=0.1, use_cuda=False, dist_func=lambda a, b: a)
            peer = gradient(lambda d, layer=layer: layer(d, d), distances)
        found.append(
            row(f"Soft-DTW {n} x {n}", gradient(lambda d: SoftDTW(d, 0.1).value(), distances), peer, "pysdtw", target)
        )
    return found


def precision_row() -> dict:
    """Largest error of the float32 gradient at temperature 0.01, ours in place of milliseconds."""
    x, y = (torch.randn(BATCH, 128, 8) for _ in range(2))
    distances = torch.cdist(x, y) ** 2 / 16

    def of(value: Callable, d: torch.Tensor) -> torch.Tensor:
        return gradient(value, d)()[0]

    truth = of(lambda d: SoftDTW(d, 0.01).value(), distances.double())
    ours = (of(lambda d: SoftDTW(d, 0.01).value(), distances) - truth).abs().max().item()
    theirs: Any = "-"
    if pysdtw is not None:
        layer = pysdtw.SoftDTW(gamma=0.01, use_cuda=False, dist_func=lambda a, b: a)
        theirs = (of(lambda d: layer(d, d), distances) - truth).abs().max().item()
    return {
        "operation": "gradient error, temperature 0.01 (not ms)",
        "algonets ms": f"{ours:.1e}",
        "first call ms": "-",
        "peer": "pysdtw",
        "peer ms": theirs if isinstance(theirs, str) else f"{theirs:.1e}",
        "ratio": "-",
        "target": "< 1e-6",
    }


def edit_rows() -> list[dict]:
    x, y = (torch.randint(26, (BATCH, 1000)) for _ in range(2))
    first, second = (["".join(chr(97 + c) for c in line) for line in z.tolist()] for z in (x, y))
    pairs = list(zip(first, second, strict=True))
    peer = None if Levenshtein is None else (lambda: [Levenshtein.distance(a, b) for a, b in pairs])
    return [row("edit distance, n = 1000", lambda: edit_distance(x, y), peer, "rapidfuzz", ">= 0.5")]


def ctc_rows() -> list[dict]:
    found = []
    for steps, symbols, size in ((150, 30, 20), (500, 30, 60)):
        logits = torch.randn(BATCH, steps, symbols)
        targets = torch.randint(1, symbols, (BATCH, size))
        lengths, sizes = torch.full((BATCH,), steps), torch.full((BATCH,), size)
        ours = gradient(lambda x, t=targets: -CTC(x.log_softmax(-1), t).log_partition(), logits)
        theirs = gradient(
            lambda x, t=targets, n=lengths, m=sizes: torch.nn.functional.ctc_loss(
                x.log_softmax(-1).transpose(0, 1), t, n, m, reduction="none"
            ),
            logits,
        )
        name = f"CTC, {steps} frames, {symbols} labels, target {size}"
        found.append(row(name, ours, theirs, "torch ctc_loss", ">= 0.67"))
    return found


def structure_rows() -> list[dict]:
    """Marginals by both libraries; and the gradient of our log-partition function: the same times what comes in."""
    found = []
    segment, transition = torch.randn(BATCH, 24, 8, 4), torch.randn(4, 4)  # at T = 100 the peer asks for 33 GB
    edges = torch.zeros(BATCH, 24, 9, 4, 4)
    edges[:, :, 1:] = segment.unsqueeze(-1) + transition.T
    arcs, spans = torch.randn(BATCH, 20, 20), torch.randn(BATCH, 20, 20, 10)

    def peer(kind: str, scores: torch.Tensor, **options: Any) -> Callable[[], Any] | None:
        if torch_struct is None:
            return None
        return lambda: getattr(torch_struct, kind)(scores.clone(), **options).marginals

    job = lambda: SemiMarkov(segment, transition).marginals()  # noqa: E731
    name = "semi-Markov, T = 24, K = 8, S = 4"
    found.append(row(name, job, peer("SemiMarkovCRF", edges), "torch-struct", ">= 20"))
    eisner = lambda: ProjectiveDependency(arcs, single_root=False).marginals()  # noqa: E731
    found.append(row("Eisner, 20 words", eisner, peer("DependencyCRF", arcs, multiroot=True), "torch-struct", ">= 20"))
    trees = lambda: CKY(spans).marginals()  # noqa: E731
    found.append(row("CKY, 20 words, 10 labels", trees, peer("TreeCRF", spans), "torch-struct", ">= 20"))
    slope = gradient(lambda x: CKY(x).log_partition(), spans)
    found.append(row("the same, gradient of log_partition", slope, peer("TreeCRF", spans), "torch-struct", ""))
    grammar = torch.randn(BATCH, 12, 5), torch.randn(BATCH, 5, 10, 10), torch.randn(BATCH, 5)
    words = torch.full((BATCH,), 12)
    peer_job = None
    if torch_struct is not None:
        peer_job = lambda: torch_struct.SentCFG(tuple(x.clone() for x in grammar), lengths=words).marginals  # noqa: E731
    derived = lambda: PCFG(*grammar).marginals()  # noqa: E731
    found.append(row("CKY of a grammar, 12 words, 5 + 5 symbols", derived, peer_job, "torch-struct", ">= 20"))
    slope = gradient(lambda *x: PCFG(*x).log_partition(), *grammar)
    found.append(row("the same, gradient of log_partition", slope, peer_job, "torch-struct", ""))
    return found


def long_row() -> dict:
    """SemiMarkov of 1000 steps."""
    segment, transition = torch.randn(BATCH, 1000, 20, 8), torch.randn(8, 8)
    job = gradient(lambda u, a: SemiMarkov(u, a).log_partition(), segment, transition)
    return row("semi-Markov, T = 1000, K = 20, S = 8", job, None, "-", "")


MEMORY = """
import torch
from _memory import growth
from algonets.dp import SemiMarkov, SoftDTW
torch.set_num_threads(1)
def segments(steps):
    segment = torch.randn({batch}, steps, 20, 8, requires_grad=True)
    transition = torch.randn(8, 8, requires_grad=True)
    torch.autograd.grad(SemiMarkov(segment, transition).log_partition().sum(), (segment, transition))
def warp(distances):
    with torch.no_grad():
        SoftDTW(distances, 0.1).value()
segments(4), warp(torch.rand(1, 4, 4))
if {kind!r} == "semi-Markov":
    print(growth(lambda: segments({size})))
else:
    distances = torch.rand(1, {size}, {size})
    print(growth(lambda: warp(distances)))
"""


def memory() -> list[dict]:
    """What the peak of a fresh process gains; of soft-DTW beside its distances, with the value alone."""
    found = []
    jobs = [("semi-Markov", size, BATCH) for size in (250, 500, 1000)]
    jobs += [("soft-DTW", n, 1) for n in (1024, 2048, 4096)]
    for kind, size, batch in jobs:
        gained = in_a_fresh_process(MEMORY.format(kind=kind, size=size, batch=batch))
        found.append({"program": kind, "size": size, "batch": batch, "MiB": gained})
    return found


def main() -> None:
    if "--memory" in sys.argv:
        save("dp_memory", machine(), memory())
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = [*soft_dtw_rows(), precision_row(), *edit_rows(), *ctc_rows(), *structure_rows(), long_row()]
    torch.set_num_threads(1)
    names = {"pysdtw": pysdtw, "torch-struct": torch_struct, "rapidfuzz": Levenshtein}
    save("dp", machine(*(name for name, module in names.items() if module is not None)), rows)


if __name__ == "__main__":
    main()
