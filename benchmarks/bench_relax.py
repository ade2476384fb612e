"""Relaxed programs against AlgoVision, in one process, on one thread: time and memory that is saved for backward.

``--compiled`` measures instead what ``torch.compile`` gains on static programs (about two minutes of compilation).
Install the peer first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
"""

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median

import torch
from _timing import RESULTS, machine, save
from algovision import (
    GT,
    LT,
    Algorithm,
    CatProbEq,
    For,
    If,
    Input,
    IsTrue,
    Let,
    LetInt,
    Min,
    Output,
    Var,
    VarInt,
    While,
)

import algonets as an

BETA = 8.0
LAW = an.distributions.Logistic(1 / BETA)


@an.relax(distribution=LAW)
def bubble_sort(x):
    n = len(x) - 1
    swaps = 0
    swapped = True
    while swapped:
        swapped = False
        for i in range(n):
            if x[i] > x[i + 1]:
                x[i], x[i + 1] = x[i + 1], x[i]
                swapped = True
                swaps += 1
        n -= 1
    return x, swaps


@an.relax(distribution=LAW)
def levenshtein(x, y):
    n, m = len(x), len(y)
    d = torch.zeros(n + 1, m + 1)
    for i in range(n + 1):
        d[i, 0] = i
    for j in range(m + 1):
        d[0, j] = j
    for i in range(n):
        for j in range(m):
            cost = 0.0 if an.relax.equal(x[i], y[j]) else 1.0
            d[i + 1, j + 1] = min(d[i, j + 1] + 1, d[i + 1, j] + 1, d[i, j] + cost)
    return d[n, m]


@an.relax(distribution=LAW)
def bellman_ford(w, sweeps):
    height, width = w.shape
    d = torch.full((height, width), 100.0)
    d[0, 0] = w[0, 0]
    for _ in range(sweeps):
        for i in range(height):
            for j in range(width):
                for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    a, b = i + di, j + dj
                    if 0 <= a < height and 0 <= b < width:
                        new = d[a, b] + w[i, j]
                        if new < d[i, j]:
                            d[i, j] = new
    return d[height - 1, width - 1]


def their_bubble_sort() -> Algorithm:
    return Algorithm(
        Input("array"),
        Var("a", torch.tensor(0.0)),
        Var("b", torch.tensor(0.0)),
        Var("swapped", torch.tensor(1.0)),
        Var("loss", torch.tensor(0.0)),
        VarInt("n", lambda array: array.shape[1] - 1),
        While(
            IsTrue("swapped"),
            Let("swapped", 0),
            For(
                "i",
                "n",
                Let("a", "array", ["i"]),
                Let("b", "array", [lambda i: i + 1]),
                If(
                    GT("a", "b"),
                    if_true=[
                        Let("array", [lambda i: i + 1], "a"),
                        Let("array", ["i"], "b"),
                        Let("swapped", 1.0),
                        Let("loss", lambda loss: loss + 1.0),
                    ],
                ),
            ),
            LetInt("n", lambda n: n - 1),
        ),
        Output("array"),
        Output("loss"),
        beta=BETA,
    )


def their_levenshtein(n: int, m: int) -> Algorithm:
    start = torch.zeros(n + 1, m + 1)
    start[:, 0], start[0] = torch.arange(n + 1), torch.arange(m + 1)
    smallest = Min(beta=BETA)
    return Algorithm(
        Input("x"),
        Input("y"),
        Var("d", start),
        Var("cost", torch.tensor(0.0)),
        For(
            "i",
            n,
            For(
                "j",
                m,
                If(
                    CatProbEq(lambda x, i: x[:, i], lambda y, j: y[:, j]),
                    if_true=Let("cost", 0.0),
                    if_false=Let("cost", 1.0),
                ),
                Let(
                    "d",
                    [lambda i: i + 1, lambda j: j + 1],
                    lambda d, i, j, cost: smallest(d[:, i, j + 1] + 1, d[:, i + 1, j] + 1, d[:, i, j] + cost),
                ),
            ),
        ),
        Output("d"),
        beta=BETA,
    )


def their_bellman_ford(height: int, width: int, sweeps: int) -> Algorithm:
    def relax_edge(i: int, j: int, a: int, b: int) -> list:
        return [
            Let("new", lambda d, w: d[:, a, b] + w[:, i, j]),
            Let("old", "d", [i, j]),
            If(LT("new", "old"), if_true=Let("d", [i, j], "new")),
        ]

    steps = []
    for i in range(height):
        for j in range(width):
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if 0 <= a < height and 0 <= b < width:
                    steps += relax_edge(i, j, a, b)
    far = torch.full((height, width), 100.0)
    return Algorithm(
        Input("w"),
        Var("d", far),
        Var("new", torch.tensor(0.0)),
        Var("old", torch.tensor(0.0)),
        Let("d", [0, 0], lambda w: w[:, 0, 0]),
        For("sweep", sweeps, *steps),
        Output("d"),
        beta=BETA,
    )


def milliseconds(job: Callable[[], object], runs: int) -> float:
    """Least processor time of a job on one thread: other programs on the machine do not count."""
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
    return 1000 * best


def saved_bytes(job: Callable[[], torch.Tensor]) -> int:
    """Bytes of all storages that autograd keeps for the backward pass, each counted once."""
    storages: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    kept = []
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kept.append(job())
    return sum(storages.values())


def row(program: str, ours: Callable[..., torch.Tensor], theirs: Callable[..., torch.Tensor], *inputs: torch.Tensor):
    torch.testing.assert_close(ours(*inputs), theirs(*inputs), rtol=1e-4, atol=1e-3)
    inputs = tuple(x.requires_grad_() for x in inputs)

    def step(function):
        def run():
            for x in inputs:
                x.grad = None
            function(*inputs).sum().backward()

        return run

    step(ours)(), step(theirs)()
    # In turns, and the median of their ratios: the load of a shared machine changes within seconds.
    turns = [(milliseconds(step(ours), 4), milliseconds(step(theirs), 1)) for _ in range(7)]
    fast, slow = (median(times) for times in zip(*turns, strict=True))
    ratio = median(theirs_ms / ours_ms for ours_ms, theirs_ms in turns)
    small, large = saved_bytes(lambda: ours(*inputs)), saved_bytes(lambda: theirs(*inputs))
    return {
        "program": program,
        "algonets ms": round(fast, 2),
        "AlgoVision ms": round(slow, 1),
        "ratio": round(ratio, 1),
        "algonets saved MiB": round(small / 2**20, 2),
        "AlgoVision saved MiB": round(large / 2**20, 1),
        "memory ratio": round(large / small, 1),
    }


def against_networks() -> list[dict]:
    """Bubble sort by size beside the sorting network that it unrolls to."""
    rows = []
    for n in (8, 16, 32, 64):
        x = torch.rand(100, n, requires_grad=True)

        def relaxed(x=x):
            x.grad = None
            bubble_sort.soft(x)[0].sum().backward()

        def network(x=x):
            x.grad = None
            an.sort.soft_sort(x, method=an.sort.OddEven(LAW)).sum().backward()

        relaxed(), network()
        ours, native = milliseconds(relaxed, 3), milliseconds(network, 30)
        rows.append({"n": n, "relaxed bubble sort ms": round(ours, 2), "sort.OddEven ms": round(native, 3)})
    return rows


@an.relax(distribution=LAW)
def plain_bubble_sort(x):
    swaps = 0.0
    n = len(x)
    for i in range(n - 1):
        for j in range(n - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
                swaps += 1
    return x, swaps


def compiled() -> list[dict]:
    """Static programs as they are and as one compiled graph, forward and backward."""
    words = [torch.softmax(3 * torch.randn(64, 6, 26), -1) for _ in range(2)]
    cases = [
        (
            "bubble sort, n=8, batch 100",
            lambda x: _flat(plain_bubble_sort.soft(x, loops="static")),
            [torch.rand(100, 8)],
        ),
        ("Levenshtein, 6 x 6, batch 64", lambda x, y: levenshtein.soft(x, y, loops="static"), words),
    ]
    rows = []
    for name, function, given in cases:
        inputs = [x.requires_grad_() for x in given]

        def step(run, inputs=inputs):
            for x in inputs:
                x.grad = None
            run(*inputs).sum().backward()

        def timed(run, step=step):
            return milliseconds(lambda: step(run), 10)

        step(function)
        plain = timed(function)
        expected = [x.grad.clone() for x in inputs]  # pyright: ignore[reportOptionalMemberAccess]
        fast = torch.compile(function, fullgraph=True)
        start = time.perf_counter()
        step(fast)
        seconds = time.perf_counter() - start
        torch.testing.assert_close([x.grad for x in inputs], expected, rtol=1e-3, atol=1e-4)
        quick = timed(fast)
        rows.append(
            {
                "program": name,
                "eager ms": round(plain, 2),
                "compiled ms": round(quick, 2),
                "ratio": round(plain / quick, 1),
                "first call s": round(seconds),
            }
        )
        save("relax_compiled", machine(), rows)
    return rows


def draw(rows: list[dict]) -> None:
    """Both over the size."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(6.5, 3.8), layout="constrained", dpi=110)
    axes = figure.subplots()
    n = [row["n"] for row in rows]
    for key, color in (("relaxed bubble sort ms", "#7570b3"), ("sort.OddEven ms", "#0b5fa5")):
        axes.loglog(n, [row[key] for row in rows], "o-", color=color, label=key.removesuffix(" ms"))
    axes.set_xticks(n, [str(k) for k in n])
    axes.minorticks_off()
    axes.set(xlabel="numbers to sort", ylabel="forward and backward, ms (batch 100)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "relax_sizes.png")


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if "--compiled" in sys.argv[1:]:
        compiled()
        return
    words = [torch.softmax(3 * torch.randn(64, 12, 26), -1) for _ in range(2)]
    sort, edit, path = their_bubble_sort(), their_levenshtein(12, 12), their_bellman_ford(8, 8, 2)
    rows = [
        row(
            "bubble sort, n=16, batch 100",
            lambda x: _flat(bubble_sort.soft(x)),
            lambda x: _flat(sort(x)),
            torch.rand(100, 16),
        ),
        row("Levenshtein, 12 x 12, batch 64", levenshtein.soft, lambda x, y: edit(x, y)[:, -1, -1], *words),
        row(
            "Bellman-Ford, 8 x 8, two sweeps, batch 32",
            lambda w: bellman_ford.soft(w, 2),
            lambda w: path(w)[:, -1, -1],
            torch.rand(32, 8, 8),
        ),
    ]
    save("relax", machine("algovision"), rows)
    sizes = against_networks()
    save("relax_sizes", machine(), sizes)
    draw(sizes)


def _flat(result: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return torch.cat([result[0], result[1][:, None]], 1)


if __name__ == "__main__":
    main()
