"""Calls, recursion, and the rest."""

import math

import torch

import algonets as an
from tests.relax.suite.registry import program


def helper(x, t):
    """A plain helper: it is inlined."""
    if x > t:
        return x - t
    return t * 2


def swap(a, i, j):
    """It changes its argument."""
    a[i], a[j] = a[j], a[i]


@an.relax
def relaxed_helper(x):
    """A relaxed helper."""
    return x if x > 0 else -x


@program((), ())
def calls(x, y):
    return helper(x, y) + relaxed_helper(x) + helper(0.1, 0.2) + helper(t=y, x=0.5)


@program((4,))
def helper_that_writes(a):
    for i in range(3):
        if a[i] > a[i + 1]:
            swap(a, i, i + 1)
    return a


def gcd_like(a, b):
    """Recursion on real numbers."""
    if b < 0.2:
        return a
    return gcd_like(b, a - b if a > b else b - a)


@program((), ())
def recursion(x, y):
    return gcd_like(abs(x), abs(y))


def factorial(n):
    """Recursion on exact integers."""
    return 1 if n <= 1 else n * factorial(n - 1)


def quicksort(a, lo, hi):
    """Recursion with exact bounds would need a soft pivot: here the pivot goes by counting."""
    if hi - lo < 1:
        return
    middle = (lo + hi) // 2
    quicksort(a, lo, middle)
    quicksort(a, middle + 1, hi)
    for _ in range(lo, hi):
        for j in range(lo, hi):
            if a[j] > a[j + 1]:
                swap(a, j, j + 1)


@program((5,))
def recursion_on_exact_integers(a):
    quicksort(a, 0, 4)
    return a, factorial(5)


@program((), ())
def mathematics(x, y):
    z = math.exp(x) + math.sqrt(abs(y)) + math.pi
    return z, 2**x, (x + 3) ** 2, (abs(x) + 1) // 0.5, (abs(y) + 1) % 0.7


@program(())
def scaled(x):
    n = 0
    with an.relax.scale(0.5):
        if x > 0:
            n = 1
    return n


@program((), ())
def chained_assignment(x, y):
    a = b = x
    c, (d, e) = y, (a, b)
    a, b = b + 1, a - 1
    return a, b, c, d + e


@program((), 3, "word")
def exact_arguments(x, n, kind):
    total = 0.0
    for _ in range(n):
        if kind == "word" and n is not None:
            total += x
    return total


@program((5,))
def infinity(a):
    best = math.inf
    worst = float("-inf")
    for u in a:
        if u < best:
            best = u
        if u > worst:
            worst = u
    return best, worst


@program((), ())
def assigned_in_one_branch(x, y):
    if x > y:
        z = x
    if x > y:
        y = z
    return y


@program((3,))
def loop_without_state(a):
    for u in a:
        if u > 5:
            return u
    return a[0]


CONSTANT = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


@program((3,))
def tensors_from_outside(a):
    total = 0.0
    for i in range(3):
        if a[i] > 0:
            total += a[i] * CONSTANT[i]
    return total


@program((), (2,))
def writes_after_an_exit(x, a):
    k = 0
    while k < 3 and x < x + x:
        k += 1
        a[0] = x
        if x + x > 0:
            return x, a
    return x, a


@program((4,), ())
def writes_after_a_continue(a, t):
    for i in range(3):
        if a[i] < t:
            continue
        a[i + 1] = a[i] + 1
        if a[i] > t + 1:
            break
        a[0] = 7.0
    return a
