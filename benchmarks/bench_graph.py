"""Graph solvers against SciPy, lap and a Dijkstra in Python, in one process, on one thread; processor time.

Install the peer first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
"""

import heapq
import time

import lap
import numpy as np
import torch
from _timing import machine, save
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

import algonets
from algonets.graph import Assignment, GridPath, ShortestPath, SoftShortestPath

MAPS = 32


def python_dijkstra(costs: np.ndarray) -> np.ndarray:
    """Dijkstra over cells with 8 neighbours, by heapq and NumPy arrays, lean."""
    height, width = costs.shape
    distance = np.full((height, width), np.inf)
    distance[0, 0] = costs[0, 0]
    before, done, heap = {}, set(), [(costs[0, 0], (0, 0))]
    while heap:
        d, (y, x) = heapq.heappop(heap)
        if (y, x) in done:
            continue
        done.add((y, x))
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                v, u = y + dy, x + dx
                inside = (dy or dx) and 0 <= v < height and 0 <= u < width and (v, u) not in done
                if inside and d + costs[v, u] < distance[v, u]:
                    distance[v, u] = d + costs[v, u]
                    before[(v, u)] = (y, x)
                    heapq.heappush(heap, (distance[v, u], (v, u)))
    path, at = np.zeros_like(costs), (height - 1, width - 1)
    while at != (0, 0):
        path[at] = 1
        at = before[at]
    path[0, 0] = 1
    return path


def near(y: int, x: int, height: int, width: int):
    """Cells around a cell."""
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy or dx) and 0 <= y + dy < height and 0 <= x + dx < width:
                yield y + dy, x + dx


def counting_dijkstra(costs: np.ndarray) -> tuple[np.ndarray, bool]:
    """The same as research code does it: stale entries are expanded again, and cheapest paths are counted."""
    distance, count = np.full_like(costs, 1e10), np.zeros_like(costs)
    distance[0][0], count[0][0] = costs[0][0], 1
    before, done, heap = {}, set(), [(costs[0][0], (0, 0))]
    while heap:
        _, (y, x) = heapq.heappop(heap)
        for v, u in near(y, x, *costs.shape):
            if (v, u) in done:
                continue
            if distance[y][x] + costs[v][u] < distance[v][u]:
                distance[v][u] = distance[y][x] + costs[v][u]
                count[v][u] = count[y][x]
                before[(v, u)] = (y, x)
                heapq.heappush(heap, (distance[v][u], (v, u)))
            elif distance[y][x] + costs[v][u] == distance[v][u]:
                count[v][u] += count[y][x]
        done.add((y, x))
    path, at = np.zeros_like(costs), (costs.shape[0] - 1, costs.shape[1] - 1)
    unique = count[at[0]][at[1]] == 1
    while at != (0, 0):
        path[at] = 1
        at = before[at]
    path[0][0] = 1
    return path, unique


class ScipyGrid:
    """The same grid for SciPy, its structure made beforehand: per map the data, the search, and the way back."""

    def __init__(self, side: int):
        cell = np.arange(side * side).reshape(side, side)
        tails, heads = [], []
        for dy, dx in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]:
            part = cell[max(0, -dy) : side - max(0, dy), max(0, -dx) : side - max(0, dx)].ravel()
            tails.append(part)
            heads.append(part + dy * side + dx)
        tails, heads = np.concatenate(tails), np.concatenate(heads)
        self.graph = csr_matrix((np.ones(len(tails)), (tails, heads)), (side * side, side * side))
        self.side = side

    def search(self, costs: np.ndarray) -> np.ndarray:
        """Predecessors only."""
        self.graph.data[:] = costs.ravel()[self.graph.indices]
        return dijkstra(self.graph, indices=0, return_predecessors=True)[1]

    def path(self, costs: np.ndarray) -> np.ndarray:
        """0/1 of the path."""
        before, path, at = self.search(costs), np.zeros(self.side * self.side), self.side * self.side - 1
        while at >= 0:
            path[at] = 1
            at = before[at]
        return path.reshape(self.side, self.side)


def processor_milliseconds(job, seconds: float) -> float:
    """Least processor time of a job: that of the wall where nothing else runs, and right where other work does."""
    job()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 3 or (time.perf_counter() < end and runs < 200):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
        runs += 1
    return 1000 * best


def compare(operation: str, size: str, ours, peers: dict, target: dict, seconds: float = 0.6) -> list[dict]:
    """Time all, alternating, so that a busy machine slows all."""
    best = {name: float("inf") for name in ("ours", *peers)}
    for _ in range(4):
        for name, job in (("ours", ours), *peers.items()):
            best[name] = min(best[name], processor_milliseconds(job, seconds))
    return [
        {
            "operation": operation,
            "size": size,
            "algonets ms": round(best["ours"], 3),
            "peer": name,
            "peer ms": round(best[name], 3),
            "faster": f"{best[name] / best['ours']:.1f}x",
            "target": target.get(name, ""),
        }
        for name in peers
    ]


def grids(side: int) -> list[dict]:
    """Paths of 32 maps."""
    costs = torch.rand(MAPS, side, side, generator=torch.Generator().manual_seed(0)) * 8.4 + 0.8
    maps, solver, scipy = costs.double().numpy(), GridPath(8), ScipyGrid(side)
    total = lambda paths: (torch.as_tensor(paths) * costs).sum((1, 2))  # noqa: E731
    torch.testing.assert_close(total(solver(costs)), total(np.stack([scipy.path(m) for m in maps])).float())
    peers = {
        "SciPy dijkstra, no path": lambda: [scipy.search(m) for m in maps],
        "SciPy dijkstra and path": lambda: [scipy.path(m) for m in maps],
    }
    target = {"SciPy dijkstra, no path": {12: ">= 4x", 30: ">= 1.3x", 100: ">= 1x"}[side]}
    if side == 12:
        np.testing.assert_array_equal(np.stack([python_dijkstra(m) for m in maps]), solver(costs).numpy())
        np.testing.assert_array_equal(np.stack([counting_dijkstra(m)[0] for m in maps]), solver(costs).numpy())
        peers["Python, as in blackbox-backprop"] = lambda: [counting_dijkstra(m) for m in maps]
        peers["Python, lean"] = lambda: [python_dijkstra(m) for m in maps]
        target["Python, as in blackbox-backprop"] = ">= 80x"
    return compare("GridPath, 8 neighbours", f"{MAPS} maps of {side}^2", lambda: solver(costs), peers, target)


def assignments(n: int) -> list[dict]:
    """Matchings of 32 random matrices."""
    costs = torch.rand(MAPS, n, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrices, solver = costs.numpy(), Assignment()
    columns = np.stack([lap.lapjv(c)[1] for c in matrices])
    np.testing.assert_array_equal(solver(costs).argmax(2).numpy(), columns)
    peers = {
        "lapjv": lambda: [lap.lapjv(c) for c in matrices],
        "SciPy": lambda: [linear_sum_assignment(c) for c in matrices],
    }
    target = {"lapjv": ">= 1x"} if n == 128 else {}
    return compare("Assignment", f"{MAPS} of n={n}", lambda: solver(costs), peers, target)


def soft(hard: GridPath | ShortestPath, size: str) -> list[dict]:
    """Soft least costs and their gradients of 32 problems, natively and by autograd through plain torch."""
    shape = (12, 12) if isinstance(hard, GridPath) else (len(hard.edges),)
    costs = (torch.rand(MAPS, *shape, generator=torch.Generator().manual_seed(0)) * 8.4 + 0.8).requires_grad_()
    layer = SoftShortestPath(hard, 0.2)

    def step(backend: str) -> torch.Tensor:
        with algonets.backend(backend):
            return torch.autograd.grad(layer.value(costs).sum(), costs)[0]

    torch.testing.assert_close(step("auto"), step("torch"), atol=1e-4, rtol=1e-4)
    peers = {"plain torch": lambda: step("torch")}
    return compare("SoftShortestPath, value and gradient", size, lambda: step("auto"), peers, {})


def main() -> None:
    torch.set_num_threads(1)
    rows = [row for side in (12, 30, 100) for row in grids(side)]
    rows += [row for n in (8, 32, 128) for row in assignments(n)]
    rows += soft(GridPath(8), f"{MAPS} maps of 12^2, 36 steps")
    rows += soft(ShortestPath.grid(12, 12), f"{MAPS} grids of 12^2 nodes, no cycles")
    save("graph", machine("scipy", "lap"), rows)


if __name__ == "__main__":
    main()
