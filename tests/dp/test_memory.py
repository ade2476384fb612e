"""How memory grows: measured as the peak of a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

import algonets as an

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak of a process here")

START = """
import torch
from algonets.dp import SemiMarkov, SoftDTW
torch.set_num_threads(1)
def peak():  # getrusage counts the parent too
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
"""

SEMI_MARKOV = """
def run(steps):
    segment = torch.randn(8, steps, 20, 8, requires_grad=True)
    transition = torch.randn(8, 8, requires_grad=True)
    torch.autograd.grad(SemiMarkov(segment, transition).log_partition().sum(), (segment, transition))
    return peak()
print(run(10), *[run(steps) for steps in (250, 2000)])
"""

SOFT_DTW = """
with torch.no_grad():
    SoftDTW(torch.rand(8, 8), 0.1).value()
    distances = torch.rand(2048, 2048)
    before = peak()
    assert SoftDTW(distances, 0.1).value().isfinite()
    print(peak() - before)
"""


def measured(code):
    run = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return [float(word) for word in run.stdout.split()]


def test_semi_markov_needs_memory_linear_in_its_steps():
    if not an.native_status()[0]:
        pytest.skip("no native kernels here")
    start, *peaks = measured(SEMI_MARKOV)
    few, many = (peak - start for peak in peaks)  # MiB of 250 and 2000 steps
    assert many < 16 * few  # linear: 8 times, quadratic: 64 times


def test_the_value_of_soft_dtw_needs_no_table():
    if not an.native_status()[0]:
        pytest.skip("no native kernels here")
    (gained,) = measured(SOFT_DTW)
    assert gained < 4  # the distances are 16 MiB, a table in double 32
