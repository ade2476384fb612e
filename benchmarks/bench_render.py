"""Soft silhouettes: the native kernel beside chunked torch, one thread; memory; Triton on a GPU.

Forward and backward together. On the CPU processor time is measured.

PyTorch3D has no wheel for this; what its CPU renderer took on such a machine (see docs/results/render.md) is compared
as a constant. "plain torch" is what one would write by hand: distances of all pairs of faces and pixels, in chunks with
recomputation, squared or not, without our conventions for edges and degenerate faces.

    python benchmarks/bench_render.py                  # CPU
    python benchmarks/bench_render.py --device cuda    # the Triton kernels beside plain torch there
    python benchmarks/bench_render.py --only native    # without the slow baselines
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from _memory import in_a_fresh_process
from _timing import machine, milliseconds, save
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import algonets as an
from algonets.distributions import Logistic
from algonets.render import Camera, Rasterizer, icosphere

PYTORCH3D = {64: 392.0, 128: 1559.0, 256: 6410.0}
"""Milliseconds of PyTorch3D on one core, squared logistic 1e-4, icosphere of 1,280 faces (our earlier measurement)."""


def triangles(level: int = 3, device: str = "cpu") -> Tensor:
    mesh = icosphere(level).to(device)
    return Camera.look_at(2.732, 30.0, 40.0, fov=60.0).project(mesh.vertices)[mesh.faces][..., :2].contiguous()


def plain(tri: Tensor, size: int, scale: float, squared: bool, chunk: int) -> Tensor:
    """Chunked torch as written by hand."""
    x = (2 * torch.arange(size, device=tri.device) + 1 - size) / size
    px, py = x.repeat(size), -x.repeat_interleave(size)

    def of(part: Tensor) -> Tensor:
        e = part.roll(-1, 1) - part
        ax, ay = px - part[..., 0, None], py - part[..., 1, None]
        ex, ey = e[..., 0, None], e[..., 1, None]
        t = ((ax * ex + ay * ey) / (ex * ex + ey * ey).clamp_min(1e-12)).clamp(0, 1)
        d = ((ax - t * ex).square() + (ay - t * ey).square()).amin(1)
        cross = ex * ay - ey * ax
        sign = torch.where((cross > 0).all(1) | (cross < 0).all(1), 1.0, -1.0)
        value = sign * d if squared else sign * (d + 1e-20).sqrt()
        return -torch.nn.functional.softplus(value / scale).sum(0)

    total = sum(checkpoint(of, part, use_reentrant=False) for part in tri.split(chunk))
    return -torch.expm1(total).view(size, size)  # type: ignore[operator]


def both_ways(render: Callable[[Tensor], Tensor], tri: Tensor) -> Callable[[], Any]:
    given = tri.clone().requires_grad_()

    def job() -> None:
        torch.autograd.grad(render(given).square().sum(), given)
        if tri.is_cuda:
            torch.cuda.synchronize()

    return job


def extra_memory(size: int) -> float:
    """MiB that forward and backward add to a process that has rendered a small image."""
    return in_a_fresh_process(
        "from bench_render import *\n"
        "from _memory import growth\n"
        "torch.set_num_threads(1)\n"
        "small, large = (both_ways(Rasterizer(size, Logistic(1e-2)).silhouette, triangles()) "
        f"for size in (8, {size}))\n"
        "small(); print(growth(large))\n"
    )


def once(job: Callable[[], Any]) -> float:
    """Processor milliseconds of one run: on one thread, and independent of what else the machine does."""
    start = time.process_time()
    job()
    return 1000 * (time.process_time() - start)


def best(job: Callable[[], Any], runs: int = 20) -> float:
    """The best of several runs after a warm-up, likewise."""
    job()
    return min(once(job) for _ in range(runs))


def cpu_rows(slow: bool) -> list[dict[str, Any]]:
    rows = []
    tri = triangles()
    for squared, scale in ((False, 1e-2), (True, 1e-4)):
        for size in (64, 128, 256):
            renderer = Rasterizer(size, Logistic(scale), squared=squared)
            ours = best(both_ways(renderer.silhouette, tri))
            row: dict[str, Any] = {
                "law": f"logistic {scale:g}{', squared' if squared else ''}",
                "faces": len(tri),
                "image": f"{size}²",
                "native ms": round(ours, 2),
            }
            row |= {
                "our torch ms": "",
                "ratio": "",
                "plain torch ms": "",
                "ratio ": "",
                "PyTorch3D ms": "",
                "ratio  ": "",
            }
            if slow:
                chunk = max(1, 2**20 // size**2)
                by_hand = once(both_ways(lambda t: plain(t, size, scale, squared, chunk), tri))  # noqa: B023
                row |= {"plain torch ms": round(by_hand), "ratio ": round(by_hand / ours)}
                if not squared:
                    with an.backend("torch"):
                        reference = once(both_ways(renderer.silhouette, tri))
                    row |= {"our torch ms": round(reference), "ratio": round(reference / ours)}
            if squared:
                row |= {"PyTorch3D ms": PYTORCH3D[size], "ratio  ": round(PYTORCH3D[size] / ours)}
            rows.append(row)
    return rows


def gpu_rows() -> list[dict[str, Any]]:
    rows = []
    for level, size in ((3, 64), (3, 128), (3, 256), (3, 512), (5, 512)):
        tri = triangles(level, "cuda")
        renderer = Rasterizer(size, Logistic(1e-2))
        ours = milliseconds(both_ways(renderer.silhouette, tri))
        chunk = max(1, 2**26 // size**2)
        by_hand = milliseconds(both_ways(lambda t: plain(t, size, 1e-2, False, chunk), tri), 0.5, 5)  # noqa: B023
        with an.backend("torch"):
            reference = milliseconds(both_ways(renderer.silhouette, tri), 0.5, 3)
        row = {"faces": len(tri), "image": f"{size}²", "Triton ms": round(ours, 3), "our torch ms": round(reference, 1)}
        rows.append(row | {"plain torch ms": round(by_hand, 2), "ratio": round(by_hand / ours, 1)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", choices=("all", "native"), default="all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.device == "cuda":
        save("render_gpu", machine() | {"gpu": torch.cuda.get_device_name()}, gpu_rows())
        return
    rows = cpu_rows(options.only == "all")
    many = triangles(6)
    job = both_ways(Rasterizer(512, Logistic(1e-3)).silhouette, many)
    found = round(best(job, 3), 1)
    rows.append(
        {**dict.fromkeys(rows[0], ""), "law": "logistic 0.001", "faces": len(many), "image": "512²", "native ms": found}
    )
    about = machine() | {f"extra memory at {size}²": f"{extra_memory(size):.1f} MiB" for size in (64, 256)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of this process {peak:.0f} MiB")
    if options.only == "all":
        save("render", about, rows)
    else:
        print(about)
        for row in rows:
            print(row)


if __name__ == "__main__":
    main()
