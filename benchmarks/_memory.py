"""Memory shared by the benchmarks: what a fresh process gains at its peak while a job runs (Linux, glibc)."""

import ctypes
import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def growth(job: Callable[[], Any]) -> float:
    """MiB between what the process holds now and its peak while the job runs."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free but not given back would hide what the job takes
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: that of a child begins with its parent's
    before = _resident("VmRSS")
    job()
    return _resident("VmHWM") - before


def in_a_fresh_process(code: str) -> float:
    """Run code that may import the benchmarks, and read the number that it prints."""
    folder = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return round(float(done.stdout), 1)


def _resident(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))
